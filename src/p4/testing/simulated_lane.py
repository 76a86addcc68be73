"""Simulated lanes over TCP: they exist where the world lets them, break, and fall silent."""

# ruff: noqa: SLF001 - the two ends of a lane are halves of one thing and reach into each other

from __future__ import annotations

import asyncio
import ipaddress

from p4.core import limits
from p4.core.session.lane_frames import LaneAddress, LaneInvitation
from p4.errors import LinkError
from p4.ports.lane import LaneClosed, LaneMessage, LaneReady, LaneSink
from p4.testing.world import Lane, Process, World

__all__ = ["SimulatedLane", "SimulatedStreamLanes", "StreamLaneRegistry"]

_ADDRESS = LaneAddress(ipaddress.IPv4Address("192.168.0.1"), 4000)


class StreamLaneRegistry:
    """Every lane end of the simulation, and who listens."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.listening: dict[bytes, SimulatedLane] = {}
        self.reachable = True
        """Whether anybody is reached by TCP at all."""
        self._ends: list[SimulatedLane] = []

    def add(self, lane: SimulatedLane) -> None:
        """A new end."""
        self._ends.append(lane)

    def open_lanes(self) -> list[SimulatedLane]:
        """Ends that are connected and whose process lives."""
        self._ends = [end for end in self._ends if not end.over]
        return [end for end in self._ends if end.other is not None and end.process.alive]


class SimulatedLane:
    """One end; implements `p4.ports.lane.Lane`."""

    def __init__(self, process: Process, registry: StreamLaneRegistry, sink: LaneSink) -> None:
        self.process = process
        self.other: SimulatedLane | None = None
        self.over = False
        self.silent = False
        """What it sends vanishes, and so does what the other end sends."""
        self._registry = registry
        self._sink = sink
        self._way: Lane[bytes] | None = None
        registry.add(self)

    def join(self, other: SimulatedLane) -> None:
        """Two ends are connected."""
        for end, far in ((self, other), (other, self)):
            end.other = far
            end._way = Lane(end.process, far.process, end._latency, far._arrived)
            end.process.at_crash[end._crashed] = None
            end.process.later(0, end._opened)

    def send(self, frame: bytes) -> None:
        """Queue a frame."""
        if not self.process.alive:
            return
        if self.over or self._way is None:
            raise LinkError("The lane is not open.", code="not-open")
        if not (self.silent or (self.other is not None and self.other.silent)):
            self._way.send(frame)

    def close(self) -> None:
        """End it; what is on its way arrives in part."""
        if self.over:
            return
        self._end()
        if self._way is not None:
            self._way.lose_tail()
        if self.other is not None:
            delay = 2 * self.process.world.conditions.link_latency[1]
            self.other.process.later(delay, self.other.break_off)

    def break_off(self) -> None:
        """It breaks at this end: what it has not delivered yet arrives in part."""
        if self.over:
            return
        self.process.world.note(f"a lane of {self.process.name} breaks")
        self._end()
        if self._way is not None:
            self._way.lose_tail()
        if self.process.alive:
            self.process.later(0, self._sink, LaneClosed("simulated break"))

    def _latency(self) -> float:
        return self.process.world.draw(self.process.world.conditions.link_latency)

    def _end(self) -> None:
        self.over = True
        self.process.at_crash.pop(self._crashed, None)
        for token, lane in list(self._registry.listening.items()):
            if lane is self:
                del self._registry.listening[token]

    def _opened(self) -> None:
        if not self.over:
            self._sink(LaneReady())

    def _arrived(self, frame: bytes) -> None:
        if not self.over:
            self._sink(LaneMessage(frame))

    def _crashed(self, silent: bool) -> None:
        self.over = True
        if self._way is not None:
            self._way.lose_tail()
        if self.other is not None and not silent:
            self.other.process.later(0.01, self.other.break_off)


class SimulatedStreamLanes:
    """Makes lanes for one process; implements `p4.ports.lane.StreamLanes`."""

    def __init__(self, process: Process, registry: StreamLaneRegistry) -> None:
        self._process = process
        self._registry = registry

    async def listen(
        self, token: bytes, sink: LaneSink, *, local_only: bool = False
    ) -> tuple[SimulatedLane, LaneInvitation]:
        """Wait for one dialler that shows the token."""
        self._process.require_alive()
        lane = SimulatedLane(self._process, self._registry, sink)
        self._registry.listening[token] = lane
        self._process.later(limits.LANE_OPEN_SECONDS, self._registry.listening.pop, token, None)
        return lane, LaneInvitation(bytes(32), token, (_ADDRESS,))

    async def dial(
        self, invitation: LaneInvitation, sink: LaneSink, *, local_only: bool = False
    ) -> SimulatedLane:
        """Connect to a listener that is reachable at the moment."""
        self._process.require_alive()
        world = self._process.world
        await asyncio.sleep(world.draw(world.conditions.link_setup))
        far = self._registry.listening.pop(invitation.token, None)
        if far is None or not self._registry.reachable or not far.process.alive:
            raise LinkError("Nobody answers.", code="not-reached")
        if world.blocked(self._process.place, far.process.place):
            raise LinkError("The path is blocked.", code="not-reached")
        near = SimulatedLane(self._process, self._registry, sink)
        near.join(far)
        return near

    async def close(self) -> None:
        """Nothing is left over."""
