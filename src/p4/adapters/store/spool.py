"""Bytes of streams that wait to be sent or confirmed, in files of about 4 MiB beside the database.

    streams/CONTACT-STREAM/OFFSET    ids in hex; the offset of the first byte in the file, in hex, too

Segments are brought to the medium when somebody is to be told so (`sync`), before older ones are removed, and
in any case while only a few are not there yet: those few are read when a spool is opened, because a power
failure may have taken something of each. What a contact consumes quickly is removed before that, and never
costs a write to the medium. The oldest segment always is there, so that what is left has a beginning.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import time
from bisect import bisect_right
from collections.abc import Callable
from concurrent.futures import Executor
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from p4.adapters.store import files, filesystem, segment
from p4.adapters.store.segment import Piece, Segment
from p4.adapters.store.spools import in_turn, spool_name
from p4.core.identity import PeerId
from p4.errors import StateError

__all__ = ["FileSpool"]

_T = TypeVar("_T")

_SEGMENT_NAME = re.compile("[0-9a-f]{16}")

SMALL_BYTES = 4096
"""Up to this much is kept in memory, too."""

INLINE_BYTES = 256 * 1024
"""Up to this much is written in the thread of the caller: a copy into the page cache takes less time than a
thread's turn."""

STALL_SECONDS = 0.02
"""A write in the thread of the caller that takes longer is the last one there until a new segment begins:
the disk does not keep up, and whatever else the caller has to do would wait for it."""

TAIL_BYTES = 64 * 1024
"""Newest bytes of small appends, kept in memory: they are usually read next, and a file of tiny records is
slow to search."""

