"""`p4 doctor`: what may keep this device from its contacts, and what to do about it. One file a check."""
