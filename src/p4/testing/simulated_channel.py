"""What the end of a simulated link keeps of one of its channels."""

from __future__ import annotations

import asyncio

from p4.testing.loose_lane import LooseLane
from p4.testing.world import Lane

__all__ = ["Lanes", "SimulatedChannel"]

Lanes = Lane[str | bytes | None] | LooseLane[str | bytes]
"""What carries the messages of a channel: the first if ordered and reliable, with None to announce it."""


class SimulatedChannel:
    """One end of a data channel, what it sends, and how many bytes of that are on their way.

    An ordered, reliable channel carries its announcement itself. Beside one of another kind a lane of that
    kind brings announcement and confirmation, as RFC 8832 (section 6) has them sent whatever the channel's
    kind; such a channel opens when it is confirmed.
    """

    def __init__(
        self,
        lane: Lanes,
        control: Lane[None] | None,
        *,
        ordered: bool,
        reliable: bool,
    ) -> None:
        self.lane = lane
        self.control = control
        self.ordered = ordered
        self.reliable = reliable
        self.open = False
        self.queued = 0
        self.waiting: list[asyncio.Future[None]] = []

    def announce(self) -> None:
        """Tell the other end of the channel; it, or what confirms that, comes before any message."""
        if isinstance(self.lane, Lane):
            self.lane.send(None)
        elif self.control is not None:
            self.control.send(None)

    def wake(self) -> None:
        """Little is queued any more, or the link is over."""
        for future in self.waiting:
            if not future.done():
                future.set_result(None)
