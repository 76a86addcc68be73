"""A lane that is one more WebRTC connection (spec/lanes.md, "Peer lanes")."""

from __future__ import annotations

from p4.core.ice import IceSettings
from p4.ports import ChannelOpened, LinkBackend, LinkClosed, LinkEvent, LinkMessage
from p4.ports.lane import LaneClosed, LaneMessage, LaneReady, LaneSink

__all__ = ["PeerLane"]

LABEL = "p4.lane"


class PeerLane:
    """Implements `p4.ports.lane.Lane` on a `p4.ports.Link`."""

    def __init__(self, backend: LinkBackend, ice: IceSettings, sink: LaneSink) -> None:
        self._sink = sink
        self._over = False
        self._link = backend.create(ice, self._event)

    async def offer(self) -> str:
        """Our offer (SDP). Raises LinkError."""
        return await self._link.offer(LABEL)

    async def answer(self, sdp: str) -> str:
        """Our answer (SDP). Raises LinkError."""
        return await self._link.answer(sdp)

    async def accept_answer(self, sdp: str) -> None:
        """Take the other side's answer. Raises LinkError."""
        await self._link.accept_answer(sdp)

    def send(self, frame: bytes) -> None:
        """See `Lane.send`."""
        self._link.send(LABEL, frame)

    def close(self) -> None:
        """See `Lane.close`."""
        self._over = True
        self._link.close()

    def _event(self, event: LinkEvent) -> None:
        if self._over:
            return
        match event:
            case ChannelOpened(label) if label == LABEL:
                self._sink(LaneReady())
            case LinkMessage(label, bytes(data)) if label == LABEL:
                self._sink(LaneMessage(data))
            case LinkMessage():
                self.close()
                self._sink(LaneClosed("the other side sent what does not belong on a lane"))
            case LinkClosed(reason):
                self._over = True
                self._sink(LaneClosed(reason))
            case _:
                pass
