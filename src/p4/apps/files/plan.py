"""Where what arrives shall go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from p4.apps.files.frames import Entry, not_a_frame
from p4.apps.files.names import HERE, NameRules, partial_name
from p4.apps.files.refusals import Refusal, spelled

__all__ = ["IntakePlan"]


@dataclass(frozen=True, slots=True)
class IntakePlan:
    """Where what arrives shall go.

    Args:
        base: names below the folder that is never left.
        roots: what the sources shall be called, by the first name of their entries; None: as they are.
        overwrite: whether a file that is there and differs is replaced.
        sender: who sends, so that nobody goes on with the half of a file of somebody else.
        place: the folder's path: as above, and to find a half file again.
        hash_name: what both sides agreed on.
        rules: of the file system.
    """

    base: tuple[str, ...]
    roots: Mapping[str, str] | None
    overwrite: bool
    sender: str
    place: str
    hash_name: str
    rules: NameRules = HERE

    def names(self, entry: Entry) -> tuple[str, ...]:
        """Where an entry goes, below the folder.

        Raises:
            Refusal: ``bad-name``. TransferError: it was not asked for.
        """
        first, *rest = entry.path
        if self.roots is not None:
            if first not in self.roots:
                raise not_a_frame("a file that was not asked for.")
            first = self.roots[first]
        names = (first, *rest)
        for name in names:
            if why := self.rules.refusal(name):
                raise Refusal("bad-name", f"{spelled(names)}: the name {spelled((name,))} {why}.")
        return (*self.base, *names)

    def partial(self, names: tuple[str, ...], entry: Entry) -> str:
        """The hidden name of what has arrived of it."""
        return partial_name(self.sender, self.place, *names, entry.size, entry.mtime_ns)
