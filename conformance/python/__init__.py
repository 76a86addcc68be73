"""The command of Python: `p4.core` and `p4.client` by the protocol of ../README.md."""
