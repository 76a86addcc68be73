"""What is there already where something is to be stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from p4.apps.files.frames import Entry
from p4.apps.files.hashing import Halt, hash_rest, make_hasher
from p4.apps.files.names import numbered, stays_inside
from p4.apps.files.places import Folder, FoundKind
from p4.apps.files.refusals import Refusal, spelled

__all__ = ["has_content", "make_link", "present"]


def present(parent: Folder, name: str, *, numbers: bool) -> Iterator[tuple[str, int]]:
    """The files that have a name, with their sizes.

    Args:
        numbers: also those that have it with a number, up to the first number that is free.
    """
    for candidate in numbered(name):
        found = parent.look(candidate)
        if found is None:
            return
        if found.kind is FoundKind.FILE:
            yield candidate, found.size
        if not numbers:
            return


def has_content(parent: Folder, name: str, size: int, digest: bytes, hash_name: str, halt: Halt) -> bool:
    """Whether a file has this content; not, if it cannot be read."""
    hasher = make_hasher(hash_name)
    with suppress(OSError), parent.read(name) as file:
        # One byte more than it should have: it may have grown since somebody looked.
        return hash_rest(file, hasher, size + 1, halt) == size and hasher.digest() == digest
    return False


def make_link(parent: Folder, names: tuple[str, ...], entry: Entry, *, replace: bool) -> None:
    """Make a link, unless it is there.

    Args:
        replace: a link of that name which leads elsewhere.

    Raises:
        Refusal: ``bad-link`` or ``exists``. OSError: the system refused.
    """
    target = "/".join(entry.target)
    if not stays_inside(entry.path, entry.target):
        raise Refusal("bad-link", f"{spelled(names)}: the link leads out of what is copied.")
    found = parent.look(names[-1])
    if found is not None and found.kind is FoundKind.LINK:
        if parent.read_link(names[-1]) == target:
            return
        if replace:
            parent.remove(names[-1])
    try:
        parent.make_link(names[-1], target)
    except FileExistsError:
        raise Refusal("exists", f"{spelled(names)}: something else has that name.") from None
    except NotImplementedError:
        raise Refusal("bad-link", f"{spelled(names)}: links cannot be made here.") from None
