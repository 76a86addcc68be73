"""Streams that wait for an application of ours, of all contacts together."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial

from p4.core.identity import PeerId
from p4.core.session.streams.windows import WindowBudget
from p4.node.streams.stream import Stream

__all__ = ["IncomingStreams", "StreamServices"]

_Key = tuple[PeerId, int]
_Take = Callable[[bool], Awaitable[Stream | None]]


class StreamServices:
    """By service: the streams that contacts opened and nobody here has taken yet."""

    def __init__(self) -> None:
        self.budget = WindowBudget()
        """Memory for reading, shared by all streams of the node."""
        self._waiting: dict[str, OrderedDict[_Key, _Take]] = {}
        self._changed: dict[str, asyncio.Event] = {}
        self._closed = False

    def incoming(self, service: str, *, durable: bool = True) -> IncomingStreams:
        """The streams of a service as they come."""
        return IncomingStreams(self, service, durable)

    def offer(self, service: str, key: _Key, take: _Take, *, first: bool = False) -> None:
        """A stream waits.

        Args:
            take: accepts it, to be kept on disk or not; gives None if that was not possible.
            first: before all others, since it has been waiting longer.
        """
        waiting = self._waiting.setdefault(service, OrderedDict())
        waiting[key] = take
        if first:
            waiting.move_to_end(key, last=False)
        if service in self._changed:
            self._changed[service].set()

    def withdraw(self, service: str, key: _Key) -> None:
        """A stream does not wait any more."""
        waiting = self._waiting.get(service)
        if waiting is not None:
            waiting.pop(key, None)
            if not waiting:
                del self._waiting[service]

    async def next(self, service: str) -> tuple[_Key, _Take] | None:
        """The stream that has waited longest; None when the node ends."""
        while not self._closed:
            if waiting := self._waiting.get(service):
                key, take = waiting.popitem(last=False)
                if not waiting:
                    del self._waiting[service]
                return key, take
            changed = self._changed.setdefault(service, asyncio.Event())
            changed.clear()
            await changed.wait()
        return None

    def close(self) -> None:
        """The node ends; whoever waits learns it."""
        self._closed = True
        self._waiting.clear()
        for changed in self._changed.values():
            changed.set()


class IncomingStreams:
    """An endless iterator over the streams that contacts open to a service; ends when the node closes.

    Asking for the next one accepts it, and the contact may write from then on. Unfinished ones that were
    accepted before the process last ended come too, and go on at ``position`` and ``written``. Each comes
    once, to one of those who ask; what nobody asks for waits.
    """

    def __init__(self, services: StreamServices, service: str, durable: bool) -> None:
        self._services = services
        self._service = service
        self._durable = durable

    def __aiter__(self) -> IncomingStreams:
        return self

    async def __anext__(self) -> Stream:
        while True:
            waiting = await self._services.next(self._service)
            if waiting is None:
                raise StopAsyncIteration
            key, take = waiting
            taking = asyncio.ensure_future(take(self._durable))
            try:
                stream = await asyncio.shield(taking)
            except asyncio.CancelledError:
                # It is being accepted, and whoever asks next shall have it.
                self._services.offer(self._service, key, partial(_already, taking), first=True)
                raise
            if stream is not None:
                return stream


def _already(taking: asyncio.Future[Stream | None], durable: bool) -> Awaitable[Stream | None]:
    return taking
