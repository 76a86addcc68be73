"""The daemon: one node, its apps, and an HTTP API on this machine (spec/daemon-api)."""
