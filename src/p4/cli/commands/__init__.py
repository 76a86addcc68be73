"""One file a command. Each has one public name, ``command``."""
