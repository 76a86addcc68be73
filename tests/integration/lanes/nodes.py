"""Two real nodes that send each other bulk data, and what lanes they have."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from tests.integration.direct.node_program import direct

import p4
from p4.core.session.lanes import LaneKind
from p4.node.lanes.bundle import LaneBundle

__all__ = ["SECONDS", "bundle", "carry", "carry_until_lane", "pair"]

SECONDS = 150.0
SERVICE = "bulk"
BLOCK = bytes(range(251)) * 1031


@asynccontextmanager
async def pair(
    tmp_path: Path, backend: str = "wrtc", **options: object
) -> AsyncIterator[tuple[p4.Node, p4.Node]]:
    """Two nodes that know each other, may use each other's service, and have a link."""
    chosen = replace(direct(backend), **options)  # type: ignore[arg-type]
    async with p4.Node(tmp_path / "one", chosen) as one, p4.Node(tmp_path / "two", chosen) as two:
        one.add_contact(two.invite(), "two")
        two.add_contact(one.invite(), "one")
        await one.peer("two").grant(SERVICE)
        await two.peer("one").grant(SERVICE)
        async with asyncio.timeout(SECONDS):
            await one.peer("two").wait_connected()
            await two.peer("one").wait_connected()
            for node in (one, two):  # an answer comes after everything that was granted before
                await node.peers()[0].ping()
        yield one, two


def bundle(node: p4.Node, name: str) -> LaneBundle:
    """The link to a contact with its lanes."""
    transport = node.peer(name).relation._transport
    assert transport is not None
    return transport.lanes


async def carry_until_lane(one: p4.Node, two: p4.Node, kind: LaneKind, size: int) -> None:
    """Send so many bytes again and again until there is a lane of this kind; it takes its time to come."""
    async with asyncio.timeout(SECONDS):
        await carry(one, two, size)
        while not bundle(one, "two").open_lanes(kind):
            await carry(one, two, size)


async def carry(
    one: p4.Node, two: p4.Node, size: int, *, at: dict[int, Callable[[], None]] | None = None
) -> None:
    """Send so many bytes from one node to the other and see that the same arrive.

    Args:
        at: what happens when so many bytes were read.
    """
    sent, came = hashlib.sha256(), hashlib.sha256()
    events = sorted((at or {}).items())

    async def write() -> None:
        (peer,) = one.peers()
        async with peer.stream(SERVICE) as stream:
            while stream.written < size:
                piece = BLOCK[: size - stream.written]
                sent.update(piece)
                await stream.write(piece)

    async def read() -> None:
        stream = await anext(aiter(two.streams(SERVICE)))
        async with stream:
            async for data in stream:
                came.update(data)
                while events and stream.position >= events[0][0]:
                    events.pop(0)[1]()

    async with asyncio.timeout(SECONDS):
        await asyncio.gather(write(), read())
    assert sent.digest() == came.digest()
