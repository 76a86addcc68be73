"""The place of a node in direct mode: its own signaling port, where guests and contacts come alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from p4.core import limits
from p4.core.address import RendezvousAddress
from p4.core.pairing.exchange import FIRST_BYTES
from p4.errors import RendezvousError
from p4.ports import Rendezvous, SignalStream
from p4.ports.pairing import MeetingKind

__all__ = ["FrontDoor", "ReplayedLine"]

_AGAIN_SECONDS = 0.5


class FrontDoor:
    """Meeting places at signaling ports; implements `p4.ports.pairing.MeetingPlaces`.

    Every invite of the node is at this one place: the tag in the first line tells which.

    Args:
        rendezvous: dials; of its kind is our own address, if others can come straight to us.
        own: where guests come; None if they cannot come this way.
    """

    def __init__(self, rendezvous: Rendezvous, own: Callable[[], RendezvousAddress | None]) -> None:
        self._rendezvous = rendezvous
        self._own = own
        self._hosted: dict[_Hosted, Callable[[SignalStream], Awaitable[None]]] = {}
        self._visitors: list[SignalStream] = []

    @property
    def kind(self) -> MeetingKind:
        """Always `MeetingKind.DIRECT`."""
        return MeetingKind.DIRECT

    async def host(self, seed: bytes, accept: Callable[[SignalStream], Awaitable[None]]) -> _Hosted:
        """See `p4.ports.pairing.MeetingPlaces`."""
        hosted = _Hosted(self._own, self._hosted.pop)
        self._hosted[hosted] = accept
        return hosted

    async def visit(
        self, seed: bytes, *, address: RendezvousAddress | None = None, timeout: float
    ) -> SignalStream:
        """See `p4.ports.pairing.MeetingPlaces`."""
        if address is None:
            raise RendezvousError("The link names no address to go to.", code="no-address")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            remaining = max(deadline - loop.time(), 0.0)
            try:
                return await self._rendezvous.dial(address, timeout=max(remaining, 0.1))
            except RendezvousError:
                if loop.time() + _AGAIN_SECONDS >= deadline:
                    raise
            await asyncio.sleep(_AGAIN_SECONDS)

    def takes(self, line: bytes) -> bool:
        """Whether a first line at our signaling port is a guest's, and we have a place for it."""
        return bool(self._hosted) and line.startswith(FIRST_BYTES)

    async def serve(self, stream: SignalStream, line: bytes) -> None:
        """Take over a stream with its first line."""
        accept = next(iter(self._hosted.values()), None)
        if accept is None:
            stream.close()
            return
        if len(self._visitors) >= limits.MEETING_VISITORS:
            self._visitors.pop(0).close()
        self._visitors.append(stream)
        try:
            await accept(ReplayedLine(stream, line))
        finally:
            if stream in self._visitors:
                self._visitors.remove(stream)

    async def close(self) -> None:
        """Nobody is let in any more."""
        self._hosted.clear()


class _Hosted:
    """One invite at the door."""

    def __init__(
        self, own: Callable[[], RendezvousAddress | None], leave: Callable[[_Hosted, None], object]
    ) -> None:
        self._own = own
        self._leave = leave

    @property
    def address(self) -> RendezvousAddress | None:
        """Our own, for the link."""
        return self._own()

    async def wait_open(self) -> None:
        """The port is open as long as the node runs."""

    async def close(self) -> None:
        """Let nobody in for this one any more."""
        self._leave(self, None)


class ReplayedLine:
    """A stream whose first line was read already, and comes once more."""

    def __init__(self, stream: SignalStream, line: bytes) -> None:
        self._stream = stream
        self._line: bytes | None = line

    @property
    def description(self) -> str:
        """That of the stream."""
        return self._stream.description

    async def receive_line(self) -> bytes | None:
        """See `p4.ports.SignalStream`."""
        if self._line is not None:
            line, self._line = self._line, None
            return line
        return await self._stream.receive_line()

    async def send_line(self, line: bytes) -> None:
        """See `p4.ports.SignalStream`."""
        await self._stream.send_line(line)

    def close(self) -> None:
        """See `p4.ports.SignalStream`."""
        self._stream.close()
