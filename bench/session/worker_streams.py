"""What a worker does with streams."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from bench.session.place import MESSAGE_BYTES, SERVICE, Place, Stopwatch
from p4.core import limits
from p4.core.session.lanes import LaneKind
from p4.node.link_session import LinkSession
from p4.node.streams import Stream

BLOCK = bytes(range(251)) * 1031
"""What is written, again and again: 0.26 MB, different at offsets that are powers of two apart."""

READ_BYTES = 256 * 1024

_DATA_HEADER_BYTES = limits.LINK_MESSAGE_BYTES - limits.STREAM_DATA_BYTES
_OFTEN = BLOCK * 3


async def write(place: Place, name: str, seconds: float = 0.0, size: int = 0) -> dict[str, Any]:
    """Write a stream for a while, or so many bytes, and wait until the other side has consumed it."""
    stream = await place.peer.stream(SERVICE, name)
    watch = Stopwatch()
    while (stream.written < size) if size else (time.monotonic() - watch.began < seconds):
        await stream.write(BLOCK)
    await stream.close_writing()
    await stream.wait_done()
    return {"bytes": stream.written, "sent": place.sent, **watch.read()}


async def write_until_lane(place: Place, name: str) -> None:
    """Write a stream until there is a lane over TCP, and end it well."""
    stream = await place.peer.stream(SERVICE, name)
    while not place.peer.relation.lanes[LaneKind.STREAM]:
        await stream.write(BLOCK)
    await stream.close_writing()
    await stream.wait_done()


async def write_on(place: Place, name: str, seconds: float) -> int:
    """Write a stream for a while, as much as there is room for, and leave it open; how much it was."""
    stream = await place.peer.stream(SERVICE, name)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                await stream.write(BLOCK)
    return stream.written


async def read(place: Place, name: str, verify: bool = False) -> dict[str, Any]:
    """Read a stream to its end. ``first`` is the moment of the first bytes, ``from`` their offset."""
    watch = Stopwatch()
    stream = await _accepted(place, name)
    begin = stream.position
    first = 0.0
    while data := await stream.read(READ_BYTES):
        if not first:
            first = time.monotonic()
        place.position = stream.position
        place.moved.set()
        if verify:
            at = (stream.position - len(data)) % len(BLOCK)
            if data != _OFTEN[at : at + len(data)]:
                raise RuntimeError(f"other bytes than were written before {stream.position}")
    values = {"bytes": stream.position, "from": begin, "first": first, **watch.read()}
    await stream.close_writing()
    await stream.wait_done()
    return values


async def read_slowly(place: Place, name: str, rate: float, seconds: float) -> float:
    """Read a stream at so many bytes a second; what it came to."""
    stream = await _accepted(place, name)
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        late = stream.position / rate - elapsed
        if late > 0:
            await asyncio.sleep(min(late, seconds - elapsed))
        else:
            await stream.read(16 * 1024)
    return stream.position / (time.monotonic() - began)


async def position(place: Place, through: int) -> None:
    """Wait until `read` has read so many bytes."""
    while place.position < through:
        place.moved.clear()
        await place.moved.wait()


async def count_sent(place: Place) -> None:
    """Count the bytes of streams that are given to links; to be called before the first stream."""
    send_data = LinkSession.send_data

    def counting(link: LinkSession, data: bytes) -> None:
        send_data(link, data)
        place.sent += len(data) - _DATA_HEADER_BYTES

    setattr(LinkSession, send_data.__name__, counting)  # no other place sees every link


async def echo_stream(place: Place, name: str) -> None:
    """Write back what a stream brings, until its end."""
    async with await _accepted(place, name) as stream:
        async for data in stream:
            await stream.write(data)


async def stream_trips(place: Place, name: str, count: int, seconds: float) -> list[float]:
    """Round trips on an open stream in seconds, at most so many and for so long."""
    trips: list[float] = []
    body = BLOCK[:MESSAGE_BYTES]
    async with place.peer.stream(SERVICE, name) as stream:
        deadline = time.perf_counter() + seconds
        while len(trips) < count and time.perf_counter() < deadline:
            began = time.perf_counter()
            await stream.write(body)
            await stream.readexactly(MESSAGE_BYTES)
            trips.append(time.perf_counter() - began)
    return trips


async def _accepted(place: Place, name: str) -> Stream:
    """The stream of this name that the other node opens or has opened; others wait for who asks for them."""
    if place.accepting is None:
        place.accepting = asyncio.create_task(_accept(place))
    future = place.accepted[name]
    await asyncio.wait((future, place.accepting), return_when=asyncio.FIRST_COMPLETED)
    if not future.done():
        await place.accepting
        raise RuntimeError("the node ended before the stream came")
    return future.result()


async def _accept(place: Place) -> None:
    async for stream in place.running.streams(SERVICE):
        place.accepted[stream.name].set_result(stream)


ACTIONS = (
    write,
    write_until_lane,
    write_on,
    read,
    read_slowly,
    position,
    count_sent,
    echo_stream,
    stream_trips,
)
