"""What travels on a link, and what must survive it."""
