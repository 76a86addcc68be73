"""The content of files as frames, in blocks that are made in a thread while others are on their way."""

from __future__ import annotations

import errno
import os
from collections import deque
from dataclasses import dataclass, field
from typing import IO

from p4.apps.files.frames import Broken, Data, End, Entry, FileStart, Hole
from p4.apps.files.hashing import Halt, Hasher, hash_rest, hash_zeros, make_hasher
from p4.apps.files.places import Folder, Found, open_below, open_folder
from p4.apps.files.refusals import Refusal, refusal_of, spelled
from p4.apps.files.tree import Sourced, Tree
from p4.apps.files.wire import encode
from p4.core import limits

__all__ = ["Block", "Contents"]

_SEEK_DATA = getattr(os, "SEEK_DATA", None)
_SEEK_HOLE = getattr(os, "SEEK_HOLE", None)


@dataclass(slots=True)
class Block:
    """Some frames, and what they mean."""

    data: bytes
    content: int
    """Bytes of files in it, holes as well."""
    broken: list[tuple[int, Refusal]] = field(default_factory=list)
    """Files that cannot be sent."""


@dataclass(slots=True)
class _Reading:
    number: int
    file: IO[bytes]
    entry: Entry
    status: os.stat_result
    hasher: Hasher
    position: int
    data_until: int = 0
    """Up to where there is no hole."""


