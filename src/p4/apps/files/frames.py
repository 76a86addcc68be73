"""What the two sides of a transfer say to each other (spec/files.md), as values."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, NamedTuple

from p4.core import limits
from p4.errors import TransferError

__all__ = [
    "Accept",
    "Again",
    "Ask",
    "Broken",
    "Complete",
    "Data",
    "End",
    "Entry",
    "EntryKind",
    "Failed",
    "FileFrame",
    "FileStart",
    "Finish",
    "Go",
    "Hole",
    "Listed",
    "Manifest",
    "Named",
    "Offer",
    "Omitted",
    "Over",
    "Stored",
    "Sum",
    "Times",
    "Verdict",
    "Verdicts",
    "check_path",
    "check_target",
    "not_a_frame",
]


class EntryKind(IntEnum):
    """What an entry is."""

    FILE = 0
    FOLDER = 1
    LINK = 2


class Verdict(IntEnum):
    """What the receiver wants of an entry."""

    SEND = 0
    HAVE = 1
    COMPARE = 2


class Entry(NamedTuple):
    """A file, folder or link: what is known of it before its content."""

    kind: EntryKind
    mode: int
    """POSIX permission bits, at most ``0o777``."""
    size: int
    """Bytes; 0 unless a file."""
    mtime_ns: int
    """Time of modification, nanoseconds since 1970."""
    path: tuple[str, ...]
    """Names, the first of them that of the source."""
    target: tuple[str, ...] = ()
    """Of a link: names, the first of them perhaps ``..``."""


class Ask(NamedTuple):
    """R wants files."""

    content: Mapping[str, Any]


class Offer(NamedTuple):
    """S has files."""

    content: Mapping[str, Any]


class Accept(NamedTuple):
    """R takes them."""

    content: Mapping[str, Any]


class Manifest(NamedTuple):
    """ENTRY: the next of the transfer."""

    entry: Entry


class Listed(NamedTuple):
    """No more entries follow."""

    number: int


class Verdicts(NamedTuple):
    """VERDICT: index, what is wanted, and from which position."""

    verdicts: tuple[tuple[int, Verdict, int], ...]


class Sum(NamedTuple):
    """The hash of a file that R has to compare."""

    number: int
    digest: bytes


class Go(NamedTuple):
    """Content may follow."""


class Omitted(NamedTuple):
    """S leaves something out."""

    code: str
    text: str


class FileStart(NamedTuple):
    """FILE: content follows, from a position on."""

    number: int
    position: int
    entry: Entry


class Data(NamedTuple):
    """Some bytes of the file. They are valid until the next are read."""

    data: bytes | memoryview


class Hole(NamedTuple):
    """So many bytes of the file are 0."""

    length: int


class End(NamedTuple):
    """The file is whole if this is its hash."""

    digest: bytes


class Broken(NamedTuple):
    """The rest of the file cannot be sent."""

    code: str
    text: str


class Times(NamedTuple):
    """A folder is complete."""

    entry: Entry


class Finish(NamedTuple):
    """Everything was sent."""


class Stored(NamedTuple):
    """These are on disk under their names."""

    numbers: tuple[int, ...]


class Named(NamedTuple):
    """It got another name."""

    number: int
    name: str


class Failed(NamedTuple):
    """It is not stored, and no more of it is wanted."""

    number: int
    code: str
    text: str


class Again(NamedTuple):
    """Send it from 0."""

    number: int


class Complete(NamedTuple):
    """Everything is on disk."""


class Over(NamedTuple):
    """ERROR: the transfer is over."""

    code: str
    text: str


FileFrame = (
    Ask
    | Offer
    | Accept
    | Manifest
    | Listed
    | Verdicts
    | Sum
    | Go
    | Omitted
    | FileStart
    | Data
    | Hole
    | End
    | Broken
    | Times
    | Finish
    | Stored
    | Named
    | Failed
    | Again
    | Complete
    | Over
)


def not_a_frame(text: str) -> TransferError:
    """The error for what breaks spec/files.md."""
    return TransferError(
        f"The other device's program sent what is no transfer of files: {text}", code="protocol"
    )


def check_path(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, if they are a path of spec/files.md. Raises TransferError ``protocol``."""
    if not 0 < len(names) <= limits.FILE_PATH_PARTS:
        raise not_a_frame("a path is empty or too deep.")
    for name in names:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise not_a_frame("a path holds what is no name.")
        try:
            too_long = len(name.encode()) > limits.FILE_NAME_BYTES
        except UnicodeEncodeError:
            raise not_a_frame("a path is not text.") from None
        if too_long:
            raise not_a_frame("a path holds a name that is too long.")
    return names


def check_target(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, if they may be the target of a link. Raises TransferError ``protocol``."""
    up = 0
    while up < len(names) and names[up] == "..":
        up += 1
    if up > limits.FILE_PATH_PARTS:
        raise not_a_frame("the target of a link is too deep.")
    if up < len(names) or not names:
        check_path(names[up:])
    return names
