"""One file of a spool: records of bytes, each with its offset, its length and a checksum.

    u64 offset of the first byte, u32 length, u32 CRC-32 of these two and the bytes, the bytes

A write that a power failure interrupted leaves a file that is too short, or has zeros or old bytes of the
disk in it. The first record that does not fit ends what is believed.
"""

from __future__ import annotations

import os
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from p4.adapters.store import files, filesystem
from p4.core import limits

__all__ = ["RECORD_BYTES", "SEGMENT_BYTES", "Segment", "encode"]

SEGMENT_BYTES = 4 * 1024 * 1024
"""A file that has reached this size gets a successor; the smallest unit in which space is given back."""

RECORD_BYTES = limits.STREAM_DATA_BYTES
"""Most bytes of a record: what one frame carries is then read with one record."""

_HEAD = struct.Struct(">QII")
_HEAD_WITHOUT_SUM = struct.Struct(">QI")
_MARK_BYTES = 64 * 1024
"""Distance in the file of the places whose offsets are remembered: a search reads no more than this."""

Buffer = bytes | memoryview
_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def encode(offset: int, data: memoryview) -> list[Buffer]:
    """A record as buffers to be written one after the other."""
    checksum = zlib.crc32(data, zlib.crc32(_HEAD_WITHOUT_SUM.pack(offset, len(data))))
    return [_HEAD.pack(offset, len(data), checksum), data]


@dataclass(slots=True)
class Segment:
    """A file and what is in it. Opened for each use, so that thousands of streams need no descriptors.

    Args:
        path: the file.
        start: offset of its first byte in the stream.
        end: offset after its last byte.
        size: bytes of the file.
    """

    path: Path
    start: int
    end: int
    size: int = 0
    marks: list[tuple[int, int]] = field(default_factory=list)
    """(offset, place in the file) of records, not of all, in order; the first one's at least."""

    def mark(self, offset: int, place: int) -> None:
        """Remember where a record is, unless it is close to one that is remembered."""
        if not self.marks or place - self.marks[-1][1] >= _MARK_BYTES:
            self.marks.append((offset, place))

    def create(self) -> None:
        """Make the file. Raises OSError; FileExistsError if it is there."""
        os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, files.FILE_MODE))

    def write(self, place: int, buffers: list[Buffer]) -> None:
        """Write at a place, which is the end of the file or before it. Raises OSError."""
        descriptor = os.open(self.path, os.O_WRONLY | _FLAGS)
        try:
            os.lseek(descriptor, place, os.SEEK_SET)
            filesystem.write_all(descriptor, buffers)
        finally:
            os.close(descriptor)

    def truncate(self, size: int) -> None:
        """Cut the file. Raises OSError."""
        os.truncate(self.path, size)

    def sync(self) -> None:
        """Bring it to the medium. Raises OSError."""
        descriptor = os.open(self.path, os.O_RDWR | _FLAGS)
        try:
            filesystem.sync_file(descriptor)
        finally:
            os.close(descriptor)

    def examine(self) -> None:
        """Find out ``end``, ``size`` and the marks from the file. Raises OSError.

        ``size`` is that of the records which can be believed; the file may be longer.
        """
        self.end, self.size = self.start, 0
        self.marks.clear()
        data = self.path.read_bytes()
        for offset, body, after in _records(data, 0, self.start):
            self.mark(offset, self.size)
            self.end, self.size = offset + len(body), after

    def read(self, offset: int, size: int) -> bytes:
        """At least one and at most ``size`` bytes; ``offset`` is within. Raises OSError.

        Raises:
            ValueError: the records are not what was written.
        """
        if not self.marks:
            # Of an earlier run, and complete, because it has a successor.
            end = self.end
            self.examine()
            if self.end != end:
                self.marks.clear()
                self.end = end
                raise ValueError("a record is damaged")
        known, place = self.marks[bisect_right(self.marks, offset, key=lambda mark: mark[0]) - 1]
        found, wanted = bytearray(), offset
        with self.path.open("rb", buffering=0) as file:
            file.seek(place)
            data = file.read(min(self.size - place, size + _MARK_BYTES + RECORD_BYTES + 2 * _HEAD.size))
        for first, body, _ in _records(data, 0, known):
            if first + len(body) > wanted:
                found += body[wanted - first : wanted - first + size - len(found)]
                wanted = offset + len(found)
                if len(found) == size:
                    break
        if not found:
            raise ValueError("a record is damaged")
        return bytes(found)


def _records(data: bytes, place: int, offset: int) -> Iterator[tuple[int, memoryview, int]]:
    """Offset and bytes of each sound record, and the place after it, until one is not sound.

    Args:
        offset: which the first one must have.
    """
    view = memoryview(data)
    while len(data) - place > _HEAD.size:
        first, length, checksum = _HEAD.unpack_from(data, place)
        body = view[place + _HEAD.size : place + _HEAD.size + length]
        if first != offset or not length or len(body) != length or length > RECORD_BYTES:
            return
        if zlib.crc32(body, zlib.crc32(_HEAD_WITHOUT_SUM.pack(first, length))) != checksum:
            return
        place += _HEAD.size + length
        yield first, body, place
        offset += length
