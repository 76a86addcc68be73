"""One file of a spool: records of bytes, each with its offset, its length and a checksum.

    u64 offset of the first byte, u32 length, u32 CRC-32 of these two and the bytes, the bytes

A write that a power failure interrupted leaves a file that is too short, or has zeros or old bytes of the
disk in it. The first record that does not fit ends what is believed.
"""

from __future__ import annotations

import os
import struct
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from p4.adapters.store import files, filesystem
from p4.core import limits

__all__ = ["RECORD_BYTES", "SEGMENT_BYTES", "Buffer", "Piece", "Segment", "believed", "cut", "encode", "plan"]

SEGMENT_BYTES = 4 * 1024 * 1024
"""A file that has reached this size gets a successor; the smallest unit in which space is given back."""

UNSYNCED_SEGMENTS = 4
"""Complete segments that may be needed and not be on the medium; beyond it the writer waits for them."""

REMOVED_SEGMENTS = 4
"""Complete segments that are needed no more are removed so many at a time, since that needs a later one on
the medium: ..."""

REMOVED_SECONDS = 1.0
"""... or after this time. A segment that took longer to be filled is brought there when the next one begins:
for a stream of that pace it costs nothing, and less is lost in a power failure."""

DOUBTFUL_SEGMENTS = UNSYNCED_SEGMENTS + REMOVED_SEGMENTS + 1
"""Most segments that are not on the medium, and with which a power failure may do what it likes."""

RECORD_BYTES = limits.STREAM_DATA_BYTES
"""Most bytes of a record: what one frame carries is then read with one record."""

_HEAD = struct.Struct(">QII")
_HEAD_WITHOUT_SUM = struct.Struct(">QI")
_MARK_BYTES = 32 * 1024
"""Distance in the file of the places whose offsets are remembered: a search reads no more than this, and a
record of full size is always found at once."""

_READ_BYTES = 1024 * 1024
"""Most bytes of one read."""

Buffer = bytes | memoryview
_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def encode(offset: int, data: memoryview) -> list[Buffer]:
    """A record as buffers to be written one after the other."""
    checksum = zlib.crc32(data, zlib.crc32(_HEAD_WITHOUT_SUM.pack(offset, len(data))))
    return [_HEAD.pack(offset, len(data), checksum), data]


class Piece(NamedTuple):
    """What one append writes into one segment."""

    segment: Segment
    new: bool
    place: int
    buffers: list[Buffer]
    records: list[tuple[int, int]]
    """Offset and place of each."""
    end: int
    size: int
    """Of the segment afterwards."""


def cut(view: memoryview, target: Segment, offset: int, *, new: bool, limit: int) -> tuple[Piece, int]:
    """Records to be added to a segment until it has reached a size, and how many of the bytes they take."""
    place, done = target.size, 0
    buffers, records = list[Buffer](), list[tuple[int, int]]()
    while done < len(view) and place < limit:
        body = view[done : done + RECORD_BYTES]
        record = encode(offset + done, body)
        records.append((offset + done, place))
        buffers += record
        place += _HEAD.size + len(body)
        done += len(body)
    return Piece(target, new, target.size, buffers, records, offset + done, place), done


def plan(view: memoryview, last: Segment | None, directory: Path, offset: int) -> list[Piece]:
    """Cut bytes into records and spread them over segments.

    Args:
        last: the segment that takes the first of them, if there is one that has room.
        directory: of further ones.
        offset: of the first byte.
    """
    pieces: list[Piece] = []
    done = 0
    while done < len(view):
        new = last is None
        target = last or Segment(directory / f"{offset:016x}", offset, offset)
        piece, size = cut(view[done:], target, offset, new=new, limit=SEGMENT_BYTES)
        offset, done, last = offset + size, done + size, None
        pieces.append(piece)
    return pieces


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
        found = Segment(self.path, self.start, self.start)
        for offset, body, after in _records(self.path.read_bytes(), self.start):
            found.mark(offset, found.size)
            found.end, found.size = offset + len(body), after
        # At once, because another thread may be reading.
        self.end, self.size, self.marks = found.end, found.size, found.marks

    def read(self, offset: int, size: int) -> bytes:
        """At least one and at most ``size`` bytes; ``offset`` is within. Raises OSError.

        Raises:
            ValueError: the records are not what was written.
        """
        marks = self.marks or self._marks_of_an_earlier_run()
        size = min(size, _READ_BYTES)
        known, place = marks[bisect_right(marks, offset, key=_offset_of) - 1]
        after = bisect_left(marks, offset + size, key=_offset_of)
        stop = marks[after][1] if after < len(marks) else self.size
        with self.path.open("rb", buffering=0) as file:
            file.seek(place)
            data = file.read(stop - place)
        pieces: list[memoryview] = []
        wanted = offset
        for first, body, _ in _records(data, known):
            if first + len(body) > wanted:
                pieces.append(body[wanted - first : offset + size - first])
                wanted = min(first + len(body), offset + size)
                if wanted == offset + size:
                    break
        if not pieces:
            raise ValueError("a record is damaged")
        return b"".join(pieces)

    def _marks_of_an_earlier_run(self) -> list[tuple[int, int]]:
        """It has a successor, so it was complete and only has to be searched."""
        found = Segment(self.path, self.start, self.start)
        found.examine()
        if found.end != self.end:
            raise ValueError("a record is damaged")
        self.marks = found.marks
        return found.marks


def believed(segments: list[Segment], doubtful: int) -> tuple[list[Segment], list[Segment]]:
    """What can be believed of the files of a spool after whatever has happened.

    Args:
        segments: in order; the end of each is where the next begins.
        doubtful: so many of the last ones may have lost something in a power failure, and are read.

    Returns:
        Those that count, the last of which may have lost its end, and those behind a loss.

    Raises:
        OSError: they cannot be read.
    """
    for index in range(max(0, len(segments) - doubtful), len(segments)):
        one = segments[index]
        expected = one.end
        one.examine()
        if one is not segments[-1] and one.end != expected:
            return segments[: index + 1], segments[index + 1 :]
    return segments, []


def _offset_of(mark: tuple[int, int]) -> int:
    return mark[0]


def _records(data: bytes, offset: int) -> Iterator[tuple[int, memoryview, int]]:
    """Offset and bytes of each sound record, and the place after it, until one is not sound.

    Args:
        offset: which the first one must have.
    """
    view, place = memoryview(data), 0
    while len(data) - place > _HEAD.size:
        first, length, checksum = _HEAD.unpack_from(data, place)
        body = view[place + _HEAD.size : place + _HEAD.size + length]
        if first != offset or not length or len(body) != length:
            return
        if zlib.crc32(body, zlib.crc32(_HEAD_WITHOUT_SUM.pack(first, length))) != checksum:
            return
        place += _HEAD.size + length
        yield first, body, place
        offset += length
