"""A network in memory on virtual time, with every fault that a real one has, all of them by seed.

    def test_they_find_each_other() -> None:
        async def scenario(network: SimulatedNetwork) -> None:
            alice, bob = network.host("alice"), network.host("bob")
            await alice.run(start_a_node(alice.rendezvous(), alice.links(), alice.store(), …))
            …
            bob.crash()                       # kill -9
            bob = network.host("bob")         # the next incarnation: same address, same disk

        simulate(scenario, seed=7)

Whatever is started with ``host.run`` or ``host.spawn`` dies with the host. A failure shows the seed and
the trace of what the network did.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

from p4.core.address import RendezvousAddress, Transport
from p4.core.contacts import ContactBook
from p4.core.own_keys import OwnKeys
from p4.core.pairing.secrets import PairingSecret
from p4.node.pairing.parts import PairingParts
from p4.node.presence import Presence
from p4.ports.pairing import MeetingKind
from p4.testing.memory_store import MemoryDisk, MemoryStore
from p4.testing.simulated_backend import SimulatedLinkBackend
from p4.testing.simulated_link import LinkRegistry, SimulatedLink
from p4.testing.simulated_mapper import SimulatedPortMapper
from p4.testing.simulated_meeting import SimulatedMeetingPlaces
from p4.testing.simulated_monitor import SimulatedMonitor
from p4.testing.simulated_presence import SimulatedDirectDialler, SimulatedDoorway, leads
from p4.testing.simulated_signaling import SignalingSwitch, SimulatedRendezvous, simulated_address
from p4.testing.simulated_stream import SimulatedStream
from p4.testing.virtual_time import SeededEntropy, VirtualClock, run
from p4.testing.world import Conditions, CrashedError, Process, World

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Conditions", "CrashedError", "SimulatedHost", "SimulatedNetwork", "simulate"]

T = TypeVar("T")

TRACE_LINES = 200
"""Lines of the trace shown with a failure."""


class SimulatedHost(Process):
    """One incarnation of a simulated device: what a node on it needs from the world.

    Made by `SimulatedNetwork.host`.
    """

    def __init__(self, network: SimulatedNetwork, place: str, incarnation: int, disk: MemoryDisk) -> None:
        super().__init__(network.world, place, incarnation)
        self._network = network
        self.disk = disk
        """What survives a crash: the next incarnation gets the same."""
        self.clock = VirtualClock()
        self.monitor: SimulatedMonitor | None = None
        """Tells its node of changes, once it has a `presence`."""
        self.mapper = SimulatedPortMapper()
        """The router of its network, as far as it passes ports on: a test grants that."""
        self.entropy = SeededEntropy(f"{network.world.seed} {self.name}")

    def rendezvous(self, transport: Transport = Transport.ONION) -> SimulatedRendezvous:
        """A rendezvous of this host. Its address depends on the host's name only."""
        return SimulatedRendezvous(self, self._network.switch, transport)

    def address(self, transport: Transport = Transport.ONION) -> RendezvousAddress:
        """The address at which this host's rendezvous listens, for invites."""
        return simulated_address(self.world.seed, self.place, transport)

    def links(self) -> SimulatedLinkBackend:
        """A link backend of this host."""
        return SimulatedLinkBackend(self, self._network.registry)

    def presence(self) -> Presence | None:
        """Its addresses, and who takes what arrives there; None if it has none that could change."""
        if self.place not in self.world.addresses:
            return None
        self.monitor = SimulatedMonitor(self.world.addresses[self.place])
        return Presence(SimulatedDoorway(self, self._network.switch), self.monitor, self.mapper)

    def pairing(self) -> PairingParts:
        """Where it meets devices that it does not know yet, and the file of its open invites."""
        kinds = {MeetingKind.ONION: lambda place: True, MeetingKind.LAN: self._is_near}
        return PairingParts(
            places=[SimulatedMeetingPlaces(self, self._network.switch, *entry) for entry in kinds.items()],
            load_invites=lambda: self._network.invites.get(self.place),
            save_invites=lambda data: self._network.invites.update({self.place: data}),
            usual_name=self.place,
            secret_of_words=_secret_of_words,
        )

    def _is_near(self, place: str) -> bool:
        mine, theirs = (self.world.addresses.get(name, frozenset()) for name in (self.place, place))
        return any(leads(mine, host) and not ip_address(host).is_global for host in theirs)

    def direct_dialler(self) -> SimulatedDirectDialler:
        """Dials addresses of other hosts."""
        return SimulatedDirectDialler(self, self._network.switch)

    def store(self, *, commit_seconds: float = 0.002, return_seconds: float = 0.001) -> MemoryStore:
        """A store on this host's disk that dies with the host."""
        store = MemoryStore(self.disk, commit_seconds=commit_seconds, return_seconds=return_seconds)
        self.at_crash[lambda silent: store.crash()] = None
        return store

    def crash(self) -> None:
        """Kill -9: no code of it runs any more; other hosts' streams end, its links just fall silent."""
        self.die(silent=False)

    def lose_power(self, *, kept: float = 0.0) -> None:
        """Like `crash`, but other hosts' streams are not told, and what was not synchronised is gone.

        Args:
            kept: the part of the latter, 0 to 1, that is there all the same.
        """
        if self.alive:
            self.die(silent=True)
            self.disk.lose_power(kept=kept)