NEAR_BYTES = 128 * 1024
"""Up to this much is read in the thread of the caller if it was written a short while ago."""


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
        self._directory = directory / spool_name(peer_id, stream_id)
        self._threads = threads
        self._appending = asyncio.Lock()
        self._tidying = asyncio.Lock()
        """Apart, so that what a person types does not wait for a disk that syncs."""
        self._unsynced: dict[Path, Segment] = {}
        self._directory_unsynced = False
        self._to_undo: list[Piece] = []
        self._tail = bytearray()
        self._stalled = False
        """Whether a write kept the caller's thread waiting since the last segment was begun."""
        self._begun_at = 0.0
        """When the last segment was begun, in monotonic seconds."""
        self._needed_from = 0
        self._removal: asyncio.TimerHandle | None = None
        self._removing: asyncio.Task[None] | None = None
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
        segments, lost = segment.believed(segments, segment.DOUBTFUL_SEGMENTS)
        for one in reversed(lost):
            one.path.unlink()
        for last in segments[-1:]:
            if last.path.stat().st_size != last.size:
                last.truncate(last.size)
            # Whether the run before brought it, and a few before it, to the medium is not known.
            self._unsynced = {one.path: one for one in segments[-segment.DOUBTFUL_SEGMENTS :]}
            self._directory_unsynced = True
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
        small = len(view) <= SMALL_BYTES
        here = small or (len(view) <= INLINE_BYTES and not self._stalled)
        if here and self._has_room() and not self._appending.locked():
            try:
                self._append_here(view)
            except OSError as error:
                raise self._refusal(error, "write") from error
            if not small:
                self._tail.clear()
                return
            self._tail += view
            if len(self._tail) > TAIL_BYTES:
                del self._tail[: TAIL_BYTES // 2]
        else:
            # A copy of what can change: a caller that is cancelled may use its bytes again, and they are
            # still to be written.
            mine = view if isinstance(view.obj, bytes) else memoryview(bytes(view))
            await in_turn(self._appending, lambda: self._append(mine))

    def _append_here(self, view: memoryview) -> None:
        """Add records to the last segment, whatever its size is then. Raises OSError."""
        self._undo()
        last = self._segments[-1]
        piece, _ = segment.cut(view, last, last.end, new=False, limit=sys.maxsize)
        began = time.monotonic()
        try:
            last.write(piece.place, piece.buffers)
        except OSError:
            self._to_undo.append(piece)
            with contextlib.suppress(OSError):
                self._undo()  # or before the next append, as in `_write`
            raise
        self._stalled = self._stalled or time.monotonic() - began > STALL_SECONDS
        self._written([piece])

    async def _append(self, view: memoryview) -> None:
        last = self._segments[-1] if self._has_room() else None
        pieces = segment.plan(view, last, self._directory, self.end)
        overdue = self._overdue() if pieces[-1].new else []
        await self._call(lambda: self._write(pieces, overdue), "write")
        if pieces[-1].new:
            self._stalled = False
            self._begun_at = time.monotonic()
        for one in overdue:
            self._unsynced.pop(one.path, None)
        self._written(pieces)
        self._tail.clear()

    def _overdue(self) -> list[Segment]:
        """Complete segments that have to be brought to the medium before a new one is begun."""
        waiting = list(self._unsynced.values())
        needed = sum(one.end > self._needed_from for one in waiting)
        slow = time.monotonic() - self._begun_at > segment.REMOVED_SECONDS
        if slow or needed > segment.UNSYNCED_SEGMENTS or len(waiting) >= segment.DOUBTFUL_SEGMENTS:
            return waiting
        return [oldest for oldest in self._segments[:1] if oldest.path in self._unsynced]

    def _has_room(self) -> bool:
        """Whether the last segment takes more, so that none has to be brought to the medium first."""
        return bool(self._segments) and self._segments[-1].size < segment.SEGMENT_BYTES

    def _write(self, pieces: list[Piece], overdue: list[Segment]) -> None:
        """Write all of it or none. Raises OSError."""
        self._undo()
        try:
            for one in overdue:
                with contextlib.suppress(FileNotFoundError):  # needed no more, and removed meanwhile
                    one.sync()
            if overdue:
                filesystem.sync_directory(self._directory)
            for number, piece in enumerate(pieces):
                if piece.new:
                    for directory in (self._root, self._directory):
                        directory.mkdir(mode=files.DIRECTORY_MODE, exist_ok=True)
                    if number:
                        pieces[number - 1].segment.sync()
                        filesystem.sync_directory(self._directory)
                    piece.segment.create()
                self._to_undo.append(piece)
                piece.segment.write(piece.place, piece.buffers)
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

    def _written(self, pieces: list[Piece]) -> None:
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
        await in_turn(self._tidying, self._sync)

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
        """Delete segments that are wholly below ``through``, but never the last one, which knows ``end``.

        Some may stay for ``REMOVED_SECONDS``.
        """
        self._threads()
        self._needed_from = max(self._needed_from, through)
        gone = self._needless()
        if not gone:
            return
        if self._segments[len(gone)].path in self._unsynced and len(gone) < segment.REMOVED_SEGMENTS:
            if self._removal is None:
                loop = asyncio.get_running_loop()
                self._removal = loop.call_later(segment.REMOVED_SECONDS, self._remove_later)
        else:
            await in_turn(self._tidying, self._discard)

    def _needless(self) -> list[Segment]:
        return [one for one, later in pairwise(self._segments) if later.start <= self._needed_from]

    def _remove_later(self) -> None:
        self._removal = None
        self._removing = asyncio.get_running_loop().create_task(self._discard_late())

    async def _discard_late(self) -> None:
        with contextlib.suppress(
            StateError
        ):  # the disk refuses, or the store was closed: the next one does it
            await in_turn(self._tidying, self._discard)

    async def _discard(self) -> None:
        gone = self._needless()
        if not gone:
            return  # removed meanwhile
        first = self._segments[len(gone)]
        unsynced = first.path in self._unsynced

        def carry_out() -> None:
            if unsynced:
                # Or a power failure might take the later file and leave the removal of the earlier one.
                first.sync()
                filesystem.sync_directory(self._directory)
            for one in gone:
                one.path.unlink(missing_ok=True)

        size = first.size
        await self._call(carry_out, "remove")
        for one in gone:
            self._unsynced.pop(one.path, None)
        if first.size == size:  # nothing was appended meanwhile
            self._unsynced.pop(first.path, None)
        # Files that are removed and were never on the medium must not come back empty before those that are.
        self._directory_unsynced = True
        del self._segments[: len(gone)]

    def close(self) -> None:
        """Keep it for the next start. Nothing is open between two calls."""
        if self._removal is not None:
            self._removal.cancel()
            self._removal = None

    async def remove(self) -> None:
        """Delete it. Raises StateError."""
        self._threads()
        self.close()
        await in_turn(self._tidying, lambda: in_turn(self._appending, self._remove))

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
