"""Handing events to the application, and received texts in a way that survives a crash."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import ref

from p4.core import limits
from p4.core.identity import PeerId
from p4.node.events import LinkDown, LinkUp, NodeEvent, TextDelivered, TextReceived
from p4.ports import InboxMessage

__all__ = ["EventHub", "EventStream"]

_Kind = tuple[type[NodeEvent], PeerId | None]


class EventStream:
    """An endless iterator over a node's events; ends when the node closes.

    A `TextReceived` counts as taken when the application asks for the event after it. If the process
    dies before that, the text comes again after the next start; if the stream is left before that, the
    next stream gets it. A stream that is no longer used may just be dropped.

    A reader may be as slow as it likes and loses no text. Of other events at most
    ``limits.WAITING_EVENTS`` of a kind wait (for each contact); then the oldest are left out: a pair of a
    contact's `LinkUp` and `LinkDown`, one of any other kind. What remains last is what is so now.
    """

    def __init__(self, hub: EventHub) -> None:
        self._hub = hub
        self._waiting: OrderedDict[int, tuple[NodeEvent, InboxMessage | None]] = OrderedDict()
        self._kinds: defaultdict[_Kind, deque[int]] = defaultdict(deque)
        self._count = 0
        self._changed = asyncio.Event()
        self._taken: InboxMessage | None = None
        self._ended = False

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> NodeEvent:
        if self._taken is not None:
            taken, self._taken = self._taken, None
            self._hub.consumed(taken)
        while not self._waiting:
            if self._ended:
                raise StopAsyncIteration
            self._changed.clear()
            with self._hub.waiting(self):
                await self._changed.wait()
        _, (event, self._taken) = self._waiting.popitem(last=False)
        if self._taken is None:
            kind = _kind(event)
            self._kinds[kind].popleft()  # the oldest of all is the oldest of its kind
            if not self._kinds[kind]:
                del self._kinds[kind]
        return event

    async def aclose(self) -> None:
        """Receive no more events."""
        self._hub.leave(self)
        self._end()

    def _put(self, event: NodeEvent, message: InboxMessage | None) -> None:
        self._count += 1
        self._waiting[self._count] = event, message
        self._changed.set()
        if message is None:
            kind = self._kinds[_kind(event)]
            kind.append(self._count)
            if len(kind) > limits.WAITING_EVENTS:
                # Up and down take turns, and shall do so without those that are left out.
                for _ in range(2 if isinstance(event, LinkUp | LinkDown) else 1):
                    del self._waiting[kind.popleft()]

    def _end(self) -> None:
        self._ended = True
        self._changed.set()


class EventHub:
    """Every event to every stream; texts that were not taken also to streams opened later.

    Args:
        consume: told that the application has taken a text.
    """

    def __init__(self, consume: Callable[[InboxMessage], None]) -> None:
        self._consume = consume
        # Weak: the stream of an abandoned `async for` must not collect events for ever.
        self._streams: list[ref[EventStream]] = []
        self._waiting: dict[EventStream, int] = {}
        self._pending: dict[tuple[str, bytes, int], InboxMessage] = {}
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
        self._streams.append(ref(stream))
        for message in self._pending.values():
            self._put_text(stream, message)
        return stream

    @contextmanager
    def waiting(self, stream: EventStream) -> Iterator[None]:
        """Keep a stream alive while its reader waits: an unreferenced task would vanish with it."""
        self._waiting[stream] = self._waiting.get(stream, 0) + 1
        try:
            yield
        finally:
            self._waiting[stream] -= 1
            if not self._waiting[stream]:
                del self._waiting[stream]

    def leave(self, stream: EventStream) -> None:
        """Send no more events to this stream."""
        self._streams = [known for known in self._streams if known() not in (stream, None)]

    def emit(self, event: NodeEvent) -> None:
        """Send an event to every stream."""
        for stream in self._open_streams():
            stream._put(event, None)  # noqa: SLF001 - as above

    def text(self, message: InboxMessage) -> None:
        """Send a received text, which is on disk, to every stream, and keep it until it is taken."""
        self._pending[_key(message)] = message
        if len(self._pending) >= limits.INBOX_UNCONSUMED:
            self._room.clear()
        for stream in self._open_streams():
            self._put_text(stream, message)

    def consumed(self, message: InboxMessage) -> None:
        """The application has taken a text."""
        if self._pending.pop(_key(message), None) is not None:
            self._make_room()
            self._consume(message)

    def forget(self, peer_id: PeerId) -> None:
        """The contact was removed, and its texts with it."""
        for key in [key for key in self._pending if key[0] == peer_id]:
            del self._pending[key]
        self._make_room()

    def close(self) -> None:
        """End every stream after what it has been sent."""
        self._closed = True
        for stream in self._open_streams():
            stream._end()  # noqa: SLF001 - as above
        self._streams.clear()

    def _make_room(self) -> None:
        if len(self._pending) <= limits.INBOX_UNCONSUMED // 2:
            self._room.set()

    def _open_streams(self) -> list[EventStream]:
        streams = [stream for known in self._streams if (stream := known()) is not None]
        if len(streams) < len(self._streams):
            self._streams = [ref(stream) for stream in streams]
        return streams

    @staticmethod
    def _put_text(stream: EventStream, message: InboxMessage) -> None:
        event = TextReceived(message.peer_id, message.text, message.received_ms)
        stream._put(event, message)  # noqa: SLF001 - as above


def _key(message: InboxMessage) -> tuple[str, bytes, int]:
    return message.peer_id, message.epoch, message.number


def _kind(event: NodeEvent) -> _Kind:
    match event:
        case LinkUp(peer_id) | LinkDown(peer_id):
            return LinkUp, peer_id
        case TextDelivered(peer_id):
            return TextDelivered, peer_id
        case _:
            return type(event), None
