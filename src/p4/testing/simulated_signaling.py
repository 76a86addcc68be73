"""Simulated signaling: the rendezvous that dials and accepts line streams."""

# ruff: noqa: SLF001 - one simulated rendezvous does what another asks of it

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from p4.core import limits
from p4.core.address import RendezvousAddress, Transport
from p4.errors import RendezvousError, StateError
from p4.ports import RendezvousPhase, RendezvousStatus, SignalStream
from p4.ports.pairing import MeetingKind
from p4.testing.simulated_stream import SimulatedStream
from p4.testing.world import Process, World

if TYPE_CHECKING:
    from p4.testing.simulated_meeting import SimulatedPlace
    from p4.testing.simulated_presence import SimulatedDoorway

__all__ = ["SignalingSwitch", "SimulatedRendezvous", "simulated_address"]

JOIN_SECONDS = 1.0
"""After this time an attempt that hangs is joined by a fresh one, as the Tor adapter does."""


def simulated_address(seed: int | str, place: str, transport: Transport) -> RendezvousAddress:
    """The rendezvous address of a place: always the same, whichever incarnation listens."""
    if transport is Transport.DIRECT:
        return RendezvousAddress(transport, f"{place.lower()}.example", 4433)
    key = hashlib.sha256(f"onion {seed} {place}".encode()).digest()
    checksum = hashlib.sha3_256(b".onion checksum" + key + b"\x03").digest()[:2]
    label = base64.b32encode(key + checksum + b"\x03").decode().lower()
    return RendezvousAddress(transport, f"{label}.onion", limits.ONION_PORT)


