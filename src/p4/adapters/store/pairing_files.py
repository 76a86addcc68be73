"""The files of pairing in a state directory: open invites, which hold secrets, and the device's name."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from p4.adapters.store import files

__all__ = ["INVITES_FILE", "NAME_FILE", "PairingFiles"]

INVITES_FILE: Final = "invites.json"
NAME_FILE: Final = "device_name.txt"
_MOST_BYTES: Final = 256 * 1024


class PairingFiles:
    """What `p4.node.pairing.parts.PairingParts` keeps on disk.

    Args:
        directory: the state directory.
    """

    def __init__(self, directory: Path) -> None:
        self._invites = directory / INVITES_FILE
        self._name = directory / NAME_FILE

    def load_invites(self) -> bytes | None:
        """The file of open invites; None where there is none. Raises StateError."""
        return files.read_bytes(self._invites, at_most=_MOST_BYTES)

    def save_invites(self, data: bytes) -> None:
        """Write it, for its owner alone; on disk when this returns. Raises StateError."""
        files.write_atomically(self._invites, data)

    def load_name(self) -> bytes | None:
        """The name of the device, in UTF-8; None where none was chosen. Raises StateError."""
        return files.read_bytes(self._name, at_most=_MOST_BYTES)

    def save_name(self, data: bytes) -> None:
        """Write it; on disk when this returns. Raises StateError."""
        files.write_atomically(self._name, data)
