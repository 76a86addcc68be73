"""A state directory that has moved to another device: it must not start again.

Two devices with one identity and one set of queues would give the same numbers to different messages, and
contacts would not know which of the two they speak to.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from p4.adapters.store import files
from p4.errors import StateError

__all__ = ["MOVED_FILE", "Moved", "load_moved", "refuse_if_moved", "seal", "unseal"]

MOVED_FILE: Final = "moved.json"
_MOST_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a state directory went.

    Args:
        backup: path of the file that took it along.
        moved_ms: when, Unix milliseconds.
    """

    backup: str
    moved_ms: int


def load_moved(directory: Path) -> Moved | None:
    """Whether, and where to, a directory has moved. A file that cannot be read counts. Raises StateError."""
    data = files.read_bytes(directory / MOVED_FILE, at_most=_MOST_BYTES)
    if data is None:
        return None
    try:
        value = json.loads(data)
        return Moved(str(value["backup"]), int(value["moved_ms"]))
    except (ValueError, TypeError, KeyError):
        return Moved("an unknown file", 0)


def refuse_if_moved(directory: Path) -> None:
    """Raises StateError: ``moved``."""
    moved = load_moved(directory)
    if moved is not None:
        day = time.strftime("%Y-%m-%d", time.gmtime(moved.moved_ms / 1000))
        raise StateError(
            f"The device in {directory} has moved away, into {moved.backup} on {day}. Nothing was started. "
            "If it ran here and there at the same time, both would give the same numbers to different "
            "messages: contacts would lose some of them, and nobody could tell which device they speak to. "
            "Restore the backup on the other device. If it was never restored anywhere and never will be, "
            "take the move back with: p4 backup --undo-move",
            path=str(directory),
            code="moved",
        )


def seal(directory: Path, backup: Path) -> None:
    """From now on nothing starts here. Raises StateError."""
    value = {"backup": str(backup), "moved_ms": int(time.time() * 1000)}
    files.write_atomically(directory / MOVED_FILE, (json.dumps(value, indent=2) + "\n").encode("utf-8"))


def unseal(directory: Path) -> bool:
    """Let it start again; whether it was sealed. Raises StateError."""
    path = directory / MOVED_FILE
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise files.state_error(error, path, "remove") from error
    return True
