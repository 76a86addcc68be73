"""Reading what a person names on the command line or at the prompt, bounded and with clear refusals."""

from __future__ import annotations

import sys
from pathlib import Path

from p4.errors import InputError

__all__ = ["LARGEST_INVITE_BYTES", "read_bytes", "read_text"]

LARGEST_INVITE_BYTES = 64 * 1024
"""Far above any invite; keeps a mistyped path to a film, or /dev/zero, out of memory."""


def read_bytes(path: Path, *, largest_bytes: int) -> bytes:
    """The whole file; ``-`` is stdin.

    Raises:
        InputError: it cannot be read or is larger than that.
    """
    try:
        if str(path) == "-":
            if sys.stdin is None:
                raise InputError("There is no standard input to read from.", code="unreadable")
            data = sys.stdin.buffer.read(largest_bytes + 1)
        else:
            with path.expanduser().open("rb") as file:
                data = file.read(largest_bytes + 1)
    except (OSError, ValueError, RuntimeError) as error:
        # ValueError: a NUL in the path. RuntimeError: ~ without a home directory.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"{str(path)!r} cannot be read: {reason}.", code="unreadable") from error
    if len(data) > largest_bytes:
        raise InputError(
            f"{str(path)!r} is larger than {largest_bytes // 1024} KiB; that is not the right file.",
            code="too-large",
        )
    return data


def read_text(path: Path, *, largest_bytes: int) -> str:
    """The whole file as UTF-8.

    Raises:
        InputError: as `read_bytes`, or it is not UTF-8.
    """
    try:
        return read_bytes(path, largest_bytes=largest_bytes).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{str(path)!r} is not a text file in UTF-8.", code="not-text") from error
