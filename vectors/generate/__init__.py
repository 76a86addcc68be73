"""Scripts that write the vectors. They do not import p4: a vector is a second opinion, not an echo."""
