"""What happens to two nodes that talk: the events of the tests and of the recovery report.

Each can be repeated. Its time is the moment from which on a recovery is counted: the change itself, or the
end of what held messages up (a blackhole, sleep).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.integration.nat.meeting import Meeting
from tests.integration.nat.networks import Host, Network
from tests.integration.nat.node_process import NodeProcess
from tests.integration.nat.node_program import Settings
from tests.integration.nat.rules import NatKind
from tests.integration.nat.world import World

__all__ = ["EVENTS", "Scene", "scene"]


@dataclass
class Scene:
    """Two people, each with a home and another network to go to.

    Args:
        meeting: their nodes, ann's first.
        ann: her computer.
        bob: his.
        places: the two networks of each.
        silent_seconds: how long a blackhole, sleep or an unplugged device lasts.
    """

    meeting: Meeting
    ann: Host
    bob: Host
    places: dict[Host, tuple[Network, Network]]
    silent_seconds: float = 8.0

    async def ann_roams(self) -> float:
        """She leaves her network and joins another one."""
        return self.ann.roam(self._other_place(self.ann))

    async def bob_roams(self) -> float:
        """He does: the one whom ann dialled."""
        return self.bob.roam(self._other_place(self.bob))

    async def both_roam(self) -> float:
        """At the same moment."""
        begun = self.ann.roam(self._other_place(self.ann))
        self.bob.roam(self._other_place(self.bob))
        return begun

    async def make_before_break(self) -> float:
        """She joins another network and leaves the old one a second later; the time is when she leaves."""
        old, new = self.ann.attachment().network, self._other_place(self.ann)
        self.ann.attach(new)
        await asyncio.sleep(1)
        return self.ann.detach(old)

    async def renumber(self) -> float:
        """Her computer gets another address in the same network."""
        return self.ann.renumber()

    async def flap(self) -> float:
        """Her computer is unplugged; the time is when it is plugged in again."""
        self.ann.unplug()
        await asyncio.sleep(self.silent_seconds / 4)
        return self.ann.plug()

    async def reboot(self) -> float:
        """Her router has another external address and no mappings; her computer is not told."""
        return self.ann.attachment().network.reboot()

    async def blackhole(self) -> float:
        """Her router swallows everything; the time is when it stops that."""
        network = self.ann.attachment().network
        network.blackhole()
        await asyncio.sleep(self.silent_seconds)
        return network.blackhole(False)

    async def ann_sleeps(self) -> float:
        """The time is when her computer wakes up."""
        return await self._sleep(self.meeting.one)

    async def bob_sleeps(self) -> float:
        """The time is when his computer wakes up."""
        return await self._sleep(self.meeting.other)

    async def ann_restarts(self) -> float:
        """Her node is killed and started; the time is when it is up."""
        return await self.meeting.restart(self.meeting.one, down_seconds=0.5)

    async def bob_restarts(self) -> float:
        """His is."""
        return await self.meeting.restart(self.meeting.other, down_seconds=0.5)

    def _other_place(self, host: Host) -> Network:
        one, other = self.places[host]
        return other if host.attachment().network is one else one

    async def _sleep(self, node: NodeProcess) -> float:
        node.suspend()
        await asyncio.sleep(self.silent_seconds)
        return node.resume()


EVENTS: dict[str, Callable[[Scene], Awaitable[float]]] = {
    "one roams": Scene.ann_roams,
    "the other roams": Scene.bob_roams,
    "both roam at once": Scene.both_roam,
    "make before break": Scene.make_before_break,
    "renumber": Scene.renumber,
    "link flap": Scene.flap,
    "router reboot": Scene.reboot,
    "blackhole": Scene.blackhole,
    "one sleeps": Scene.ann_sleeps,
    "the other sleeps": Scene.bob_sleeps,
    "one restarts": Scene.ann_restarts,
    "the other restarts": Scene.bob_restarts,
}
"""By name; the first node is the one to which most happens."""


def scene(
    world: World,
    settings: Callable[[Host], Settings],
    *,
    kinds: tuple[NatKind, NatKind] = (NatKind.PORT_RESTRICTED, NatKind.PORT_RESTRICTED),
    late: float = 0.3,
    silent_seconds: float = 8.0,
) -> Scene:
    """Build two homes, two other networks of the same kinds, and two nodes that are not running yet.

    Args:
        world: where.
        settings: of the node on a host, for example `World.direct`.
        kinds: of ann's networks and of bob's.
        late: see `Meeting`.
        silent_seconds: see `Scene`.
    """
    places: dict[Host, tuple[Network, Network]] = {}
    for name, kind in zip(("ann", "bob"), kinds, strict=True):
        home, cafe = (world.laboratory.network(f"{name}-{place}", kind) for place in ("home", "cafe"))
        places[world.laboratory.host(name, home)] = home, cafe
    ann, bob = places
    meeting = world.meeting((ann, settings(ann)), (bob, settings(bob)), late=late)
    return Scene(meeting, ann, bob, places, silent_seconds)
