"""What happens to two nodes that talk: the events of the tests and of the recovery report.

Each can be repeated. Its time is the moment from which on a recovery is counted: the change itself, or the
end of what held messages up (a blackhole, sleep).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from tests.integration.nat.meeting import Meeting
from tests.integration.nat.networks import Host, Network
from tests.integration.nat.node_process import NodeProcess
from tests.integration.nat.node_program import Settings
from tests.integration.nat.rules import Ipv6, NatKind
from tests.integration.nat.turn import Turn
from tests.integration.nat.world import World

__all__ = ["EVENTS", "HARMLESS", "OVERLAP_SECONDS", "Scene", "scene"]

OVERLAP_SECONDS = 3.0
"""So long a computer is in both networks."""


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
    turn: Turn | None = None
    """The server that both use."""
    common: NodeProcess | None = None
    """A third person, whom both know; see `introduce`."""

    async def introduce(self, seconds: float = 150.0) -> None:
        """Start the third person's node, which becomes a contact of both and lets them ask for each other."""
        assert self.common is not None
        eve = self.common
        invite = await eve.start()
        for node in (self.meeting.one, self.meeting.other):
            eve.tell(add=self.meeting.invites[node.name], name=node.name)
            node.tell(add=invite, name=eve.name)
        for node in (self.meeting.one, self.meeting.other):
            eve.tell(grant=node.name, service="introduce")
        for node in (self.meeting.one, self.meeting.other):
            await eve.connected_to(node.name, seconds=seconds)

    @property
    def networks(self) -> list[Network]:
        """All of both."""
        return [network for pair in self.places.values() for network in dict.fromkeys(pair)]

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
        """She joins another network and leaves the old one later; the time is when she joins.

        What has an address of the old network still goes over it, until she leaves.
        """
        return await self._overlap(by_source=True)

    async def another_is_preferred(self) -> float:
        """The same, but from the moment on at which she joins everything goes over the new network."""
        return await self._overlap(by_source=False)

    async def _overlap(self, *, by_source: bool) -> float:
        old, new = self.ann.attachment().network, self._other_place(self.ann)
        self.ann.route_by_source(by_source)
        begun = self.ann.attach(new)
        await asyncio.sleep(OVERLAP_SECONDS)
        self.ann.detach(old)
        return begun

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

    async def servers_restart(self) -> float:
        """The STUN and TURN server is down for a while; the time is when it goes."""
        assert self.turn is not None
        begun = self.turn.stop("static")
        await asyncio.sleep(self.silent_seconds)
        await asyncio.to_thread(self.turn.start, "static")
        return begun

    async def signaling_is_down(self) -> float:
        """Neither router lets TCP through for a while: no listener and no Tor; the time is when it begins."""
        networks = [host.attachment().network for host in (self.ann, self.bob)]
        begun = min(network.blackhole(protocol="tcp") for network in networks)
        await asyncio.sleep(self.silent_seconds)
        for network in networks:
            network.blackhole(False)
        return begun

    async def tor_dies(self) -> float:
        """Her node's Tor is killed."""
        begun = time.monotonic()
        for process in self.meeting.one.children("tor"):
            process.kill()
        return begun

    async def go_home(self) -> bool:
        """Both are in their first networks, as at the beginning. Returns whether somebody had to go."""
        away = [host for host in self.places if host.attachment().network is not self.places[host][0]]
        for host in away:
            host.roam(self.places[host][0])
        return bool(away)

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
    "another network is preferred": Scene.another_is_preferred,
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

HARMLESS: dict[str, Callable[[Scene], Awaitable[float]]] = {
    "STUN and TURN server restarts": Scene.servers_restart,
    "signaling is down": Scene.signaling_is_down,
}
"""What a link that is up has nothing to do with."""


def scene(
    world: World,
    settings: Callable[[Host], Settings],
    *,
    kinds: tuple[NatKind, NatKind] = (NatKind.PORT_RESTRICTED, NatKind.PORT_RESTRICTED),
    late: float = 0.3,
    silent_seconds: float = 8.0,
    ipv6: Ipv6 = Ipv6.ABSENT,
    mapping_seconds: int | None = None,
    cafes: bool = True,
    meet: Callable[[tuple[Host, Settings], tuple[Host, Settings], float], Meeting] | None = None,
) -> Scene:
    """Build two homes, two other networks of the same kinds, and two nodes that are not running yet.

    Args:
        world: where.
        settings: of the node on a host, for example `World.direct`.
        kinds: of ann's networks and of bob's.
        late: see `Meeting`.
        silent_seconds: see `Scene`.
        ipv6: of all networks.
        mapping_seconds: of all networks; see `Laboratory.network`.
        cafes: whether each has another network to go to; otherwise both of hers, and of his, are one.
        meet: makes the meeting of other programs than our nodes.
    """
    places: dict[Host, tuple[Network, Network]] = {}
    for name, kind in zip(("ann", "bob"), kinds, strict=True):
        build = partial(world.laboratory.network, kind=kind, ipv6=ipv6, mapping_seconds=mapping_seconds)
        home = build(f"{name}-home")
        cafe = build(f"{name}-cafe") if cafes else home
        places[world.laboratory.host(name, home)] = home, cafe
    ann, bob = places
    nodes = (ann, settings(ann)), (bob, settings(bob))
    meeting = meet(*nodes, late) if meet else world.meeting(*nodes, late=late)
    return Scene(meeting, ann, bob, places, silent_seconds, world.turn)
