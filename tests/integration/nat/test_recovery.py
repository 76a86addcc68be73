"""The network changes under two nodes that talk, and nothing is lost, doubled or out of order.

Times are printed (``-rP`` shows them) and only bounded loosely; `report` measures them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from tests.integration.nat.events import EVENTS, HARMLESS, Scene, scene
from tests.integration.nat.meeting import Recovery
from tests.integration.nat.rules import NatKind
from tests.integration.nat.world import World

from p4.testing.tor_network import PrivateTorNetwork

pytestmark = pytest.mark.timeout(600)

LOOSE_SECONDS = 60.0
"""Nothing takes so long on a busy machine, unless it never ends."""

QUICK = [
    *("one roams", "make before break", "another network is preferred", "router reboot"),
    *("blackhole", "one sleeps", "one restarts"),
]
NO_FOLLOWING = "both roam at once"
"""Where both have left the address that the other one knows, TCP signaling alone finds nobody."""


async def happens(acted: Scene, name: str, event: Callable[[Scene], Awaitable[float]]) -> Recovery:
    """Let it happen and wait until messages flow again."""
    at = await event(acted)
    recovery = await acted.meeting.recovered(
        name, at, seconds=LOOSE_SECONDS, watch=time.monotonic() - at + 1.0
    )
    print(recovery)
    return recovery


@asynccontextmanager
async def talking(acted: Scene) -> AsyncIterator[Scene]:
    """A conversation; in the end nothing of it was lost, doubled or out of order."""
    meeting = acted.meeting
    async with meeting:
        print(f"connected after {await meeting.connected(LOOSE_SECONDS):.2f} s")
        meeting.talk()
        await meeting.flowing()
        yield acted
        tally = await meeting.finish()
        assert tally.clean, tally


async def recovers(acted: Scene, *events: str) -> None:
    """Each event in turn, under one conversation."""
    async with talking(acted):
        for event in events:
            await happens(acted, event, EVENTS[event])


async def test_nothing_is_lost(world: World) -> None:
    """Signaling over TCP to bob's forwarded port, which is quick."""
    await recovers(scene(world, world.direct, silent_seconds=4), *QUICK)


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
    async with talking(scene(world, world.direct, silent_seconds=4)) as acted:
        for name, event in HARMLESS.items():
            recovery = await happens(acted, name, event)
            assert recovery.seconds == 0.0
            assert recovery.noticed == {"ann": None, "bob": None}
        # The servers serve again: both are needed for a new link.
        await happens(acted, "one roams", Scene.ann_roams)


async def test_relayed_with_credentials_that_expire(world: World) -> None:
    """They are long out of date when the router reboots, so the new link needs new ones."""
    turn = (world.turn.server("udp", "rest", ttl_seconds=20),)
    kinds = (NatKind.SYMMETRIC, NatKind.SYMMETRIC)
    acted = scene(
        world, lambda host: world.direct(host, turn=turn, extra={"port_guessing": False}), kinds=kinds
    )
    async with talking(acted):
        await asyncio.sleep(25)
        # coturn refuses refreshes of what has expired only later; until then the old link is unharmed.
        assert acted.meeting.tally().lost == 0
        await happens(acted, "router reboot", Scene.reboot)


async def test_an_idle_link_keeps_its_mapping(world: World) -> None:
    """Routers forget UDP after 20 s; nobody says anything for longer."""
    acted = scene(world, world.direct, mapping_seconds=20)
    async with acted.meeting as meeting:
        await meeting.connected()
        await asyncio.sleep(45)
        downs = [
            one for node in (meeting.one, meeting.other) for one in node.said if one["event"] == "LinkDown"
        ]
        assert not downs
        meeting.talk()
        await meeting.flowing(seconds=3)
        assert (await meeting.finish()).clean
