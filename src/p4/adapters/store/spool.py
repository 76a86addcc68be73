"""Bytes of streams that wait to be sent or confirmed, in files of about 4 MiB beside the database.

    streams/CONTACT-STREAM/OFFSET    ids in hex; the offset of the first byte in the file, in hex, too

A segment is brought to the medium before the next one is begun. So after a power failure only the last one
can have lost something, and only that one is read when a spool is opened.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from bisect import bisect_right
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeVar

from p4.adapters.store import files, filesystem, segment
from p4.adapters.store.segment import Buffer, Segment
from p4.core.identity import PeerId
from p4.errors import StateError

__all__ = ["FileSpool", "remove_spools", "remove_strays"]

_T = TypeVar("_T")

_SEGMENT_NAME = re.compile("[0-9a-f]{16}")

SMALL_BYTES = 4096
"""Up to this much is written in the thread of the caller: a copy into the page cache takes microseconds,
a thread's turn a hundred of them."""

TAIL_BYTES = 64 * 1024
"""Newest bytes of small appends, kept in memory: they are usually read next, and a file of tiny records is
slow to search."""

NEAR_BYTES = 128 * 1024
"""Up to this much is read in the thread of the caller if it was written a short while ago."""


class _Piece(NamedTuple):
    """What one append writes into one segment."""

    segment: Segment
    new: bool
    place: int
    buffers: list[Buffer]
    records: list[tuple[int, int]]
    """Offset and place of each."""
    end: int
    size: int


