"""Handing events to the application."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import ref

from p4.core import limits
from p4.core.identity import PeerId
from p4.node.events import LinkDown, LinkUp, NodeEvent

__all__ = ["EventHub", "EventStream"]

_Kind = tuple[type[NodeEvent], PeerId | None]


class EventStream:
    """An endless iterator over a node's events; ends when the node closes. One that is not used any more may
    just be dropped.

    A reader may be as slow as it likes. At most ``limits.WAITING_EVENTS`` events of a kind wait (for each
    contact); then the oldest are left out: a pair of a contact's `LinkUp` and `LinkDown`, one of any other
    kind. What remains last is what is so now.
    """

    def __init__(self, hub: EventHub) -> None:
        self._hub = hub
        self._waiting: OrderedDict[int, NodeEvent] = OrderedDict()
        self._kinds: defaultdict[_Kind, deque[int]] = defaultdict(deque)
        self._count = 0
        self._changed = asyncio.Event()
        self._ended = False

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> NodeEvent:
        while not self._waiting:
            if self._ended:
                raise StopAsyncIteration
            self._changed.clear()
            with self._hub.waiting(self):
                await self._changed.wait()
        _, event = self._waiting.popitem(last=False)
        kind = _kind(event)
        self._kinds[kind].popleft()  # the oldest of all is the oldest of its kind
        if not self._kinds[kind]:
            del self._kinds[kind]
        return event

    async def aclose(self) -> None:
        """Receive no more events."""
        self._hub.leave(self)
        self._end()

    def _put(self, event: NodeEvent) -> None:
        self._count += 1
        self._waiting[self._count] = event
        self._changed.set()
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
    """Every event to every stream."""

    def __init__(self) -> None:
        # Weak: the stream of an abandoned `async for` must not collect events for ever.
        self._streams: list[ref[EventStream]] = []
        self._waiting: dict[EventStream, int] = {}
        self._closed = False

    def open(self) -> EventStream:
        """A stream of all events from now on."""
        stream = EventStream(self)
        if self._closed:
            stream._end()  # noqa: SLF001 - the two classes are one mechanism
        else:
            self._streams.append(ref(stream))
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
            stream._put(event)  # noqa: SLF001 - as above

    def close(self) -> None:
        """End every stream after what it has been sent."""
        self._closed = True
        for stream in self._open_streams():
            stream._end()  # noqa: SLF001 - as above
        self._streams.clear()

    def _open_streams(self) -> list[EventStream]:
        streams = [stream for known in self._streams if (stream := known()) is not None]
        if len(streams) < len(self._streams):
            self._streams = [ref(stream) for stream in streams]
        return streams


def _kind(event: NodeEvent) -> _Kind:
    match event:
        case LinkUp(peer_id) | LinkDown(peer_id):
            return LinkUp, peer_id
        case _:
            return type(event), None
