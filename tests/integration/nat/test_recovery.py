"""The network changes under two nodes that talk, and nothing is lost, doubled or out of order.

Times are printed (``-rP`` shows them) and only bounded loosely: docs/recovery.md has the figures.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from tests.integration.nat.meeting import Meeting
from tests.integration.nat.networks import Host, Network
from tests.integration.nat.rules import NatKind
from tests.integration.nat.world import World

from p4.testing.tor_network import PrivateTorNetwork

LOOSE_SECONDS = 60.0
"""Nothing takes so long on a busy machine, unless it never ends."""


class Change:
    """What a test may do to the network of ann, who roams; bob's home has a port that leads to him."""

    def __init__(self, world: World, ann: Host, home: Network, meeting: Meeting) -> None:
        self.world, self.ann, self.home, self.meeting = world, ann, home, meeting
        self.elsewhere = world.laboratory.network("elsewhere", NatKind.SYMMETRIC)

    async def roam(self) -> float:
        return self.ann.roam(self.world.laboratory.network("cafe"))

    async def roam_without_a_break(self) -> float:
        """Wi-Fi appears beside the mobile network, which goes away a second later."""
        self.ann.attach(self.world.laboratory.network("cafe"))
        await asyncio.sleep(1)
        return self.ann.detach(self.home)

    async def renumber(self) -> float:
        return self.ann.renumber()

    async def reboot(self) -> float:
        return self.home.reboot()

    async def flap(self) -> float:
        self.ann.unplug()
        await asyncio.sleep(2)
        return self.ann.plug()

    async def blackhole(self) -> float:
        """The time counts from its end."""
        self.home.blackhole()
        await asyncio.sleep(8)
        return self.home.blackhole(False)

    async def suspend(self) -> float:
        """The time counts from waking up."""
        self.meeting.one.suspend()
        await asyncio.sleep(8)
        return self.meeting.one.resume()

    async def restart(self) -> float:
        return await self.meeting.restart(self.meeting.one, down_seconds=0.5)


EVENTS: dict[str, Callable[[Change], Awaitable[float]]] = {
    "roam": Change.roam,
    "roam without a break": Change.roam_without_a_break,
    "renumber": Change.renumber,
    "reboot": Change.reboot,
    "flap": Change.flap,
    "blackhole": Change.blackhole,
    "suspend": Change.suspend,
    "restart": Change.restart,
}


async def recovers(change: Change, event: str) -> None:
    meeting = change.meeting
    async with meeting:
        await meeting.connected()
        meeting.talk()
        await meeting.flowing()
        recovery = await meeting.recovered(event, await EVENTS[event](change), seconds=LOOSE_SECONDS)
        print(recovery)
        tally = await meeting.finish()
        assert tally.clean, tally


@pytest.mark.parametrize("event", EVENTS)
async def test_nothing_is_lost(world: World, event: str) -> None:
    """Signaling over TCP to bob's forwarded port: quick, and it does not follow anybody."""
    home, bob_home = (world.laboratory.network(f"{name}-home") for name in ("ann", "bob"))
    ann, bob = world.laboratory.host("ann", home), world.laboratory.host("bob", bob_home)
    meeting = world.meeting((ann, world.direct(ann)), (bob, world.direct(bob)))
    await recovers(Change(world, ann, home, meeting), event)


@pytest.mark.parametrize("event", ["roam", "reboot"])
async def test_nothing_is_lost_with_tor_alone(
    world: World, simulated_tor: PrivateTorNetwork, event: str
) -> None:
    home, bob_home = (world.laboratory.network(f"{name}-home") for name in ("ann", "bob"))
    ann, bob = world.laboratory.host("ann", home), world.laboratory.host("bob", bob_home)
    meeting = world.meeting((ann, world.onion(simulated_tor)), (bob, world.onion(simulated_tor)))
    begun = time.monotonic()
    await recovers(Change(world, ann, home, meeting), event)
    print(f"{time.monotonic() - begun:.1f} s in all")
