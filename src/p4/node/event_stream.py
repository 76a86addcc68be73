"""Handing events to the application, and received texts in a way that survives a crash."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from p4.core import limits
from p4.node.events import NodeEvent, TextReceived
from p4.ports import InboxMessage

__all__ = ["EventHub", "EventStream"]


class EventStream:
    """An endless iterator over a node's events; ends when the node closes.

    A `TextReceived` counts as taken when the application asks for the event after it. If the process
    dies before that, the text comes again after the next start.
    """

    def __init__(self, hub: EventHub) -> None:
        self._hub = hub
        self._queue: asyncio.Queue[tuple[NodeEvent, InboxMessage | None] | None] = asyncio.Queue()
        self._taken: InboxMessage | None = None
        self._ended = False

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> NodeEvent:
        if self._taken is not None:
            taken, self._taken = self._taken, None
            self._hub.consumed(taken)
        item = None if self._ended and self._queue.empty() else await self._queue.get()
        if item is None:
            self._ended = True
            raise StopAsyncIteration
        event, self._taken = item
        return event

    async def aclose(self) -> None:
        """Receive no more events."""
        self._hub.leave(self)
        self._end()

    def _put(self, event: NodeEvent, message: InboxMessage | None) -> None:
        self._queue.put_nowait((event, message))

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._queue.put_nowait(None)


class EventHub:
    """Every event to every stream; texts wait for the first stream if there is none.

    Args:
        consume: told that the application has taken a text.
    """

    def __init__(self, consume: Callable[[InboxMessage], None]) -> None:
        self._consume = consume
        self._streams: list[EventStream] = []
        self._unclaimed: deque[InboxMessage] = deque()
        self._pending: set[tuple[str, bytes, int]] = set()
        self._closed = False
        self._room = asyncio.Event()
        self._room.set()

    async def room(self) -> None:
        """Wait until the application has taken enough texts for more to be received."""
        await self._room.wait()

    def open(self) -> EventStream:
        """A stream of all events from now on, and of the texts that nobody has taken yet."""
        stream = EventStream(self)
        if self._closed:
            stream._end()  # noqa: SLF001 - the two classes are one mechanism
            return stream
        self._streams.append(stream)
        while self._unclaimed:
            self._put_text(stream, self._unclaimed.popleft())
        return stream

    def leave(self, stream: EventStream) -> None:
        """Send no more events to this stream."""
        if stream in self._streams:
            self._streams.remove(stream)

    def emit(self, event: NodeEvent) -> None:
        """Send an event to every stream."""
        for stream in self._streams:
            stream._put(event, None)  # noqa: SLF001 - as above

    def text(self, message: InboxMessage) -> None:
        """Send a received text, which is on disk, to every stream, or keep it for the first."""
        self._pending.add(_key(message))
        if len(self._pending) >= limits.INBOX_UNCONSUMED:
            self._room.clear()
        if not self._streams:
            self._unclaimed.append(message)
        for stream in self._streams:
            self._put_text(stream, message)

    def consumed(self, message: InboxMessage) -> None:
        """The application has taken a text."""
        if _key(message) in self._pending:
            self._pending.discard(_key(message))
            if len(self._pending) <= limits.INBOX_UNCONSUMED // 2:
                self._room.set()
            self._consume(message)

    def close(self) -> None:
        """End every stream after what it has been sent."""
        self._closed = True
        for stream in self._streams:
            stream._end()  # noqa: SLF001 - as above
        self._streams.clear()

    @staticmethod
    def _put_text(stream: EventStream, message: InboxMessage) -> None:
        event = TextReceived(message.peer_id, message.text, message.received_ms)
        stream._put(event, message)  # noqa: SLF001 - as above


def _key(message: InboxMessage) -> tuple[str, bytes, int]:
    return message.peer_id, message.epoch, message.number
