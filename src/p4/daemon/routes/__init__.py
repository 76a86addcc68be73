"""One file per subject: each has a `router`, which `p4.daemon.application` lists."""
