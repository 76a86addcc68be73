"""When a link counts as dead although something of ours still leaves the queue."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from p4.core import limits
from p4.node.liveness import Liveness
from p4.testing import VirtualClock, run

PATIENCE = limits.HEARTBEAT_MISSES * limits.HEARTBEAT_SECONDS


class Watched:
    """A link whose far end answers the first ping and is silent then."""

    def __init__(self, queued: Iterator[int]) -> None:
        self.lost = asyncio.Event()
        self.pings: list[int] = []
        self.liveness = Liveness(
            VirtualClock(),
            send=self.pings.append,
            lost=lambda reason: self.lost.set(),
            queued=lambda: next(queued),
            leads=True,
        )

    async def seconds_until_lost(self, most: float) -> float:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.05)
        self.liveness.pong(self.pings[0])
        began = loop.time()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.lost.wait(), most)
        self.liveness.close()
        return loop.time() - began


def levels(*pattern: int) -> Iterator[int]:
    while True:
        yield from pattern


@pytest.mark.parametrize("pattern", [(0,), (5, 0), (limits.LINK_LOW_WATER_BYTES, 0)])
def test_our_own_ping_leaving_the_queue_is_no_sign_of_life(pattern: tuple[int, ...]) -> None:
    async def scenario() -> None:
        assert await Watched(levels(*pattern)).seconds_until_lost(10) < PATIENCE + 0.5

    run(scenario())


def test_a_long_queue_that_becomes_shorter_is_one() -> None:
    async def scenario() -> None:
        falling = iter(range(10**9, 0, -1000))
        assert await Watched(falling).seconds_until_lost(10) >= 10

    run(scenario())


def test_a_long_queue_that_stands_still_is_none() -> None:
    async def scenario() -> None:
        assert await Watched(levels(10**6)).seconds_until_lost(10) < PATIENCE + 0.5

    run(scenario())
