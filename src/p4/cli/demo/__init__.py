"""The demonstration: two real nodes on this machine lose each other and come back."""
