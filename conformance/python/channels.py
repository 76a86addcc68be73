"""L1: what lives on between requests: subscriptions, served calls, streams, datagrams, events."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field

from conformance.python.device import Arguments, Device, Operations, Result, contact_entry, members, within
from conformance.python.following import Following
from p4.client import (
    FEED_OPENED,
    DaemonEvent,
    Datagram,
    Datagrams,
    IncomingCall,
    Message,
    MessageSubscription,
    Stream,
)
from p4.errors import CallFailed

__all__ = ["Channels"]


class _LetGoError(Exception):
    """Leaves the context of a stream without ending it."""


@dataclass
class _Subscription:
    messages: MessageSubscription
    following: Following[Message]
    taken: dict[tuple[str, str], Message] = field(default_factory=dict)


@dataclass
class _Serving:
    task: asyncio.Task[None]
    cancelled: asyncio.Queue[None]


@dataclass
class _HeldStream:
    attach: Callable[[], AbstractAsyncContextManager[Stream]]
    context: AbstractAsyncContextManager[Stream]
    stream: Stream
    rest: bytes = b""
    """Read from the stream, and not asked for yet."""

    @property
    def position(self) -> int:
        return self.stream.position - len(self.rest)

    async def let_go(self) -> None:
        with suppress(_LetGoError):
            await self.context.__aexit__(_LetGoError, _LetGoError(), None)

    async def read(self, length: int) -> tuple[bytes, bool]:
        at_end = False
        while len(self.rest) < length and not at_end:
            piece = await self.stream.read()
            self.rest += piece
            at_end = not piece
        given, self.rest = self.rest[:length], self.rest[length:]
        await self.stream.consumed(self.position, knows_end=at_end)
        return given, at_end


@dataclass
class _Datagrams:
    context: AbstractAsyncContextManager[Datagrams]
    datagrams: Datagrams
    following: Following[Datagram]


class Channels:
    """All that lives on, by its handles."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._subscriptions: dict[str, _Subscription] = {}
        self._serving: dict[str, _Serving] = {}
        self._streams: dict[str, _HeldStream] = {}
        self._datagrams: dict[str, _Datagrams] = {}
        self._events: dict[str, Following[DaemonEvent]] = {}
        self.operations: Operations = {
            "messages.open": self._subscribe,
            "messages.next": self._next_message,
            "messages.done": self._done,
            "messages.close": self._unsubscribe,
            "serving.open": self._serve,
            "serving.cancelled": self._was_cancelled,
            "serving.close": self._serve_no_more,
            "stream.open": self._open_stream,
            "stream.accept": self._accept_stream,
            "stream.write": self._write,
            "stream.flush": self._flush,
            "stream.end": self._end,
            "stream.read": self._read,
            "stream.resume": self._resume,
            "stream.confirmed": self._confirmed,
            "stream.done": self._stream_done,
            "stream.reset": self._reset,
            "stream.detach": self._detach,
            "datagrams.open": self._open_datagrams,
            "datagrams.send": self._send_datagram,
            "datagrams.next": self._next_datagram,
            "datagrams.close": self._close_datagrams,
            "events.open": self._open_events,
            "events.next": self._next_event,
            "events.close": self._close_events,
        }

    async def close(self) -> None:
        """Let go of everything."""
        for serving in self._serving.values():
            serving.task.cancel()
        for stream in self._streams.values():
            await stream.let_go()
        for name in list(self._subscriptions):
            await self._unsubscribe({"messages": name})
        for name in list(self._datagrams):
            await self._close_datagrams({"datagrams": name})
        for name in list(self._events):
            await self._close_events({"events": name})

    # -- messages ----------------------------------------------------------------------------------------

    async def _subscribe(self, given: Arguments) -> Result:
        client, contact = self._device.client(given), given.get("contact")
        messages = client.messages(given["service"], contact=contact)
        self._subscriptions[given["messages"]] = _Subscription(messages, Following(messages))
        return {}

    async def _next_message(self, given: Arguments) -> Result:
        subscription = self._subscriptions[given["messages"]]
        message = await subscription.following.next(given["timeout_seconds"])
        subscription.taken[message.contact.id, message.id] = message
        about = {"id": message.id, "service": message.service, "key": message.key}
        return {"contact": contact_entry(message.contact), **about, **members(message.value)}

    async def _done(self, given: Arguments) -> Result:
        subscription = self._subscriptions[given["messages"]]
        await subscription.taken.pop((given["contact_id"], given["message_id"])).done()
        return {}

    async def _unsubscribe(self, given: Arguments) -> Result:
        subscription = self._subscriptions.pop(given["messages"])
        await subscription.following.close()
        return {}

    # -- calls -------------------------------------------------------------------------------------------

    async def _serve(self, given: Arguments) -> Result:
        cancelled: asyncio.Queue[None] = asyncio.Queue()
        begun = asyncio.Event()

        async def answer(call: IncomingCall) -> object:
            match call.service.rpartition(".")[2]:
                case "echo":
                    return call.argument
                case "who":
                    return call.contact.name
                case "fail":
                    raise CallFailed("too-hot", "It burns.", {"degrees": 99})
                case "slow":
                    try:
                        await asyncio.Event().wait()
                    finally:
                        cancelled.put_nowait(None)
            raise ValueError("private")

        client = self._device.client(given)
        task = asyncio.create_task(client.serve(given["service"], answer, serving=begun.set))
        waiting = asyncio.create_task(begun.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            task.result()
        self._serving[given["serving"]] = _Serving(task, cancelled)
        return {}

    async def _was_cancelled(self, given: Arguments) -> Result:
        async with within(given["timeout_seconds"]):
            await self._serving[given["serving"]].cancelled.get()
        return {}

    async def _serve_no_more(self, given: Arguments) -> Result:
        task = self._serving.pop(given["serving"]).task
        task.cancel()
        await asyncio.wait({task})
        return {}

    # -- streams -----------------------------------------------------------------------------------------

    async def _attach(self, name: str, attach: Callable[[], AbstractAsyncContextManager[Stream]]) -> Stream:
        context = attach()
        stream = await context.__aenter__()
        self._streams[name] = _HeldStream(attach, context, stream)
        return stream

    async def _open_stream(self, given: Arguments) -> Result:
        contact = self._device.client(given).contact(given["contact"])
        stream = await self._attach(given["stream"], lambda: contact.stream(given["service"], given["name"]))
        return {"id": stream.id, "written": stream.written, "position": stream.position}

    async def _accept_stream(self, given: Arguments) -> Result:
        client, contact = self._device.client(given), given.get("contact")
        async with within(given["timeout_seconds"]):
            stream = await self._attach(
                given["stream"], lambda: client.next_stream(given["service"], contact=contact)
            )
        return {
            "id": stream.id,
            "contact": contact_entry(stream.contact),
            "name": stream.name,
            "written": stream.written,
            "position": stream.position,
        }

    def _stream(self, given: Arguments) -> Stream:
        return self._streams[given["stream"]].stream

    async def _write(self, given: Arguments) -> Result:
        await self._stream(given).write(base64.b64decode(given["bytes_b64"]))
        return {}

    async def _flush(self, given: Arguments) -> Result:
        stream = self._stream(given)
        await stream.flush()
        return {"written": stream.written}

    async def _end(self, given: Arguments) -> Result:
        await self._stream(given).close_writing()
        return {}

    async def _read(self, given: Arguments) -> Result:
        async with within(given["timeout_seconds"]):
            data, at_end = await self._streams[given["stream"]].read(given["length"])
        return {"bytes_b64": base64.b64encode(data).decode(), "at_end": at_end}

    async def _resume(self, given: Arguments) -> Result:
        held = self._streams[given["stream"]]
        await held.let_go()
        stream = await self._attach(given["stream"], held.attach)
        return {"written": stream.written, "position": stream.position}

    async def _confirmed(self, given: Arguments) -> Result:
        async with within(given["timeout_seconds"]):
            await self._stream(given).wait_confirmed(given["offset"])
        return {}

    async def _stream_done(self, given: Arguments) -> Result:
        async with within(given["timeout_seconds"]):
            await self._stream(given).wait_done()
        return {}

    async def _reset(self, given: Arguments) -> Result:
        await self._stream(given).reset(given["reason"])
        return {}

    async def _detach(self, given: Arguments) -> Result:
        await self._streams.pop(given["stream"]).let_go()
        return {}

    # -- datagrams and events ----------------------------------------------------------------------------

    async def _open_datagrams(self, given: Arguments) -> Result:
        context = self._device.client(given).datagrams(given["service"])
        datagrams = await context.__aenter__()
        self._datagrams[given["datagrams"]] = _Datagrams(context, datagrams, Following(datagrams))
        return {}

    async def _send_datagram(self, given: Arguments) -> Result:
        data = base64.b64decode(given["bytes_b64"])
        await self._datagrams[given["datagrams"]].datagrams.send(given["contact"], data)
        return {}

    async def _next_datagram(self, given: Arguments) -> Result:
        datagram = await self._datagrams[given["datagrams"]].following.next(given["timeout_seconds"])
        return {
            "contact": contact_entry(datagram.contact),
            "bytes_b64": base64.b64encode(datagram.data).decode(),
        }

    async def _close_datagrams(self, given: Arguments) -> Result:
        open_ones = self._datagrams.pop(given["datagrams"])
        await open_ones.following.close()
        await open_ones.context.__aexit__(None, None, None)
        return {}

    async def _open_events(self, given: Arguments) -> Result:
        events = Following(self._device.client(given).events(FEED_OPENED, *given["types"]))
        first = await events.next(30)
        if first.kind != FEED_OPENED:
            raise AssertionError(f"the first event is {first.kind}")
        self._events[given["events"]] = events
        return {}

    async def _next_event(self, given: Arguments) -> Result:
        event = await self._events[given["events"]].next(given["timeout_seconds"])
        while event.kind == FEED_OPENED:
            event = await self._events[given["events"]].next(given["timeout_seconds"])
        return {"type": event.kind, "data": event.data}

    async def _close_events(self, given: Arguments) -> Result:
        await self._events.pop(given["events"]).close()
        return {}
