"""What a worker does with messages and calls."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bench.session.place import MESSAGE_BYTES, SERVICE, Place, Stopwatch
from p4.node.calls import IncomingCall
from p4.node.receipts import Receipt

IN_FLIGHT = 1000
"""Calls of ``send`` that wait for the disk at a time."""

_BODY = b"x" * MESSAGE_BYTES


async def send_in_groups(place: Place, count: int, group: int) -> dict[str, float]:
    """Hand over messages with ``send_many``; until the other's application is done with all."""
    watch, peer = Stopwatch(), place.peer
    receipts: list[Receipt] = []
    for _ in range(count // group):
        receipts = await peer.send_many([_BODY] * group, service=SERVICE)
    await receipts[-1].consumed()
    return watch.read()


async def send_singly(place: Place, count: int) -> dict[str, float]:
    """Hand over messages with ``send``, many at a time; until the other's application is done with all."""
    watch, peer = Stopwatch(), place.peer
    left = count
    last: Receipt | None = None

    async def sender() -> None:
        nonlocal left, last
        while left > 0:
            left -= 1
            receipt = await peer.send(_BODY, service=SERVICE)
            if last is None or receipt.number > last.number:
                last = receipt

    await asyncio.gather(*(sender() for _ in range(IN_FLIGHT)))
    assert last is not None
    await last.consumed()
    return watch.read()


async def receive(place: Place, count: int) -> dict[str, float]:
    """Take messages and be done with each; until the disk has the last."""
    watch = Stopwatch()
    previous = 0
    async for message in place.running.messages(SERVICE):
        if message.value != _BODY or message.number <= previous:
            raise RuntimeError("a message is not the next one that was sent")
        previous = message.number
        done = message.done()
        count -= 1
        if not count:
            await done
            break
    return watch.read()


async def message_rate(place: Place, seconds: float, group: int) -> float:
    """Messages a second that the other's application is done with while other things go on."""
    peer, sent = place.peer, 0
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        receipts = await peer.send_many([_BODY] * group, service=SERVICE)
        await receipts[-1].consumed()
        sent += group
    return sent / (time.monotonic() - began)


async def consume(place: Place, seconds: float) -> int:
    """Take messages for a while."""
    count = 0
    try:
        async with asyncio.timeout(seconds):
            async for message in place.running.messages(SERVICE):
                message.done()
                count += 1
    except TimeoutError:
        pass
    return count


async def serve_calls(place: Place) -> None:
    """Answer calls with their argument from now on."""

    async def answer(call: IncomingCall) -> object:
        return call.argument

    place.running.serve(SERVICE, answer)


async def call_trips(place: Place, count: int, seconds: float) -> list[float]:
    """Round trips of calls in seconds, at most so many and for so long."""
    peer = place.peer
    trips: list[float] = []
    deadline = time.perf_counter() + seconds
    while len(trips) < count and time.perf_counter() < deadline:
        began = time.perf_counter()
        await peer.call(SERVICE, _BODY)
        trips.append(time.perf_counter() - began)
    return trips


async def queue(place: Place, count: int, group: int) -> dict[str, Any]:
    """Queue messages for a contact that is away."""
    peer = place.peer
    began = time.perf_counter()
    for _ in range(count // group):
        await peer.send_many([_BODY] * group, service=SERVICE)
    return {"seconds": time.perf_counter() - began, "queued": peer.queued}


ACTIONS = (
    *(send_in_groups, send_singly, receive, message_rate, consume),
    *(serve_calls, call_trips, queue),
)
