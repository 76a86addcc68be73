"""What streams that end with the process keep, in memory alone."""

from __future__ import annotations

from bisect import bisect_right

from p4.core import limits
from p4.core.identity import PeerId
from p4.core.session.streams.record import StreamRecord
from p4.node.streams.recent import Allowance

__all__ = ["VolatileSpool", "VolatileStore"]

_CHUNK_BYTES = 64 * 1024
"""Small appends come together in chunks of about this much."""


class VolatileSpool:
    """Implements `p4.ports.Spool`, but that nothing of it survives the end of the process.

    Args:
        allowance: shared with other streams.
    """

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._chunks: list[bytearray] = []
        self._starts: list[int] = []
        """Offsets of the first bytes of the chunks."""
        self._end = 0

    @property
    def start(self) -> int:
        """Offset of the oldest byte that is still here."""
        return self._starts[0] if self._starts else self._end

    @property
    def end(self) -> int:
        """Offset after the newest byte."""
        return self._end

    def add(self, data: bytes | memoryview) -> None:
        """Add bytes at ``end``."""
        if not self._chunks or len(self._chunks[-1]) + len(data) > _CHUNK_BYTES:
            self._chunks.append(bytearray())
            self._starts.append(self._end)
        self._chunks[-1] += data
        self._end += len(data)
        self._allowance.left -= len(data)

    async def append(self, data: bytes | bytearray | memoryview) -> None:
        """See `add`."""
        self.add(memoryview(data))

    async def read(self, offset: int, size: int) -> bytes:
        """At least one and at most ``size`` bytes from ``offset``, which lies within."""
        number = bisect_right(self._starts, offset) - 1
        first = offset - self._starts[number]
        return bytes(self._chunks[number][first : first + size])

    async def discard(self, through: int) -> None:
        """Bytes below ``through`` are not needed any more."""
        # The newest chunk stays: more is added to it.
        count = min(bisect_right(self._starts, through) - 1, len(self._chunks) - 1)
        if count > 0:
            self._drop(count)

    async def sync(self) -> None:
        """There is nothing to bring to the disk."""

    def close(self) -> None:
        """Nothing is kept."""
        self._drop(len(self._chunks))

    async def remove(self) -> None:
        """Delete it."""
        self.close()

    def _drop(self, count: int) -> None:
        self._allowance.left += sum(map(len, self._chunks[:count]))
        del self._chunks[:count], self._starts[:count]


class VolatileStore:
    """The part of `p4.ports.Store` that the streams with a contact need, and memory for all of them."""

    def __init__(self) -> None:
        self._allowance = Allowance(limits.CONTACT_VOLATILE_BYTES)

    def room(self, unconfirmed: int) -> int:
        """How many bytes more may be written to a stream of which so many are not confirmed.

        However much the others hold, each has room for a little: so it goes on when that is confirmed.
        """
        least = limits.STREAM_VOLATILE_LEAST_BYTES - unconfirmed
        return min(limits.STREAM_VOLATILE_BYTES - unconfirmed, max(self._allowance.left, least))

    def spool(self, peer_id: PeerId, stream_id: int) -> VolatileSpool:
        """Bytes of a new stream."""
        return VolatileSpool(self._allowance)

    async def save_stream(self, peer_id: PeerId, record: StreamRecord) -> None:
        """Its driver has the record."""

    async def forget_stream(self, peer_id: PeerId, stream_id: int) -> None:
        """See `save_stream`."""
