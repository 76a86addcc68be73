"""The network changes under two nodes that talk, and nothing is lost, doubled or out of order.

Times are printed (``-rP`` shows them) and only bounded loosely; `report` measures them.
"""

from __future__ import annotations

import pytest
from tests.integration.nat.events import EVENTS, Scene, scene
from tests.integration.nat.world import World

from p4.testing.tor_network import PrivateTorNetwork

pytestmark = pytest.mark.timeout(600)

LOOSE_SECONDS = 60.0
"""Nothing takes so long on a busy machine, unless it never ends."""

QUICK = ["one roams", "make before break", "router reboot", "blackhole", "one sleeps", "one restarts"]


async def recovers(acted: Scene, *events: str) -> None:
    """Each event in turn, under one conversation."""
    meeting = acted.meeting
    async with meeting:
        print(f"connected after {await meeting.connected():.2f} s")
        meeting.talk()
        await meeting.flowing()
        for event in events:
            at = await EVENTS[event](acted)
            print(await meeting.recovered(event, at, seconds=LOOSE_SECONDS))
        tally = await meeting.finish()
        assert tally.clean, tally


async def test_nothing_is_lost(world: World) -> None:
    """Signaling over TCP to bob's forwarded port, which is quick."""
    await recovers(scene(world, world.direct, silent_seconds=4), *QUICK)


@pytest.mark.soak
@pytest.mark.parametrize("event", [event for event in EVENTS if event != "both roam at once"])
async def test_nothing_is_lost_event_by_event(world: World, event: str) -> None:
    """Where both have left the address that the other one knows, TCP signaling alone finds nobody."""
    await recovers(scene(world, world.direct), *[event] * 3)


async def test_nothing_is_lost_with_tor_alone(world: World, simulated_tor: PrivateTorNetwork) -> None:
    await recovers(scene(world, lambda host: world.onion(simulated_tor)), "one roams", "router reboot")


@pytest.mark.soak
@pytest.mark.parametrize("event", EVENTS)
async def test_nothing_is_lost_with_tor_alone_event_by_event(
    world: World, simulated_tor: PrivateTorNetwork, event: str
) -> None:
    await recovers(scene(world, lambda host: world.onion(simulated_tor)), *[event] * 3)
