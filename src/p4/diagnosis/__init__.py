"""What may keep a device from its contacts, and what to do about it: `p4 doctor`. One file a check."""
