"""The `p4` command, one file a command. Reference: docs/cli.md."""
