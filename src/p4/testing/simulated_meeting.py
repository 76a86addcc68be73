"""Meeting places of the simulated network: where simulated nodes pair (`p4.ports.pairing`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from p4.core import limits
from p4.core.address import RendezvousAddress
from p4.errors import RendezvousError
from p4.ports import SignalStream
from p4.ports.pairing import MeetingKind
from p4.testing.simulated_signaling import SignalingSwitch
from p4.testing.simulated_stream import SimulatedStream
from p4.testing.world import Process

__all__ = ["SimulatedMeetingPlaces", "SimulatedPlace"]

_AGAIN_SECONDS = 0.3


class SimulatedMeetingPlaces:
    """Places of one kind, for one host; implements `p4.ports.pairing.MeetingPlaces`.

    An ``onion`` is found from everywhere, a ``lan`` only by hosts between which `reachable` says so.

    Args:
        reachable: whether a place on the host of this name can be reached from ours.
    """

    def __init__(
        self,
        process: Process,
        switch: SignalingSwitch,
        kind: MeetingKind,
        reachable: Callable[[str], bool] = lambda place: True,
    ) -> None:
        self._process = process
        self._switch = switch
        self._kind = kind
        self._reachable = reachable
        self._hosted: list[SimulatedPlace] = []

    @property
    def kind(self) -> MeetingKind:
        """Which kind of place these are."""
        return self._kind

    async def host(self, seed: bytes, accept: Callable[[SignalStream], Awaitable[None]]) -> SimulatedPlace:
        """See `p4.ports.pairing.MeetingPlaces`."""
        self._process.require_alive()
        place = SimulatedPlace(self._process, accept)
        self._hosted.append(place)
        world = self._process.world
        self._process.later(world.draw(world.conditions.publish), self._publish, seed, place)
        return place

    async def visit(
        self, seed: bytes, *, address: RendezvousAddress | None = None, timeout: float
    ) -> SignalStream:
        """See `p4.ports.pairing.MeetingPlaces`."""
        world = self._process.world
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while True:
                    await asyncio.sleep(world.draw(world.conditions.dial))
                    if (place := self._find(seed)) is not None:
                        return self._enter(place)
                    await asyncio.sleep(_AGAIN_SECONDS)
        raise RendezvousError("Nobody hosts this place.", code="not-found")

    async def close(self) -> None:
        """See `p4.ports.pairing.MeetingPlaces`."""
        for place in self._hosted:
            await place.close()

    # --- inside -----------------------------------------------------------------------------------------

    def _publish(self, seed: bytes, place: SimulatedPlace) -> None:
        if not place.closed:
            self._switch.meetings.setdefault((self._kind, seed), []).append(place)
            place.opened.set()

    def _find(self, seed: bytes) -> SimulatedPlace | None:
        world, me = self._process.world, self._process.place
        for place in self._switch.meetings.get((self._kind, seed), []):
            there = place.process.place
            apart = world.blocked(me, there) or world.blocked(there, me)
            if place.process.alive and not place.closed and not apart and self._reachable(there):
                return place
        return None

    def _enter(self, place: SimulatedPlace) -> SimulatedStream:
        near = SimulatedStream(self._process, f"{self._process.name} to a {self._kind} of pairing")
        far = SimulatedStream(place.process, f"a visitor of a {self._kind} of pairing")
        SimulatedStream.connect(near, far)
        for stream in (near, far):
            stream.process.at_crash[stream.crash] = None
        self._switch.streams = [*self._switch.living_streams(), near, far]
        place.process.later(0, place.enter, far)
        return near


class SimulatedPlace:
    """A place that somebody hosts; implements `p4.ports.pairing.HostedPlace`."""

    def __init__(self, process: Process, accept: Callable[[SignalStream], Awaitable[None]]) -> None:
        self.process = process
        self._accept = accept
        self._visitors: list[SimulatedStream] = []
        self.opened = asyncio.Event()
        """Visitors find it."""
        self.closed = False
        """They do not any more."""

    @property
    def address(self) -> None:
        """The seed is enough."""
        return None

    async def wait_open(self) -> None:
        """See `p4.ports.pairing.HostedPlace`."""
        await self.opened.wait()

    async def close(self) -> None:
        """See `p4.ports.pairing.HostedPlace`."""
        self.closed = True

    def enter(self, stream: SimulatedStream) -> None:
        """A visitor comes in."""
        if self.closed:
            stream.close()
            return
        self._visitors = [visitor for visitor in self._visitors if not visitor.over]
        if len(self._visitors) >= limits.MEETING_VISITORS:
            self._visitors.pop(0).close()
        self._visitors.append(stream)
        self.process.spawn(self._serve(stream), name="meets")

    async def _serve(self, stream: SimulatedStream) -> None:
        try:
            await self._accept(stream)
        finally:
            stream.close()
