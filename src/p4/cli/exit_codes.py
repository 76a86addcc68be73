"""What the exit code of every `p4` command means (docs/cli.md)."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """Stable: scripts depend on the numbers."""

    OK = 0
    """Done. Also a node that was ended by /quit, the end of its input, SIGTERM or SIGHUP."""
    FAILED = 1
    """It was understood but did not work: Tor is missing, a demo step failed, the disk is full."""
    USAGE = 2
    """An option or a value cannot be used. Nothing was changed."""
    STATE = 3
    """The state directory cannot be used: no identity, wrong permissions, in use, a corrupt file."""
    INTERRUPTED = 130
    """Ctrl-C (128 + SIGINT, as shells have it)."""
