"""The network changes under two nodes that talk, and nothing is lost, doubled or out of order.

Times are printed (``-rP`` shows them) and only bounded loosely; `report` measures them.
"""

from __future__ import annotations

import pytest
from tests.integration.nat.conversation import happens, talking
from tests.integration.nat.events import EVENTS, HARMLESS, Scene, scene
from tests.integration.nat.world import World

from p4.testing.tor_network import PrivateTorNetwork

pytestmark = pytest.mark.timeout(600)

QUICK = [
    *("one roams", "make before break", "another network is preferred", "router reboot"),
    *("one sleeps", "one restarts"),
]
NO_FOLLOWING = "both roam at once"
"""Where both have left the address that the other one knows, TCP signaling alone finds nobody."""


async def recovers(acted: Scene, *events: str) -> None:
    """Each event in turn, under one conversation."""
    async with talking(acted):
        for event in events:
            await happens(acted, event, EVENTS[event])


async def test_nothing_is_lost(world: World) -> None:
    """Signaling over TCP to bob's forwarded port, which is quick."""
    await recovers(scene(world, world.direct, silent_seconds=2), *QUICK)


@pytest.mark.soak
@pytest.mark.parametrize("event", [event for event in EVENTS if event != NO_FOLLOWING])
async def test_nothing_is_lost_event_by_event(world: World, event: str) -> None:
    await recovers(scene(world, world.direct), *[event] * 3)


async def test_nothing_is_lost_with_tor_alone(world: World, simulated_tor: PrivateTorNetwork) -> None:
    """And the link does not notice that Tor dies under one of them, which is back for the last event."""
    acted = scene(world, lambda host: world.onion(simulated_tor), silent_seconds=4)
    async with talking(acted):
        recovery = await happens(acted, "Tor dies", Scene.tor_dies)
        assert recovery.seconds == 0.0
        assert recovery.noticed == {"ann": None, "bob": None}
        for event in ("both roam at once", "router reboot"):
            await happens(acted, event, EVENTS[event])


@pytest.mark.soak
@pytest.mark.parametrize("event", EVENTS)
async def test_nothing_is_lost_with_tor_alone_event_by_event(
    world: World, simulated_tor: PrivateTorNetwork, event: str
) -> None:
    await recovers(scene(world, lambda host: world.onion(simulated_tor)), *[event] * 3)


async def test_a_live_link_needs_no_server(world: World) -> None:
    async with talking(scene(world, world.direct, silent_seconds=2)) as acted:
        for name, event in HARMLESS.items():
            recovery = await happens(acted, name, event)
            assert recovery.seconds == 0.0
            assert recovery.noticed == {"ann": None, "bob": None}
        # The servers serve again: both are needed for a new link.
        await happens(acted, "one roams", Scene.ann_roams)
