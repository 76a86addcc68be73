"""Paths round the world and lines that lose a third of what they carry: links open there and stay up."""

from __future__ import annotations

import asyncio

import pytest
from tests.integration.nat.events import scene
from tests.integration.nat.line import Conditions
from tests.integration.nat.world import World

pytestmark = pytest.mark.timeout(1200)

SECONDS = 10
SOAK_SECONDS = 600

PATHS = {
    "round trip 1 s": Conditions(delay_ms=250),
    "round trip 2 s": Conditions(delay_ms=500),
    # Of each network's line, so that 30 % of all packets from one home to the other are lost.
    "30 % loss": Conditions(loss=1 - 0.7**0.5),
}
"""Of every network's line; a way goes over two of them."""


@pytest.mark.parametrize(
    "seconds", [SECONDS, pytest.param(SOAK_SECONDS, marks=pytest.mark.soak)], ids=lambda s: f"{s} s"
)
@pytest.mark.parametrize("path", PATHS)
async def test_opens_and_stays_up(world: World, path: str, seconds: int) -> None:
    acted = scene(world, world.direct, late=8.0)
    for network in acted.networks:
        network.shape(PATHS[path])
    async with acted.meeting as meeting:
        print(f"{path}: connected after {await meeting.connected(60):.2f} s")
        meeting.talk()
        await meeting.flowing()
        await asyncio.sleep(seconds)
        downs = [
            one for node in (meeting.one, meeting.other) for one in node.said if one["event"] == "LinkDown"
        ]
        assert not downs
        tally = await meeting.finish()
        assert tally.clean, tally
