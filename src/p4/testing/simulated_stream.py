"""A simulated line stream of signaling: two ends, and every way in which it breaks."""

# ruff: noqa: SLF001 - the two ends of a stream are halves of one thing and reach into each other

from __future__ import annotations

import asyncio
from collections import deque

from p4.core import limits
from p4.errors import RendezvousError, SignalingError
from p4.testing.world import Lane, Process

__all__ = ["SimulatedStream"]

BUFFER_BYTES = 256 * 1024
"""Unread bytes that a stream takes before ``send_line`` waits (socket and Tor buffers)."""


class SimulatedStream:
    """One end of a simulated signaling stream; implements `p4.ports.SignalStream`."""

    def __init__(self, process: Process, description: str) -> None:
        self.process = process
        self._description = description
        self._other: SimulatedStream | None = None
        self._lane: Lane[bytes | None] | None = None
        self._unread: deque[bytes] = deque()
        self._outstanding = 0
        self._arrival: asyncio.Future[None] | None = None
        self._room: list[asyncio.Future[None]] = []
        self._ended = False
        self._closed = False
        self._broken = False

    @staticmethod
    def connect(near: SimulatedStream, far: SimulatedStream) -> None:
        """Join two ends."""
        for source, target in ((near, far), (far, near)):
            world = source.process.world
            source._other = target
            source._lane = Lane(
                source.process,
                target.process,
                lambda world=world: world.draw(world.conditions.latency),  # type: ignore[misc]
                target._take,
            )

    @property
    def description(self) -> str:
        """Which way and to whom."""
        return self._description

    @property
    def over(self) -> bool:
        """Whether this end was closed or has broken."""
        return self._closed or self._broken or not self.process.alive

    async def receive_line(self) -> bytes | None:
        r"""The next line without its ``\n``; None after the other side's end or our own `close`."""
        while True:
            self.process.require_alive()
            if self._unread:
                return self._read_line()
            if self._closed:
                return None
            if self._broken:
                raise self._broken_error()
            if self._ended:
                return None
            if self._arrival is not None:
                raise RuntimeError("two tasks read from one stream")
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None

    async def send_line(self, line: bytes) -> None:
        """Write one line and wait until the network took it."""
        self.process.require_alive()
        if self._closed or self._broken or self._lane is None:
            raise self._broken_error()
        world = self.process.world
        if world.chance(world.conditions.line_breaks_stream):
            self.break_off()
            raise self._broken_error()
        # A line break inside the line is one on the wire as well.
        for part in line.split(b"\n"):
            self._outstanding += len(part) + 1
            self._lane.send(part)
        while self._outstanding > BUFFER_BYTES and not self._closed and not self._broken:
            room = asyncio.get_running_loop().create_future()
            self._room.append(room)
            try:
                await room
            finally:
                self._room.remove(room)
        await asyncio.sleep(0)
        if self._broken or self._closed:
            raise self._broken_error()

    def close(self) -> None:
        """End both directions. What was sent still arrives, then the end."""
        if self._closed:
            return
        self._closed = True
        self._unread.clear()
        self.process.at_crash.pop(self.crash, None)
        if self._lane is not None and not self._broken and self.process.alive:
            self._lane.send(None)
        self._wake()

    # --- faults ---------------------------------------------------------------------------------------

    def break_off(self) -> None:
        """The connection breaks in the middle: both ends notice after a while, lines on the way are lost."""
        self.process.world.note(f"stream breaks: {self._description}")
        for end in (self, self._other):
            if end is not None:
                if end._lane is not None:
                    end._lane.lose_tail()
                end.process.later(self._latency(), end._fail)

    def fall_silent(self) -> None:
        """Packets vanish in both directions, for good, and nobody is told."""
        for end in (self, self._other):
            if end is not None and end._lane is not None:
                end._lane.stop()

    def crash(self, silent: bool) -> None:
        """The process of this end died: the other sees the end (or a reset), or nothing at all if silent."""
        if self._other is None or self._lane is None:
            return
        world = self.process.world
        if silent:
            self._lane.stop()
        elif world.chance(0.25):
            self._lane.stop()
            self._other.process.later(self._latency(), self._other._fail)
        else:
            self._lane.lose_tail()
            self._lane.send(None)

    # --- inside ---------------------------------------------------------------------------------------

    def _latency(self) -> float:
        return self.process.world.draw(self.process.world.conditions.latency)

    def _read_line(self) -> bytes:
        line = self._unread.popleft()
        if self._other is not None:
            self._other._taken(len(line) + 1)
        if len(line) + 1 > limits.SIGNALING_LINE_BYTES:
            self.close()
            raise SignalingError(
                f"A signaling line is longer than {limits.SIGNALING_LINE_BYTES} bytes.", code="line-too-long"
            )
        return line

    def _taken(self, size: int) -> None:
        self._outstanding -= size
        self._wake_writers()

    def _take(self, line: bytes | None) -> None:
        if self._closed or self._broken:
            return
        if line is None:
            self._ended = True
        else:
            self._unread.append(line)
        self._wake()

    def _fail(self) -> None:
        if not self._closed:
            self._broken = True
            self._wake()

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)
        if self._closed or self._broken:
            self._wake_writers()

    def _wake_writers(self) -> None:
        for room in self._room:
            if not room.done():
                room.set_result(None)

    def _broken_error(self) -> RendezvousError:
        return RendezvousError(
            f"The signaling stream ({self._description}) broke. Nothing is lost; P4 dials again by itself.",
            code="stream-broken",
        )
