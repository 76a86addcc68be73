"""Bytes that arrive in any order, and are taken in one."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

from p4.core import limits
from p4.errors import FrameError

__all__ = ["Reassembly"]

_SMALL = 4096
"""Shorter pieces are joined: each Python object costs memory besides its bytes."""


class _Run:
    """A stretch without holes, in pieces."""

    __slots__ = ("end", "pieces", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.end = start
        self.pieces: deque[bytes | bytearray] = deque()

    def append(self, data: bytes | bytearray) -> None:
        self.end += len(data)
        if len(data) < _SMALL and self.pieces:
            last = self.pieces[-1]
            if len(last) < _SMALL:
                if isinstance(last, bytes):
                    last = self.pieces[-1] = bytearray(last)
                last += data
                return
        self.pieces.append(data)

    def join(self, following: _Run) -> None:
        """Take over what follows without a hole."""
        self.pieces.extend(following.pieces)
        self.end = following.end


class Reassembly:
    """Bytes from ``position`` on, each kept once. Whoever uses it bounds how far they may reach."""

    __slots__ = ("_ahead", "_ready", "_used", "position")

    def __init__(self, position: int) -> None:
        self.position = position
        """Offset of the next byte that `take` gives."""
        self._ready = _Run(position)
        self._used = 0
        """Bytes of the first ready piece that were taken."""
        self._ahead: list[_Run] = []
        """Beyond a hole; by ascending start, none touching another."""

    @property
    def contiguous(self) -> int:
        """Offset after the last byte that can be taken."""
        return self._ready.end

    @property
    def highest(self) -> int:
        """Offset after the last byte of all."""
        return self._ahead[-1].end if self._ahead else self._ready.end

    @property
    def held(self) -> int:
        """Bytes that were not taken."""
        return self._ready.end - self.position + sum(run.end - run.start for run in self._ahead)

    def add(self, offset: int, data: bytes) -> None:
        """Keep what is new of these bytes.

        Raises:
            FrameError: ``scattered``: more than ``limits.STREAM_GAPS`` holes.
        """
        ready = self._ready
        if offset == ready.end and not self._ahead:
            ready.append(data)
            return
        end = offset + len(data)
        if offset <= ready.end:
            if end > ready.end:
                ready.append(data[ready.end - offset :])
                self._absorb()
            return
        self._add_ahead(offset, data)

    def take(self, most: int) -> bytes:
        """The next bytes, as many as come in one piece, at most so many; none if there are none."""
        pieces = self._ready.pieces
        if not pieces or most <= 0:
            return b""
        piece, used = pieces[0], self._used
        size = min(len(piece) - used, most)
        if used + size == len(piece):
            pieces.popleft()
            self._used = 0
        else:
            self._used = used + size
        self.position += size
        if size == len(piece):
            return bytes(piece)  # no copy of bytes
        return bytes(memoryview(piece)[used : used + size])

    def drop(self) -> None:
        """Forget everything that was not taken."""
        self._ready = _Run(self.position)
        self._used = 0
        self._ahead.clear()

    def skip(self) -> None:
        """Take everything that can be taken, unseen."""
        self.position = self._ready.end
        self._ready.pieces.clear()
        self._used = 0

    def _add_ahead(self, offset: int, data: bytes) -> None:
        """Keep the parts that fall into holes between the runs ahead."""
        runs, end = self._ahead, offset + len(data)
        index = bisect_right(runs, offset, key=lambda run: run.start) - 1
        at = offset
        while at < end:
            previous = runs[index] if index >= 0 else None
            if previous is not None and previous.end > at:
                at = min(previous.end, end)
                continue
            following = runs[index + 1] if index + 1 < len(runs) else None
            upto = end if following is None else min(end, following.start)
            if upto > at:
                if previous is None or previous.end < at:
                    if len(runs) >= limits.STREAM_GAPS:
                        raise FrameError("The bytes of a stream arrive in too many pieces.", code="scattered")
                    previous = _Run(at)
                    index += 1
                    runs.insert(index, previous)
                previous.append(data[at - offset : upto - offset])
            if following is not None and previous is not None and previous.end == following.start:
                previous.join(following)
                runs.remove(following)
            at = max(at, upto)

    def _absorb(self) -> None:
        ready, ahead = self._ready, self._ahead
        done = 0
        for run in ahead:
            if run.start > ready.end:
                break
            done += 1
            if run.start == ready.end:
                ready.join(run)
            elif run.end > ready.end:
                rest = b"".join(run.pieces)[ready.end - run.start :]
                ready.append(rest)
        del ahead[:done]
