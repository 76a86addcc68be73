"""The daemon's log file: written by `p4 up`, read by `p4 log`."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator
from logging.handlers import RotatingFileHandler
from pathlib import Path

from p4.core import limits

__all__ = ["follow_log", "last_lines", "log_path", "log_to_file"]

LOOK_SECONDS = 0.25
"""How often a followed log is looked at."""

_TAIL_BYTES = 256 * 1024


def log_path(state_dir: Path) -> Path:
    """Where the log of a state directory's daemon is."""
    return state_dir / "daemon" / "log"


class _PrivateLog(RotatingFileHandler):
    """A log that only its owner can read, each of its files."""

    def _open(self):  # type: ignore[no-untyped-def]
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return open(descriptor, "a", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123


class _Lines(logging.Formatter):
    """A line for each record, with the time in UTC; a traceback follows on lines of its own."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")
        self.converter = time.gmtime


def log_to_file(state_dir: Path, *, verbosity: int) -> None:
    """Log from now on, beside what goes to stderr.

    Args:
        verbosity: as ``-v``; the file has what the node does (level INFO) in any case.
    """
    path = log_path(state_dir)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    handler = _PrivateLog(path, maxBytes=limits.LOG_BYTES, backupCount=limits.LOG_FILES, encoding="utf-8")
    handler.setFormatter(_Lines())
    root, ours = logging.getLogger(), logging.getLogger("p4")
    for stderr in root.handlers:
        stderr.setLevel(logging.WARNING if verbosity == 0 else logging.NOTSET)
    root.addHandler(handler)
    ours.setLevel(min(ours.getEffectiveLevel(), logging.INFO))


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of the log, at most so many; none where there is no log."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            data = file.read()
    except FileNotFoundError:
        return []
    lines = data.decode("utf-8", "replace").splitlines()
    if size > _TAIL_BYTES:
        lines = lines[1:]  # the first one is cut
    return lines[-count:] if count else []


async def follow_log(path: Path, count: int) -> AsyncIterator[str]:
    """The last lines, and every further one until the caller stops; goes on in the next file after a
    rotation."""
    for line in last_lines(path, count):
        yield line
    position, identity = _end(path)
    unfinished = b""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        size, now_identity = _end(path)
        if now_identity != identity or size < position:
            position, identity, unfinished = 0, now_identity, b""
        if size > position:
            with path.open("rb") as file:
                file.seek(position)
                data = file.read(size - position)
            position += len(data)
            *whole, unfinished = (unfinished + data).split(b"\n")
            for found in whole:
                yield found.decode("utf-8", "replace")


def _end(path: Path) -> tuple[int, int]:
    """Size and number of the file; zeros where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_size, found.st_ino
