"""A stream that a program uses through the API: what it has not consumed is kept for its next connection."""

from __future__ import annotations

import asyncio

from p4.core import limits
from p4.errors import InputError
from p4.node.streams import Stream

__all__ = ["HeldStream"]


class HeldStream:
    """A stream, and the bytes that were sent to a program and not consumed.

    The node gives each byte once in a run. A program's connection may break before it has consumed what it
    got; the next one gets the same bytes again, as after a restart.
    """

    def __init__(self, stream: Stream) -> None:
        stream.consume_explicitly = True
        self.stream = stream
        self._kept = bytearray()
        self._begin = stream.position
        """Offset of the first byte that is kept."""
        self._given = stream.position
        """Offset behind the last byte that the present connection was given."""
        self._room = asyncio.Event()
        self.using = asyncio.Lock()
        """Held by the one connection that uses the stream."""
        self._leave: asyncio.Event | None = None

    @property
    def position(self) -> int:
        """Offset of the first byte that the program has not consumed."""
        return self._begin

    def claim(self) -> asyncio.Event:
        """A connection wants to use the stream, and the one before gives it up.

        Returns:
            Set when a newer connection wants it.
        """
        if self._leave is not None:
            self._leave.set()
        self._leave = asyncio.Event()
        return self._leave

    async def read(self, offset: int) -> bytes:
        """Bytes from an offset on, not before `position`; empty at the end of the contact's direction.

        Waits for bytes, and while as many are not consumed as may be. A cancelled wait loses nothing.

        Raises:
            StreamError: the stream ended before its end.
        """
        if kept := self._kept[offset - self._begin : offset - self._begin + limits.LINK_MESSAGE_BYTES]:
            self._given = offset + len(kept)
            return bytes(kept)
        while len(self._kept) >= limits.API_UNCONSUMED_BYTES:
            self._room.clear()
            await self._room.wait()
        data = await self.stream.read()
        self._kept += data
        self._given = offset + len(data)
        return data

    def forget(self, through: int) -> None:
        """The program will not need what comes before an offset. Raises InputError ``bad-offset``."""
        # What is kept of an earlier connection counts only when it was given to this one, too: `read` goes on
        # where that got to.
        if not self._begin <= through <= self._given:
            raise InputError(
                f"The program was given bytes {self._begin} to {self._given}, so it cannot have "
                f"consumed up to {through}. Nothing was done.",
                code="bad-offset",
            )
        del self._kept[: through - self._begin]
        self._begin = through
        self._room.set()
