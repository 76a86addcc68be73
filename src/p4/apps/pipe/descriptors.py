"""What differs between systems about file descriptors."""

from __future__ import annotations

import os
import stat
import sys

__all__ = ["appends", "as_bytes", "is_file"]


def is_file(descriptor: int) -> bool:
    """Whether it is a regular file: it can be gone about in, and brought to the disk."""
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def as_bytes(descriptor: int) -> None:
    """Let bytes through as they are: Windows would translate line ends, and stop reading at Ctrl-Z."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(descriptor, os.O_BINARY)


def appends(descriptor: int) -> bool:
    """Whether a file was opened to be appended to (``>> file``)."""
    if sys.platform == "win32":
        return os.lseek(descriptor, 0, os.SEEK_CUR) > 0  # the shell has gone to its end
    else:  # noqa: RET505 - so that type checkers know it belongs to the other systems
        import fcntl

        return bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND)
