"""Addresses of simulated hosts: what listens at them, and who dials them straight."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable

from p4.core.address import RendezvousAddress, Transport
from p4.errors import RendezvousError
from p4.ports import RendezvousPhase, RendezvousStatus, SignalStream
from p4.testing.simulated_signaling import SignalingSwitch
from p4.testing.simulated_stream import SimulatedStream
from p4.testing.world import Process

__all__ = ["DOORWAY_PORT", "SimulatedDirectDialler", "SimulatedDoorway", "leads"]

DOORWAY_PORT = 50_000
"""Where every simulated doorway listens."""

LOCAL_BITS = 24
"""Hosts whose private IPv4 addresses have so many bits in common are in one local network."""


class SimulatedDoorway:
    """Takes what arrives at the addresses of a host; implements `p4.ports.doorway.Doorway`."""

    def __init__(self, process: Process, switch: SignalingSwitch) -> None:
        self.process = process
        self._switch = switch
        self._accept: Callable[[SignalStream], Awaitable[None]] | None = None
        self._streams: list[SimulatedStream] = []

    async def start(self, accept: Callable[[SignalStream], Awaitable[None]]) -> int:
        """Listen at all addresses of the host, also at those that it gets later."""
        self._accept = accept
        self._switch.doorways[self.process.place] = self
        return DOORWAY_PORT

    async def close(self) -> None:
        """Stop listening; every stream ends."""
        if self._switch.doorways.get(self.process.place) is self:
            del self._switch.doorways[self.process.place]
        self._accept = None
        for stream in self._streams:
            stream.close()

    def begin(self, stream: SimulatedStream) -> None:
        """Serve a new stream."""
        if self._accept is None:
            stream.close()
            return
        self._streams = [*(known for known in self._streams if not known.over), stream]
        self.process.spawn(self._serve(self._accept, stream), name="accepts")

    @staticmethod
    async def _serve(accept: Callable[[SignalStream], Awaitable[None]], stream: SimulatedStream) -> None:
        try:
            await accept(stream)
        finally:
            stream.close()


class SimulatedDirectDialler:
    """Dials addresses of hosts and listens nowhere; implements `p4.ports.Rendezvous`."""

    def __init__(self, process: Process, switch: SignalingSwitch) -> None:
        self._process = process
        self._switch = switch

    @property
    def transport(self) -> Transport:
        """Always `Transport.DIRECT`."""
        return Transport.DIRECT

    @property
    def status(self) -> RendezvousStatus:
        """Never started."""
        return RendezvousStatus(RendezvousPhase.STOPPED, 0, "It only dials.")

    async def start(
        self,
        accept: Callable[[SignalStream], Awaitable[None]],
        observe: Callable[[RendezvousStatus], None],
    ) -> RendezvousAddress:
        """Not possible. Raises RendezvousError (``stopped``)."""
        raise RendezvousError("This rendezvous only dials.", code="stopped")

    async def dial(self, address: RendezvousAddress, *, timeout: float, fresh: bool = False) -> SignalStream:
        """Open a stream to whoever has the address now; what leads nowhere hangs."""
        self._process.require_alive()
        world = self._process.world
        world.note(f"{self._process.name} dials {address.host}")
        # A connection takes one round trip.
        await asyncio.sleep(2 * world.draw(world.conditions.latency))
        doorway = self._doorway_at(address)
        if doorway is None:
            await asyncio.sleep(timeout)
            raise RendezvousError(f"{address} did not answer within {timeout:g} seconds.", code="timeout")
        near = SimulatedStream(self._process, f"{self._process.name} straight to {doorway.process.name}")
        far = SimulatedStream(doorway.process, f"{doorway.process.name} straight from {self._process.name}")
        SimulatedStream.connect(near, far)
        for stream in (near, far):
            stream.process.at_crash[stream.crash] = None
        self._switch.streams = [*self._switch.living_streams(), near, far]
        doorway.process.later(0, doorway.begin, far)
        return near

    async def network_changed(self, *, connected: bool = True) -> None:
        """Nothing is remembered."""

    async def close(self) -> None:
        """Nothing is open."""

    def _doorway_at(self, address: RendezvousAddress) -> SimulatedDoorway | None:
        world, me = self._process.world, self._process.place
        mine = world.addresses.get(me, frozenset())
        for place, doorway in self._switch.doorways.items():
            there = address.host in world.addresses.get(place, frozenset()) and doorway.process.alive
            apart = world.blocked(me, place) or world.blocked(place, me)
            if there and not apart and address.port == DOORWAY_PORT and leads(mine, address.host):
                return doorway
        return None


def leads(mine: frozenset[str], host: str) -> bool:
    """Whether packets from these addresses reach that one: a private one only from its own network."""
    if not mine:
        return False
    if ipaddress.ip_address(host).is_global:
        return True
    network = ipaddress.ip_network((host, LOCAL_BITS), strict=False)
    return any(ipaddress.ip_address(address) in network for address in mine)
