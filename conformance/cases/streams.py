"""Byte streams."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from conformance.cases.local import Pair, Side, case, data, decode
from conformance.expectations import equal, refused, true

PATIENCE = 20


def pattern(length: int, start: int = 0) -> bytes:
    """Bytes of which each block tells its place."""
    first, last = start // 32, (start + length) // 32 + 1
    blocks = b"".join(hashlib.sha256(str(block).encode()).digest() for block in range(first, last))
    return blocks[start - first * 32 :][:length]


async def write(side: Side, content: bytes, stream: str = "s") -> None:
    """Write bytes in pieces."""
    for start in range(0, len(content), 100_000):
        await side.ask("stream.write", stream=stream, bytes_b64=data(content[start : start + 100_000]))


async def read(side: Side, length: int, stream: str = "s") -> tuple[bytes, bool]:
    """Read so many bytes, in pieces; gives whether that was the end."""
    content, at_end = b"", False
    while len(content) < length and not at_end:
        wanted = min(length - len(content), 100_000)
        answer = await side.ask("stream.read", stream=stream, length=wanted, timeout_seconds=PATIENCE)
        piece, at_end = decode(answer["bytes_b64"]), answer["at_end"]
        equal(at_end, len(piece) < wanted, f"at_end of {len(piece)} bytes instead of {wanted}")
        content += piece
    return content, at_end


async def attach(pair: Pair, name: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """A stream from the laptop to the phone, ``s`` on both."""
    accepting = pair.phone.begin("stream.accept", stream="s", service=pair.service, timeout_seconds=PATIENCE)
    opened = await pair.laptop.to_contact("stream.open", stream="s", service=pair.service, name=name)
    return opened, await accepting


@case("streams")
async def streams(pair: Pair) -> None:
    """Much in one direction, its end, and then the other direction."""
    laptop, phone = pair.laptop, pair.phone
    opened, accepted = await attach(pair, "film.mkv")
    equal([opened["written"], opened["position"]], [0, 0], "where a new stream begins")
    equal(accepted["name"], "film.mkv", "its name")
    equal(accepted["contact"]["name"], "laptop", "who opened it")
    content = pattern(600_000)
    _, (found, _) = await asyncio.gather(write(laptop, content), read(phone, len(content)))
    true(found == content, f"{len(found)} bytes arrived otherwise than the {len(content)} that were written")
    equal(await laptop.ask("stream.flush", stream="s"), {"written": len(content)}, "what is safe")
    await laptop.ask("stream.confirmed", stream="s", offset=len(content), timeout_seconds=PATIENCE)
    await laptop.ask("stream.end", stream="s")
    equal(await read(phone, 1), (b"", True), "the end of the direction that was read")
    # The other half is open still.
    await write(phone, b"thanks")
    equal((await read(laptop, 6))[0].decode(), "thanks", "an answer after the end of the question")
    await phone.ask("stream.end", stream="s")
    equal((await read(laptop, 1))[1], True, "the end of the answer")
    for side in (laptop, phone):
        await side.ask("stream.done", stream="s", timeout_seconds=PATIENCE)


@case("streams: both ways at once, and nothing at all")
async def both_ways(pair: Pair) -> None:
    """Two directions do not wait for each other; a stream without a byte ends well."""
    laptop, phone = pair.laptop, pair.phone
    await attach(pair, "both")
    for start in range(0, 300_000, 60_000):
        piece = pattern(60_000, start)
        await asyncio.gather(write(laptop, piece), write(phone, piece))
        for side in (laptop, phone):
            true((await read(side, len(piece)))[0] == piece, "one of two directions has other bytes")
    for side in (laptop, phone):
        await side.ask("stream.end", stream="s")
    for side in (laptop, phone):
        equal((await read(side, 1))[1], True, "the end")
    for side in (laptop, phone):
        await side.ask("stream.done", stream="s", timeout_seconds=PATIENCE)
    await attach(pair)
    for side in (laptop, phone):
        await side.ask("stream.end", stream="s")
    for side in (phone, laptop):
        equal(list(await read(side, 10)), [b"", True], "a stream of nothing")
        await side.ask("stream.done", stream="s", timeout_seconds=PATIENCE)


@case("streams: let go of, and taken up again")
async def taken_up(pair: Pair) -> None:
    """Who accepts it again goes on where consuming has ended; who opens it again where writing has."""
    laptop, phone = pair.laptop, pair.phone
    opened, accepted = await attach(pair, "again")
    await write(laptop, pattern(1000))
    true((await read(phone, 400))[0] == pattern(400), "other bytes than were written")
    await laptop.ask("stream.confirmed", stream="s", offset=400, timeout_seconds=PATIENCE)
    for side in (laptop, phone):
        await side.ask("stream.detach", stream="s")
    reopened, again = await attach(pair, "again")
    equal([reopened["id"], again["id"]], [opened["id"], accepted["id"]], "the ids of the same stream")
    equal([reopened["written"], again["position"]], [1000, 400], "where it goes on")
    await write(laptop, pattern(500, 1000))
    await laptop.ask("stream.end", stream="s")
    found, at_end = await read(phone, 1101)
    true(
        at_end and found == pattern(1100, 400), "the rest of a stream that was taken up again is another one"
    )
    await phone.ask("stream.end", stream="s")
    equal((await read(laptop, 1))[1], True, "the end")
    for side in (laptop, phone):
        await side.ask("stream.done", stream="s", timeout_seconds=PATIENCE)


@case("streams: reset, refused, late")
async def broken(pair: Pair) -> None:
    """An early end reaches the other side; nobody accepts what was not granted, or does not come."""
    laptop, phone = pair.laptop, pair.phone
    await attach(pair, "broken")
    await write(laptop, b"x")
    equal((await read(phone, 1))[0].decode(), "x", "the first byte")
    await phone.ask("stream.reset", stream="s", reason="no space")
    reading = laptop.ask("stream.read", stream="s", length=1, timeout_seconds=PATIENCE)
    error = await refused(reading, "cancelled", type_name="StreamError")
    true("no space" in error["message"], f"the reason is not told: {error['message']}")
    opening = laptop.to_contact("stream.open", stream="t", service="never-granted", name="")
    await refused(opening, "not-granted", type_name="StreamError")
    accepting = phone.ask("stream.accept", stream="u", service=pair.service, timeout_seconds=0.3)
    await refused(accepting, "timeout")
    await refused(phone.ask("stream.accept", stream="u", service="files", timeout_seconds=PATIENCE), "in-use")
