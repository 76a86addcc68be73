"""The hashes that both sides may agree on (spec/files.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Protocol

from p4.core import limits

__all__ = ["HASHES", "Halt", "HaltedError", "Hasher", "hash_rest", "hash_zeros", "make_hasher"]

_ZEROS = bytes(limits.FILE_BLOCK_BYTES)


class Hasher(Protocol):
    """What `hashlib` has."""

    def update(self, data: bytes | memoryview, /) -> object:
        """Take more bytes."""
        ...

    def digest(self) -> bytes:
        """32 bytes."""
        ...


_MAKERS: dict[str, Callable[[], Hasher]] = {}
with suppress(ImportError):  # where there is no wheel for a machine, SHA-256 does the same more slowly
    from blake3 import blake3

    _MAKERS["blake3"] = blake3
_MAKERS["sha256"] = hashlib.sha256

HASHES = tuple(_MAKERS)
"""Names of the hashes that this device knows, the best first."""


def make_hasher(name: str) -> Hasher:
    """A new hash of one of `HASHES`. Raises KeyError for any other."""
    return _MAKERS[name]()


class Halt:
    """Tells a thread that hashes a large file that nobody waits for it any more."""

    def __init__(self) -> None:
        self.called = False

    def __call__(self) -> None:
        """Let it stop at the next block."""
        self.called = True

    def check(self) -> None:
        """Raise HaltedError if it shall stop."""
        if self.called:
            raise HaltedError


class HaltedError(Exception):
    """Work was given up because its caller was. Never leaves this package."""


def hash_rest(file: IO[bytes], hasher: Hasher, length: int, halt: Halt) -> int:
    """Hash up to so many bytes from where a file stands; gives how many there were. Raises OSError."""
    done = 0
    while done < length and (piece := file.read(min(limits.FILE_BLOCK_BYTES, length - done))):
        halt.check()
        hasher.update(piece)
        done += len(piece)
    return done


def hash_zeros(hasher: Hasher, length: int) -> None:
    """Hash so many bytes that are 0."""
    for begin in range(0, length, len(_ZEROS)):
        hasher.update(memoryview(_ZEROS)[: length - begin])
