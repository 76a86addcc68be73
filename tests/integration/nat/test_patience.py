"""What takes its time: paths round the world, lines that lose a third of what they carry, and idle links.

Several conversations at once, as each of them mostly waits.
"""

from __future__ import annotations

import asyncio

import pytest
from tests.integration.nat.conversation import happens, no_link_went_down, talking
from tests.integration.nat.events import Scene, scene
from tests.integration.nat.line import Conditions
from tests.integration.nat.rules import NatKind
from tests.integration.nat.world import World
from tests.patience import patience

pytestmark = pytest.mark.timeout(1200)

PATHS = {
    "round trip 1 s": Conditions(delay_ms=250),
    "round trip 2 s": Conditions(delay_ms=500),
    # Of each network's line, so that 30 % of all packets from one home to the other are lost.
    "30 % loss": Conditions(loss=1 - 0.7**0.5),
}
"""Of every network's line; a way goes over two of them."""


async def a_bad_path(world: World, path: str, seconds: float) -> None:
    """It opens and stays up for so long."""
    acted = scene(world, world.direct, late=8.0, cafes=False)
    for network in acted.networks:
        network.shape(PATHS[path])
    async with talking(acted):
        await asyncio.sleep(seconds)
        assert no_link_went_down(acted.meeting), path


async def an_idle_link(world: World, seconds: float) -> None:
    """Routers forget UDP after 20 s; nobody says anything for longer, and then it serves at once."""
    acted = scene(world, world.direct, mapping_seconds=20, cafes=False)
    async with acted.meeting as meeting:
        await meeting.connected()
        await asyncio.sleep(seconds)
        assert no_link_went_down(meeting)
        meeting.talk()
        await meeting.flowing(seconds=patience(5))
        assert no_link_went_down(meeting)
        assert (await meeting.finish()).clean


async def a_relay_with_credentials_that_expire(world: World, seconds: float) -> None:
    """They live for 20 s and are out of date when the router reboots, so the new link needs new ones."""
    turn = (world.turn.server("udp", "rest", ttl_seconds=20),)
    acted = scene(
        world,
        lambda host: world.direct(host, turn=turn, extra={"port_guessing": False}),
        kinds=(NatKind.SYMMETRIC, NatKind.SYMMETRIC),
        cafes=False,
    )
    async with talking(acted):
        await asyncio.sleep(seconds)
        await happens(acted, "router reboot", Scene.reboot)


async def test_bad_paths_idle_links_and_credentials_that_expire(world: World) -> None:
    async with asyncio.TaskGroup() as tasks:
        for path in PATHS:
            tasks.create_task(a_bad_path(world, path, 10))
        tasks.create_task(an_idle_link(world, 25))
        tasks.create_task(a_relay_with_credentials_that_expire(world, 22))


@pytest.mark.soak
async def test_for_ten_minutes(world: World) -> None:
    async with asyncio.TaskGroup() as tasks:
        for path in PATHS:
            tasks.create_task(a_bad_path(world, path, 600))
        tasks.create_task(an_idle_link(world, 600))
        tasks.create_task(a_relay_with_credentials_that_expire(world, 600))
