"""What a backup says of itself."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from p4.core import limits
from p4.core.identity import PeerId, is_peer_id
from p4.errors import InputError

__all__ = ["MANIFEST", "BackedUpFile", "Manifest", "is_plain_path"]

MANIFEST: Final = "manifest.json"
"""Its name in the archive, where it comes first."""

_KIND: Final = "p4-backup"
_FORMAT: Final = 1
_PART: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")
"""A part of a path that means the same on every system: no drive, no hidden file, nothing to the left."""
_MOST_PARTS: Final = 8


@dataclass(frozen=True, slots=True)
class BackedUpFile:
    """One file. ``path``: below the state directory, with slashes. ``size``: bytes."""

    path: str
    size: int
    sha256: str

    @classmethod
    def of(cls, path: str, data: bytes) -> BackedUpFile:
        """The entry of a file with these bytes."""
        return cls(path, len(data), hashlib.sha256(data).hexdigest())


@dataclass(frozen=True, slots=True)
class Manifest:
    """The first file of the archive.

    Args:
        made_ms: when, Unix milliseconds.
        peer_id: whose state directory it is.
        moved: the device has ended where it was made; the backup goes on with its numbers.
    """

    made_ms: int
    peer_id: PeerId
    moved: bool
    files: tuple[BackedUpFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(one.size for one in self.files)

    def to_bytes(self) -> bytes:
        """As JSON."""
        value = {
            "kind": _KIND,
            "format": _FORMAT,
            "made_ms": self.made_ms,
            "peer_id": self.peer_id,
            "moved": self.moved,
            "files": [{"path": one.path, "size": one.size, "sha256": one.sha256} for one in self.files],
        }
        return (json.dumps(value, indent=1) + "\n").encode("ascii")

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """Read it.

        Raises:
            ValueError: it is not one, or names a file that no state directory has; fits after "because".
            InputError: ``newer-version``.
        """
        try:
            value = json.loads(data)
            if value["kind"] != _KIND or type(value["format"]) is not int:
                raise ValueError("its manifest is of something else")
            if value["format"] > _FORMAT:
                raise InputError(
                    "The backup was made by a newer version of P4. Nothing was changed. Update P4, then try "
                    "again.",
                    code="newer-version",
                )
            entries = tuple(
                BackedUpFile(str(one["path"]), int(one["size"]), str(one["sha256"])) for one in value["files"]
            )
            manifest = cls(int(value["made_ms"]), PeerId(value["peer_id"]), value["moved"] is True, entries)
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError("its manifest lacks a part") from error
        if not is_peer_id(manifest.peer_id) or len(entries) > limits.BACKUP_FILES:
            raise ValueError("its manifest is impossible")
        folded = {one.path.casefold() for one in entries}
        if len(folded) != len(entries) or not all(is_plain_path(one.path) for one in entries):
            raise ValueError("its manifest names files that no state directory has")
        return manifest


def is_plain_path(path: str) -> bool:
    """Whether a path stays below where it is put, on every system."""
    parts = path.split("/")
    plain = all(_PART.fullmatch(part) and not part.endswith(".") for part in parts)
    return plain and len(parts) <= _MOST_PARTS and PurePosixPath(path).as_posix() == path
