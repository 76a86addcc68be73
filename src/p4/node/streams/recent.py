"""Bytes that were written a moment ago and need not be read back from the disk to be sent."""

from __future__ import annotations

from collections import deque

from p4.core import limits

__all__ = ["Allowance", "RecentBytes"]


class Allowance:
    """Memory that the streams of a contact share. Bytes."""

    __slots__ = ("left",)

    def __init__(self, total: int = limits.STREAM_RECENT_BYTES[1]) -> None:
        self.left = total


class RecentBytes:
    """Some stretches of what was written, by ascending offset; there may be holes between them.

    Args:
        allowance: shared with other streams.
    """

    __slots__ = ("_allowance", "_held", "_pieces")

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._held = 0
        self._pieces: deque[tuple[int, bytes | memoryview]] = deque()

    def add(self, offset: int, data: bytes | memoryview) -> None:
        """Keep what was just written, if memory allows."""
        size = len(data)
        if self._held + size <= limits.STREAM_RECENT_BYTES[0] and size <= self._allowance.left:
            self._count(size)
            self._pieces.append((offset, data))

    def put_back(self, offset: int, data: bytes) -> None:
        """Keep what was read from the disk because it is to be sent next."""
        self._count(len(data))
        self._pieces.appendleft((offset, data))

    def at(self, offset: int, most: int) -> list[memoryview]:
        """Up to so many bytes from an offset, in parts; none if they are not here.

        What lies before is dropped.
        """
        pieces = self._pieces
        while pieces and pieces[0][0] + len(pieces[0][1]) <= offset:
            self._count(-len(pieces.popleft()[1]))
        parts: list[memoryview] = []
        for start, data in pieces:
            if start > offset:
                break
            part = memoryview(data)[offset - start : offset - start + most]
            parts.append(part)
            offset += len(part)
            most -= len(part)
            if not most:
                break
        return parts

    def gap(self, offset: int) -> int:
        """Bytes from an offset that are not here, up to ``limits.STREAM_FETCH_BYTES``."""
        if not self._pieces:
            return limits.STREAM_FETCH_BYTES
        return min(self._pieces[0][0] - offset, limits.STREAM_FETCH_BYTES)

    def clear(self) -> None:
        """Keep nothing."""
        self._count(-self._held)
        self._pieces.clear()

    def _count(self, size: int) -> None:
        self._held += size
        self._allowance.left -= size