class Contents:
    """The files that are wanted, one after the other. One call at a time, in any thread.

    Args:
        hash_name: what both sides agreed on.
    """

    def __init__(self, tree: Tree, hash_name: str) -> None:
        self._tree = tree
        self._hash_name = hash_name
        self._wanted: deque[tuple[int, int]] = deque()
        self._reading: _Reading | None = None
        self._parent: tuple[tuple[int, tuple[str, ...]], Folder] | None = None
        self._begun_again: set[int] = set()
        self._unwanted: set[int] = set()
        self.halt = Halt()
        """Called when nobody waits for `block` or `digest` any more."""

    def want(self, number: int, position: int) -> None:
        """Send a file from a position on, after those before."""
        self._wanted.append((number, position))

    def drop(self, number: int) -> None:
        """Send no more of a file."""
        self._unwanted.add(number)

    def close(self) -> None:
        """Needed no more."""
        if self._reading is not None:
            self._reading.file.close()
            self._reading = None
        if self._parent is not None:
            self._parent[1].close()
            self._parent = None

    def digest(self, number: int) -> bytes:
        """The hash of a file's content. Raises OSError."""
        hasher = make_hasher(self._hash_name)
        sourced = self._tree.found[number]
        with self._folder(sourced).read(sourced.names[-1]) as file:
            hash_rest(file, hasher, limits.SAFE_INTEGER, self.halt)
        return hasher.digest()

    def block(self) -> Block | None:
        """The next frames, about `limits.FILE_BLOCK_BYTES`; None when there is nothing more to send."""
        if self._reading is None and not self._wanted:
            return None
        parts: list[bytes] = []
        block = Block(b"", 0)
        size = 0
        while (
            size < limits.FILE_BLOCK_BYTES
            and block.content < limits.FILE_HOLE_BYTES
            and (self._reading or self._wanted)
        ):
            before = len(parts)
            if self._reading is None:
                self._begin(parts, block)
            else:
                self._go_on(self._reading, parts, block)
            size += sum(map(len, parts[before:]))
        block.data = b"".join(parts)
        return block

    # -- inside ------------------------------------------------------------------------------------------

    def _folder(self, sourced: Sourced) -> Folder:
        """The folder that a file lies in; kept open for those beside it."""
        key = (sourced.base, sourced.names[:-1])
        if self._parent is None or self._parent[0] != key:
            if self._parent is not None:
                self._parent[1].close()
                self._parent = None
            with open_folder(self._tree.bases[sourced.base]) as base:
                self._parent = key, open_below(base, sourced.names[:-1])
        return self._parent[1]

    def _begin(self, parts: list[bytes], block: Block) -> None:
        number, position = self._wanted.popleft()
        sourced = self._tree.found[number]
        if number in self._unwanted:
            return
        try:
            file = self._folder(sourced).read(sourced.names[-1])
        except OSError as error:
            block.broken.append((number, refusal_of(error, sourced.entry.path)))
            # The receiver waits for it: begun and broken.
            parts += [
                encode(FileStart(number, 0, sourced.entry)),
                encode(Broken("not-found", "It cannot be read any more.")),
            ]
            return
        status = os.fstat(file.fileno())
        found = Found.of(status)
        entry = sourced.entry._replace(size=found.size, mtime_ns=found.mtime_ns, mode=found.mode)
        if (entry.size, entry.mtime_ns) != (sourced.entry.size, sourced.entry.mtime_ns):
            position = 0  # what the receiver has is the beginning of another file
        hasher = make_hasher(self._hash_name)
        hash_rest(file, hasher, position, self.halt)
        self._reading = _Reading(number, file, entry, status, hasher, position, position)
        parts.append(encode(FileStart(number, position, entry)))

    def _go_on(self, reading: _Reading, parts: list[bytes], block: Block) -> None:
        size = reading.entry.size
        if reading.number in self._unwanted:
            self._break(reading, parts, Broken("cancelled", "It is not wanted."))
            return
        if reading.position >= size:
            self._end(reading, parts, block)
            return
        hole = 0
        if reading.position >= reading.data_until:
            hole = self._hole(reading)
        if hole:
            hash_zeros(reading.hasher, hole)
            parts.append(encode(Hole(hole)))
            block.content += hole
            reading.position += hole
            return
        wanted = min(limits.FILE_PIECE_BYTES, reading.data_until - reading.position)
        try:
            piece = reading.file.read(wanted)
        except OSError as error:
            refusal = refusal_of(error, reading.entry.path)
            block.broken.append((reading.number, refusal))
            self._break(reading, parts, Broken(refusal.code, "It cannot be read."))
            return
        if not piece:
            self._changed(reading, parts, block)
            return
        reading.hasher.update(piece)
        reading.position += len(piece)
        block.content += len(piece)
        parts.append(encode(Data(piece)))

    def _hole(self, reading: _Reading) -> int:
        """Length of the hole at the position, at most that of a HOLE; 0 if there is data."""
        size, position = reading.entry.size, reading.position
        sparse = reading.status.st_blocks * 512 < size if hasattr(reading.status, "st_blocks") else False
        if not sparse or _SEEK_DATA is None or _SEEK_HOLE is None:
            reading.data_until = size
            return 0
        descriptor = reading.file.fileno()
        try:
            begin = os.lseek(descriptor, position, _SEEK_DATA)
        except OSError as error:
            # Nothing but a hole up to the end; any other error: a file system that knows no holes.
            begin = size if error.errno == errno.ENXIO else position
        hole = min(max(0, min(begin, size) - position), limits.FILE_HOLE_BYTES)
        if not hole:
            try:
                reading.data_until = min(size, os.lseek(descriptor, position, _SEEK_HOLE))
            except OSError:
                reading.data_until = size
        os.lseek(descriptor, position + hole, os.SEEK_SET)
        return hole

    def _end(self, reading: _Reading, parts: list[bytes], block: Block) -> None:
        now = os.fstat(reading.file.fileno())
        if (now.st_size, now.st_mtime_ns) != (reading.entry.size, reading.entry.mtime_ns):
            self._changed(reading, parts, block)
            return
        reading.file.close()
        self._reading = None
        parts.append(encode(End(reading.hasher.digest())))

    def _changed(self, reading: _Reading, parts: list[bytes], block: Block) -> None:
        """Begin the file once more, at the end of all others; a second time it is left out."""
        number, path = reading.number, spelled(reading.entry.path)
        if number in self._begun_again:
            block.broken.append((number, Refusal("changed", f"{path}: it was changed while it was sent.")))
        else:
            self._begun_again.add(number)
            self._wanted.append((number, 0))
        self._break(reading, parts, Broken("changed", "It was changed while it was sent."))

    def _break(self, reading: _Reading, parts: list[bytes], frame: Broken) -> None:
        reading.file.close()
        self._reading = None
        parts.append(encode(frame))
