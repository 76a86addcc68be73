"""A local network in memory: implements `p4.ports.lan.LanDiscovery` for simulated hosts.

    lan = SimulatedLan(network.world)
    discovery = lan.discovery(network.host("alice"))

What it announces can be dialled with a rendezvous of `Transport.DIRECT` of the same host.
"""

from __future__ import annotations

from collections.abc import Callable

from p4.core.address import Transport
from p4.ports.lan import LanDeparture, LanEvent, LanSighting
from p4.testing.simulated_signaling import simulated_address
from p4.testing.world import Process, World

__all__ = ["SimulatedDiscovery", "SimulatedLan"]

Range = tuple[float, float]


class SimulatedLan:
    """Hosts that hear each other's announcements, unless their path is cut.

    Args:
        latency: seconds until an announcement is heard.
        memory: seconds until what a dead host announced has run out.
    """

    def __init__(self, world: World, *, latency: Range = (0.01, 0.4), memory: float = 1800.0) -> None:
        self.world = world
        self.latency = latency
        self.memory = memory
        self.members: list[SimulatedDiscovery] = []
        self._count = 0

    def discovery(self, process: Process) -> SimulatedDiscovery:
        """The end of this network on a host, which is on it from now on."""
        return SimulatedDiscovery(self, process)

    def forge(self, sighting: LanSighting) -> None:
        """Somebody announces this, to all who listen."""
        for member in list(self.members):
            member.hear(sighting)

    def new_name(self) -> str:
        """A name that no announcement has had."""
        self._count += 1
        return f"announcement {self._count}"


class SimulatedDiscovery:
    """A host's end of a `SimulatedLan`."""

    def __init__(self, lan: SimulatedLan, process: Process) -> None:
        self._lan = lan
        self.process = process
        self._observe: Callable[[LanEvent], bool] | None = None
        self._port = 0
        self._tags: tuple[bytes, ...] = ()
        self.shown: LanSighting | None = None
        """Our present announcement, as others hear it."""
        self._heard: dict[str, LanSighting] = {}
        self.announcements = 0
        """How many there were."""

    @property
    def listening(self) -> bool:
        """Whether it sends and hears anything."""
        return self._observe is not None and bool(self._tags) and self.process.alive

    async def start(self, port: int, observe: Callable[[LanEvent], bool]) -> None:
        """See `p4.ports.lan.LanDiscovery`."""
        self.process.require_alive()
        self._port, self._observe = port, observe
        self._lan.members.append(self)
        self.process.at_crash[self._die] = None

    def announce(self, tags: tuple[bytes, ...]) -> None:
        """See `p4.ports.lan.LanDiscovery`."""
        if tags == self._tags:
            return
        was_listening, self._tags = self.listening, tags
        previous, self.shown = self.shown, None
        if tags and self._port and self._observe is not None:
            place = simulated_address(self._lan.world.seed, self.process.place, Transport.DIRECT)
            self.shown = LanSighting(self._lan.new_name(), tags, (place.host,), self._port)
            self.announcements += 1
            self._send(self.shown)
        if previous is not None:
            self._send(LanDeparture(previous.name))
        if self.listening and not was_listening:
            self._look()
        elif not tags:
            self._forget()

    def network_changed(self) -> None:
        """See `p4.ports.lan.LanDiscovery`."""
        self._forget()
        if self.listening:
            self._look()
            if self.shown is not None:
                self._send(self.shown)

    async def close(self) -> None:
        """See `p4.ports.lan.LanDiscovery`."""
        if self._observe is None:
            return
        self._observe = None
        self.process.at_crash.pop(self._die, None)
        self._lan.members.remove(self)
        if self.shown is not None:
            self._send(LanDeparture(self.shown.name))
            self.shown = None

    def hear(self, event: LanEvent) -> None:
        """An announcement or its end arrives, if anybody listens here."""
        if not self.listening or self._observe is None:
            return
        if isinstance(event, LanSighting):
            if self._heard.get(event.name) == event:
                return
            self._heard[event.name] = event
        elif self._heard.pop(event.name, None) is None:
            return
        self._observe(event)

    # --- inside -----------------------------------------------------------------------------------------

    def _others(self) -> list[SimulatedDiscovery]:
        blocked = self._lan.world.blocked
        return [
            other
            for other in self._lan.members
            if other is not self and not blocked(self.process.place, other.process.place)
        ]

    def _send(self, event: LanEvent) -> None:
        for other in self._others():
            delay = self._lan.world.draw(self._lan.latency)
            # Nothing overtakes: what is taken back was announced before by the same host.
            delay += self._lan.latency[1] if isinstance(event, LanDeparture) else 0
            other.process.later(delay, other.hear, event)

    def _look(self) -> None:
        """Ask who is here; they answer."""
        for other in self._others():
            if other.shown is not None:
                delay = self._lan.world.draw(self._lan.latency) + self._lan.world.draw(self._lan.latency)
                self.process.later(delay, self._answered, other)

    def _answered(self, other: SimulatedDiscovery) -> None:
        if other.shown is not None and other.process.alive:
            self.hear(other.shown)

    def _forget(self) -> None:
        heard, self._heard = self._heard, {}
        if self._observe is not None:
            for name in heard:
                self._observe(LanDeparture(name))

    def _die(self, silent: bool) -> None:
        """Nobody is told: what was announced is believed until it runs out."""
        self._lan.members.remove(self)
        if self.shown is not None:
            for other in self._lan.members:
                other.process.later(self._lan.memory, other.hear, LanDeparture(self.shown.name))