class SignalingSwitch:
    """Knows who listens at which address, and which streams there are."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.listeners: dict[RendezvousAddress, SimulatedRendezvous] = {}
        self.streams: list[SimulatedStream] = []
        self.doorways: dict[str, SimulatedDoorway] = {}
        """By place, who takes what arrives straight at its addresses."""
        self.meetings: dict[tuple[MeetingKind, bytes], list[SimulatedPlace]] = {}
        """By kind and seed, the places where hosts wait for guests."""

    def living_streams(self) -> list[SimulatedStream]:
        """Ends that are neither closed nor broken."""
        self.streams = [stream for stream in self.streams if not stream.over]
        return list(self.streams)


class SimulatedRendezvous:
    """Dials and accepts simulated streams; implements `p4.ports.Rendezvous`."""

    def __init__(self, process: Process, switch: SignalingSwitch, transport: Transport) -> None:
        self._process = process
        self._switch = switch
        self._transport = transport
        self._address = simulated_address(process.world.seed, process.place, transport)
        self._status = RendezvousStatus(RendezvousPhase.STOPPED, 0, "Stopped.")
        self._accept: Callable[[SignalStream], Awaitable[None]] | None = None
        self._observe: Callable[[RendezvousStatus], None] | None = None
        self._streams: list[SimulatedStream] = []
        self._serving: set[asyncio.Task[None]] = set()
        self._known: dict[RendezvousAddress, str] = {}
        self._down = False

    @property
    def transport(self) -> Transport:
        """Which kind of address it dials and gives."""
        return self._transport

    @property
    def status(self) -> RendezvousStatus:
        """The latest status."""
        return self._status

    async def start(
        self,
        accept: Callable[[SignalStream], Awaitable[None]],
        observe: Callable[[RendezvousStatus], None],
    ) -> RendezvousAddress:
        """Know our address and be able to dial; reachable a little later."""
        self._process.require_alive()
        holder = self._switch.listeners.get(self._address)
        if holder is not None and holder._process.alive:
            raise StateError("Another process has this address.", path=str(self._address), code="in-use")
        self._accept, self._observe = accept, observe
        self._process.at_crash[self._vanish] = None
        self._set_status(RendezvousPhase.PUBLISHING, 50, "Publishing.")
        await asyncio.sleep(0)
        self._process.later(self._draw(self._process.world.conditions.publish), self._publish)
        return self._address

    async def dial(self, address: RendezvousAddress, *, timeout: float, fresh: bool = False) -> SignalStream:
        """Open a stream to a peer's signaling address."""
        self._process.require_alive()
        if self._accept is None:
            raise RendezvousError("This rendezvous is not running.", code="stopped")
        self._process.world.note(f"{self._process.name} dials {address.host[:12]} {'fresh' if fresh else ''}")
        try:
            async with asyncio.timeout(timeout):
                return await self._connect(address, fresh)
        except TimeoutError as error:
            raise RendezvousError(
                f"{address} did not answer within {timeout:g} seconds.", code="timeout"
            ) from error

    async def network_changed(self, *, connected: bool = True) -> None:
        """Nothing to do: what a change of the network does to streams is a fault of its own."""

    async def close(self) -> None:
        """Stop; every stream ends."""
        if self._accept is None:
            return
        self._accept = None
        self._process.at_crash.pop(self._vanish, None)
        self._leave()
        for stream in list(self._streams):
            stream.close()
        current = asyncio.current_task()
        serving = [task for task in self._serving if task is not current]
        for task in serving:
            task.cancel()
        if serving:
            await asyncio.wait(serving)
        self._set_status(RendezvousPhase.STOPPED, 0, "Stopped.")

    # --- faults ---------------------------------------------------------------------------------------

    def fail(self) -> None:
        """Its machinery dies (Tor was killed): streams end, dials are refused, until `recover`."""
        self._down = True
        self._leave()
        for stream in list(self._streams):
            stream.break_off()
        self._set_status(RendezvousPhase.FAILED, 0, "The simulated rendezvous failed.")

    def recover(self) -> None:
        """It works again after the time it takes to publish."""
        self._down = False
        self._set_status(RendezvousPhase.STARTING, 10, "Starting again.")
        self._process.later(self._draw(self._process.world.conditions.publish), self._publish)

    # --- inside ---------------------------------------------------------------------------------------

    def _draw(self, span: tuple[float, float]) -> float:
        return self._process.world.draw(span)

    def _publish(self) -> None:
        if self._accept is not None and not self._down:
            self._switch.listeners[self._address] = self
            self._set_status(RendezvousPhase.READY, 100, "Reachable.")

    def _leave(self) -> None:
        if self._switch.listeners.get(self._address) is self:
            del self._switch.listeners[self._address]

    def _vanish(self, silent: bool) -> None:
        self._leave()

    def _set_status(self, phase: RendezvousPhase, progress: int, text: str) -> None:
        self._status = RendezvousStatus(phase, progress, text, self._address)
        if self._observe is not None:
            self._process.later(0, self._observe, self._status)

    async def _connect(self, address: RendezvousAddress, fresh: bool) -> SignalStream:
        while (stream := await self._attempt(address, fresh)) is None:
            # What hangs is joined by a fresh attempt, as `p4.ports.Rendezvous.dial` demands.
            await asyncio.sleep(JOIN_SECONDS)
            fresh = True
        return stream

    async def _attempt(self, address: RendezvousAddress, fresh: bool) -> SignalStream | None:
        """One attempt; None for one that hangs."""
        world, conditions = self._process.world, self._process.world.conditions
        if self._down or world.chance(conditions.dial_refused):
            await asyncio.sleep(self._draw(conditions.latency))
            raise RendezvousError(f"{address} refused the connection.", code="refused")
        if fresh:
            self._known.pop(address, None)
            await asyncio.sleep(self._draw(conditions.dial))
        await asyncio.sleep(self._draw(conditions.dial) + self._draw(conditions.latency))
        target = self._switch.listeners.get(address)
        if target is None and not world.chance(conditions.dead_dial_hangs):
            raise RendezvousError(f"Nobody listens at {address}.", code="unreachable")
        if target is None or self._unreachable(target) or world.chance(conditions.dial_lost):
            return None
        known = self._known.setdefault(address, target._process.name)
        if conditions.stale_addresses and known != target._process.name:
            world.note(f"{self._process.name} used a stale address of {target._process.place}")
            return None
        return self._open_stream(target)

    def _unreachable(self, target: SimulatedRendezvous) -> bool:
        near, far, world = self._process.place, target._process.place, self._process.world
        return world.blocked(near, far) or world.blocked(far, near)

    def _open_stream(self, target: SimulatedRendezvous) -> SimulatedStream:
        near = SimulatedStream(self._process, f"{self._process.name} to {target._process.name}")
        far = SimulatedStream(target._process, f"{target._process.name} from {self._process.name}")
        SimulatedStream.connect(near, far)
        for stream, owner in ((near, self), (far, target)):
            stream.process.at_crash[stream.crash] = None
            owner._streams = [*(known for known in owner._streams if not known.over), stream]
        self._switch.streams = [*self._switch.living_streams(), near, far]
        target._process.later(0, target._begin, far)
        return near

    def _begin(self, stream: SimulatedStream) -> None:
        if self._accept is None or self._down:
            stream.close()
            return
        task = self._process.spawn(self._serve(self._accept, stream), name="accepts")
        self._serving.add(task)
        task.add_done_callback(self._served)

    @staticmethod
    async def _serve(accept: Callable[[SignalStream], Awaitable[None]], stream: SimulatedStream) -> None:
        try:
            await accept(stream)
        finally:
            stream.close()

    def _served(self, task: asyncio.Task[None]) -> None:
        self._serving.discard(task)
        with suppress(asyncio.CancelledError):
            if (error := task.exception()) is not None:
                task.get_loop().call_exception_handler(
                    {"message": "accepting a simulated stream failed", "exception": error, "task": task}
                )