class FileSpool:
    """Implements `p4.ports.Spool`. Used from one event loop.

    Args:
        directory: of all spools; made if it does not exist.
        threads: gives the executor of everything that may take long; raises StateError if the store is
            closed.

    Raises:
        StateError: the files cannot be read.
    """

    def __init__(
        self,
        directory: Path,
        peer_id: PeerId,
        stream_id: int,
        threads: Callable[[], Executor],
    ) -> None:
        self._root = directory
        self._directory = directory / _name(peer_id, stream_id)
        self._threads = threads
        self._appending = asyncio.Lock()
        self._tidying = asyncio.Lock()
        """Apart, so that what a person types does not wait for a disk that syncs."""
        self._unsynced: dict[Path, Segment] = {}
        self._directory_unsynced = False
        self._to_undo: list[_Piece] = []
        self._tail = bytearray()
        threads()
        try:
            self._segments = self._open()
        except OSError as error:
            raise files.state_error(error, directory, "open the stream's files in") from error
        self._appended_from = self.end

    def _open(self) -> list[Segment]:
        try:
            found = sorted(path for path in self._directory.iterdir() if _SEGMENT_NAME.fullmatch(path.name))
        except FileNotFoundError:
            return []
        segments = [Segment(path, int(path.name, 16), int(path.name, 16)) for path in found]
        for earlier, later in pairwise(segments):
            earlier.end, earlier.size = later.start, earlier.path.stat().st_size
        if segments:
            last = segments[-1]
            last.examine()
            if last.path.stat().st_size != last.size:
                last.truncate(last.size)
        return segments

    @property
    def start(self) -> int:
        """Offset of the oldest byte that is still here."""
        return self._segments[0].start if self._segments else 0

    @property
    def end(self) -> int:
        """Offset after the newest byte."""
        return self._segments[-1].end if self._segments else 0

    # --- writing ----------------------------------------------------------------------------------------

    async def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes at ``end``. Raises StateError: nothing was added.

        A caller that is cancelled while the thread writes finds in ``end`` what became of it.
        """
        self._threads()
        view = memoryview(data).cast("B")
        if not view:
            return
        if len(view) <= SMALL_BYTES and not self._appending.locked() and self._has_room():
            try:
                self._append_small(view)
            except OSError as error:
                raise self._refusal(error, "write") from error
            self._tail += view
            if len(self._tail) > TAIL_BYTES:
                del self._tail[: TAIL_BYTES // 2]
        else:
            # A copy of what can change: a caller that is cancelled may use its bytes again, and they are
            # still to be written.
            mine = view if isinstance(data, bytes) else memoryview(bytes(view))
            await _in_turn(self._appending, lambda: self._append(mine))

    def _append_small(self, view: memoryview) -> None:
        """Add one record to the last segment: what is typed, or one side of a dialogue. Raises OSError."""
        self._undo()
        last = self._segments[-1]
        place, record = last.size, b"".join(segment.encode(last.end, view))
        try:
            last.write(place, [record])
        except OSError:
            self._to_undo.append(_Piece(last, False, place, [], [], last.end, place))
            with contextlib.suppress(OSError):
                self._undo()  # or before the next append, as in `_write`
            raise
        last.mark(last.end, place)
        last.end, last.size = last.end + len(view), place + len(record)
        self._unsynced[last.path] = last

    async def _append(self, view: memoryview) -> None:
        pieces = self._plan(view)
        await self._call(lambda: self._write(pieces), "write")
        self._written(pieces)
        self._tail.clear()

    def _has_room(self) -> bool:
        """Whether the last segment takes more, so that none has to be brought to the medium first."""
        return bool(self._segments) and self._segments[-1].size < segment.SEGMENT_BYTES

    def _plan(self, view: memoryview) -> list[_Piece]:
        """Cut bytes into records and spread them over segments."""
        pieces: list[_Piece] = []
        offset, done = self.end, 0
        while done < len(view):
            if self._has_room() and not pieces:
                target, new = self._segments[-1], False
            else:
                target, new = Segment(self._directory / f"{offset:016x}", offset, offset), True
            place, buffers, records = target.size, list[Buffer](), list[tuple[int, int]]()
            while done < len(view) and place < segment.SEGMENT_BYTES:
                body = view[done : done + segment.RECORD_BYTES]
                record = segment.encode(offset, body)
                records.append((offset, place))
                buffers += record
                place += len(record[0]) + len(body)
                offset, done = offset + len(body), done + len(body)
            pieces.append(_Piece(target, new, target.size, buffers, records, offset, place))
        return pieces

    def _write(self, pieces: list[_Piece]) -> None:
        """Write all of it or none. Raises OSError."""
        self._undo()
        try:
            previous = self._segments[-1] if self._segments else None
            for piece in pieces:
                if piece.new:
                    for directory in (self._root, self._directory):
                        directory.mkdir(mode=files.DIRECTORY_MODE, exist_ok=True)
                    if previous is not None:
                        previous.sync()
                        filesystem.sync_directory(self._directory)
                    piece.segment.create()
                self._to_undo.append(piece)
                piece.segment.write(piece.place, piece.buffers)
                previous = piece.segment
        except OSError:
            with contextlib.suppress(OSError):
                # What cannot be undone now is undone before the next append. Until then there are bytes
                # in the files that nobody was told of, but in order.
                self._undo()
            raise
        self._to_undo.clear()

    def _undo(self) -> None:
        """Take back what failed, the latest first. Raises OSError."""
        while self._to_undo:
            piece = self._to_undo[-1]
            if piece.new:
                piece.segment.path.unlink(missing_ok=True)
            else:
                piece.segment.truncate(piece.place)
            self._to_undo.pop()

    def _written(self, pieces: list[_Piece]) -> None:
        for piece in pieces:
            target = piece.segment
            for record in piece.records:
                target.mark(*record)
            target.end, target.size = piece.end, piece.size
            if piece.new:
                self._segments.append(target)
                self._directory_unsynced = True
            self._unsynced[target.path] = target

    async def sync(self) -> None:
        """Return when everything is safe from a power failure. Raises StateError."""
        self._threads()
        await _in_turn(self._tidying, self._sync)

    async def _sync(self) -> None:
        sizes = [(one, one.size) for one in self._unsynced.values()]
        directory, self._directory_unsynced = self._directory_unsynced, False

        def carry_out() -> None:
            for one, _ in sizes:
                one.sync()
            if directory:
                filesystem.sync_directory(self._directory)
                filesystem.sync_directory(self._root)

        try:
            await self._call(carry_out, "write")
        except BaseException:
            self._directory_unsynced |= directory
            raise
        for one, size in sizes:
            if one.size == size:  # nothing was appended meanwhile
                self._unsynced.pop(one.path, None)

    async def discard(self, through: int) -> None:
        """Delete segments that are wholly below ``through``, but never the last one, which knows ``end``."""
        self._threads()
        if len(self._segments) > 1 and self._segments[1].start <= through:
            await _in_turn(self._tidying, lambda: self._discard(through))

    async def _discard(self, through: int) -> None:
        gone = [one for one, later in pairwise(self._segments) if later.start <= through]
        if not gone:
            return  # removed meanwhile
        first = self._segments[len(gone)]

        def carry_out() -> None:
            # Or a power failure might take the later file and leave the removal of the earlier one.
            first.sync()
            filesystem.sync_directory(self._directory)
            for one in gone:
                one.path.unlink(missing_ok=True)

        await self._call(carry_out, "remove")
        for one in gone:
            self._unsynced.pop(one.path, None)
        del self._segments[: len(gone)]

    def close(self) -> None:
        """Keep it for the next start. Nothing is open between two calls."""

    async def remove(self) -> None:
        """Delete it. Raises StateError."""
        self._threads()
        await _in_turn(self._tidying, lambda: _in_turn(self._appending, self._remove))

    async def _remove(self) -> None:
        paths = [one.path for one in self._segments]

        def carry_out() -> None:
            # The last one first: what a crash leaves is shorter, and goes at the next start.
            for path in reversed(paths):
                path.unlink(missing_ok=True)
            with contextlib.suppress(FileNotFoundError):
                self._directory.rmdir()

        await self._call(carry_out, "remove")
        self._segments.clear()
        self._unsynced.clear()
        self._directory_unsynced = False
        self._to_undo.clear()
        self._tail.clear()

    # --- reading ----------------------------------------------------------------------------------------

    async def read(self, offset: int, size: int) -> bytes:
        """At least one and at most ``size`` bytes from ``offset``.

        Raises:
            StateError: the disk's error; code ``damaged``: it does not have what was written.
            ValueError: ``offset`` is not within.
        """
        self._threads()
        if size < 1 or not self.start <= offset < self.end:
            raise ValueError(f"no {size} bytes from {offset}: there are {self.start} to {self.end}")
        if offset >= self.end - len(self._tail):
            first = offset - (self.end - len(self._tail))
            return bytes(self._tail[first : first + size])
        place = bisect_right(self._segments, offset, key=lambda one: one.start) - 1
        wanted = self._segments[place]
        near = offset >= self._appended_from and place >= len(self._segments) - 2
        try:
            if near and size <= NEAR_BYTES:
                return wanted.read(offset, size)
            return await self._call(lambda: wanted.read(offset, size), "read")
        except OSError as error:
            raise self._refusal(error, "read") from error
        except ValueError as error:
            raise StateError(
                f"The bytes of a stream in {wanted.path} are damaged: the disk does not give back what was "
                "written. The stream cannot go on; the others are safe. Check the disk.",
                path=str(wanted.path),
                code="damaged",
            ) from error

    # --- the thread -------------------------------------------------------------------------------------

    async def _call(self, work: Callable[[], _T], action: str) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads(), work)
        except OSError as error:
            raise self._refusal(error, action) from error

    def _refusal(self, error: OSError, action: str) -> StateError:
        return files.state_error(error, self._directory, f"{action} a stream's bytes in")


async def _in_turn(lock: asyncio.Lock, work: Callable[[], Awaitable[None]]) -> None:
    """Do one thing after the other, and to its end even if the caller is cancelled."""

    async def carry_out() -> None:
        async with lock:
            await work()

    await asyncio.shield(asyncio.ensure_future(carry_out()))


def _name(peer_id: PeerId, stream_id: int) -> str:
    return f"{peer_id}-{stream_id:016x}"


def remove_spools(directory: Path, peer_id: PeerId) -> None:
    """Remove all spools of a contact. Raises OSError."""
    for path in directory.glob(f"{peer_id}-*"):
        shutil.rmtree(path)


def remove_strays(directory: Path, wanted: set[tuple[PeerId, int]]) -> None:
    """Remove spools of streams that nobody remembers. Raises OSError."""
    names = {_name(peer_id, stream_id) for peer_id, stream_id in wanted}
    try:
        strays = [path for path in directory.iterdir() if path.name not in names]
    except FileNotFoundError:
        return
    for path in strays:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
