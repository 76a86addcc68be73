"""A stream of a node in this process, as a pipe uses it."""

from __future__ import annotations

from p4.node.streams import Stream

__all__ = ["NodeStream"]


class NodeStream:
    """See `p4.apps.pipe.pipe.PipeStream`."""

    def __init__(self, stream: Stream) -> None:
        stream.consume_explicitly = True
        self._stream = stream
        self._ended = False

    @property
    def id(self) -> int:
        """See `Stream.id`."""
        return self._stream.id

    @property
    def written(self) -> int:
        """See `Stream.written`."""
        return self._stream.written

    @property
    def stored(self) -> int:
        """What `Stream.write` accepted survives this program."""
        return self._stream.written

    @property
    def confirmed(self) -> int:
        """See `Stream.confirmed`."""
        return self._stream.confirmed

    @property
    def position(self) -> int:
        """See `Stream.position`."""
        return self._stream.position

    @property
    def writing_ended(self) -> bool:
        """See `Stream.writing_closed`."""
        return self._stream.writing_closed

    async def write(self, data: bytes) -> None:
        """See `Stream.write`."""
        await self._stream.write(data)

    async def close_writing(self) -> None:
        """See `Stream.close_writing`."""
        await self._stream.close_writing()

    async def read(self) -> bytes:
        """See `Stream.read`."""
        data = await self._stream.read()
        self._ended = not data
        return data

    async def consumed(self, *, knows_end: bool = True) -> None:
        """See `Stream.consumed`."""
        await self._stream.consumed(knows_end=knows_end and self._ended)

    async def reset(self, reason: str = "") -> None:
        """See `Stream.reset`."""
        await self._stream.reset(reason)

    async def wait_confirmed(self, through: int) -> None:
        """See `Stream.wait_confirmed`."""
        await self._stream.wait_confirmed(through)

    async def wait_done(self) -> None:
        """See `Stream.wait_done`."""
        await self._stream.wait_done()