class SimulatedNetwork:
    """Hosts, the paths between them, and the faults. Use inside a running (virtual) loop.

    Args:
        seed: the same seed gives the same run.
        conditions: how it behaves; may be replaced by assignment on the way.
    """

    def __init__(self, seed: int | str = 0, conditions: Conditions | None = None) -> None:
        self.world = World(seed, conditions or Conditions())
        self.switch = SignalingSwitch(self.world)
        self.registry = LinkRegistry(self.world)
        self._hosts: dict[str, SimulatedHost] = {}
        self.contacts: dict[str, ContactBook] = {}
        """By host, the contacts of its node: a file of its own, which survives a crash."""
        self.keys: dict[str, OwnKeys] = {}
        """By host, its keys once they were changed: likewise."""
        self.invites: dict[str, bytes] = {}
        """By host, the file of its node's open invites, likewise."""

    def host(self, name: str) -> SimulatedHost:
        """The living incarnation of a host, or its next one: with the same address and the same disk."""
        current = self._hosts.get(name)
        if current is not None and current.alive:
            return current
        incarnation, disk = (1, MemoryDisk()) if current is None else (current.incarnation + 1, current.disk)
        host = self._hosts[name] = SimulatedHost(self, name, incarnation, disk)
        return host

    def is_alive(self, name: str) -> bool:
        """Whether an incarnation of the host is running."""
        return name in self._hosts and self._hosts[name].alive

    @property
    def conditions(self) -> Conditions:
        """How it behaves at present."""
        return self.world.conditions

    @conditions.setter
    def conditions(self, conditions: Conditions) -> None:
        self.world.conditions = conditions

    @property
    def trace(self) -> list[str]:
        """What happened so far, one line with the virtual time each."""
        return list(self.world.trace)

    # --- paths ----------------------------------------------------------------------------------------

    def partition(self, one: Iterable[str], other: Iterable[str]) -> None:
        """Packets between the two groups of host names vanish, in both directions."""
        one, other = list(one), list(other)
        self.world.note(f"partition {one} | {other}")
        for near, far in product(one, other):
            self.world.cut(near, far)
            self.world.cut(far, near)

    def cut(self, source: str, target: str) -> None:
        """Packets from ``source`` to ``target`` vanish; the other direction works."""
        self.world.note(f"cut {source} to {target}")
        self.world.cut(source, target)

    def heal(self) -> None:
        """Every path works again; what the transports held back is delivered."""
        self.world.note("heal")
        self.world.mend()

    def move(self, name: str, *addresses: str, told: bool = True) -> None:
        """A host has these addresses from now on: its first ones, if its node has not begun.

        Links made over addresses that it has no more are dead, and so is every stream if none of its
        addresses has stayed; nobody is told of that. Private addresses whose first 24 bits agree are in one
        local network.

        Args:
            told: whether the host notices it.
        """
        before = self.world.addresses.get(name, frozenset())
        self.world.note(f"{name} moves to {addresses}")
        self.world.addresses[name] = frozenset(addresses)
        if before and not before & frozenset(addresses):
            for stream in self.streams(name):
                stream.fall_silent()
        current = self._hosts.get(name)
        if told and current is not None and current.alive and current.monitor is not None:
            # In the host's own context: what its node begins now must die with it.
            current.later(0, current.monitor.change, *addresses)

    # --- streams and links ----------------------------------------------------------------------------

    def streams(self, *places: str) -> list[SimulatedStream]:
        """Living stream ends on these hosts, or on all."""
        return [
            stream for stream in self.switch.living_streams() if not places or stream.process.place in places
        ]

    def links(self, *places: str) -> list[SimulatedLink]:
        """Ends of open links on these hosts, or on all."""
        return [link for link in self.registry.open_links() if not places or link.process.place in places]

    def break_streams(self, *places: str) -> int:
        """Break every signaling stream of these hosts (or all); both ends get ``stream-broken``.

        Returns:
            How many ends were broken.
        """
        streams = self.streams(*places)
        for stream in streams:
            stream.break_off()
        return len(streams)

    def break_links(self, *places: str, reason: str = "simulated break") -> int:
        """The libraries of these hosts' link ends (or of all) report ``LinkClosed``.

        Only the ends on the named hosts notice; the others fall silent until their consent expires.

        Returns:
            How many ends were closed.
        """
        links = self.links(*places)
        for link in links:
            link.fail(reason)
        return len(links)

    def silence_links(self, *places: str) -> list[SimulatedLink]:
        """Packets of these hosts' present links vanish (a NAT lost its mapping); later links work.

        Returns:
            The silenced ends; ``speak_again`` on each of them undoes it.
        """
        links = self.links(*places)
        for link in links:
            self.world.note(f"link of {link.process.name} falls silent")
            link.silent = True
        return links

    # --- failures of the test itself --------------------------------------------------------------------

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Add the seed and the end of the trace to any exception that passes."""
        try:
            yield
        except BaseException as error:
            shown = self.trace[-TRACE_LINES:]
            error.add_note("\n".join([f"simulated network, seed {self.world.seed!r}:", *shown]))
            raise


def simulate(
    scenario: Callable[[SimulatedNetwork], Coroutine[Any, Any, T]],
    *,
    seed: int | str = 0,
    conditions: Conditions | None = None,
    limit: float = 3600.0,
) -> T:
    """Run a scenario on a new simulated network and virtual time; explain a failure by seed and trace.

    Args:
        limit: most virtual seconds it may take.
    """
    network = SimulatedNetwork(seed, conditions)
    with network.explaining():
        return run(scenario(network), limit=limit)


async def _secret_of_words(words: Sequence[str]) -> PairingSecret:
    """Without a thread, of which virtual time knows nothing."""
    return PairingSecret.of_words(words)
