"""What is on disk of files that have not arrived as a whole: how far it is safe, and who writes it now."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Partial", "Partials"]


class Partial(NamedTuple):
    """A file that was received in part."""

    folder: str
    """Where it lies, for whoever deletes it one day."""
    safe: int
    """Bytes from its beginning that survive a power failure."""


class Partials:
    """By hidden name. One object for a device, used by one thread at a time for each name."""

    def __init__(self) -> None:
        self._known: dict[str, Partial] = {}
        self._changed: set[str] = set()
        self._claimed: set[str] = set()

    def load(self, known: dict[str, Partial]) -> None:
        """What is known of earlier runs."""
        self._known.update(known)

    def safe(self, name: str) -> int:
        """How many bytes of it may be relied on."""
        partial = self._known.get(name)
        return partial.safe if partial else 0

    def claim(self, name: str) -> bool:
        """Take a name for writing; False if somebody has it."""
        if name in self._claimed:
            return False
        self._claimed.add(name)
        return True

    def leave(self, name: str) -> None:
        """Written no more."""
        self._claimed.discard(name)

    def remember(self, name: str, folder: str, safe: int) -> None:
        """So many bytes are safe now."""
        self._known[name] = Partial(folder, safe)
        self._changed.add(name)

    def forget(self, name: str) -> None:
        """It is complete, or of no use."""
        if self._known.pop(name, None) is not None:
            self._changed.add(name)

    def changes(self) -> dict[str, Partial | None]:
        """What is new since the last call, to be written down; None for what is no more."""
        changed, self._changed = self._changed, set()
        return {name: self._known.get(name) for name in changed}
