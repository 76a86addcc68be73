"""`p4 chat`: a full-screen chat on a terminal, plain lines elsewhere."""
