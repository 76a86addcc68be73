"""What `p4 invite` and `p4 add` are made of."""
