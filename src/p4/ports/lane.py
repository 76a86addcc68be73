"""The port of lanes: further connections beside a link, for DATA of streams (spec/lanes.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from p4.core.session.lane_frames import LaneInvitation

__all__ = ["Lane", "LaneClosed", "LaneEvent", "LaneMessage", "LaneReady", "LaneSink", "StreamLanes"]


@dataclass(frozen=True, slots=True)
class LaneReady:
    """The lane is open: whoever is at its other end has shown that the invitation came to them."""


@dataclass(frozen=True, slots=True)
class LaneMessage:
    """One frame arrived, in the order in which they were sent."""

    data: bytes | memoryview
    """Valid only until the sink returns."""


@dataclass(frozen=True, slots=True)
class LaneClosed:
    """The lane is over, or did not open; no event follows. Not raised for our own ``close()``."""

    reason: str


LaneEvent = LaneReady | LaneMessage | LaneClosed
LaneSink = Callable[[LaneEvent], None]


class Lane(Protocol):
    """One further connection, reliable and ordered. Used once, never repaired."""

    def send(self, frame: bytes) -> None:
        """Queue a frame on an open lane. Never blocks: whoever sends counts what was not confirmed.

        Raises:
            LinkError: it is not open.
        """

    def close(self) -> None:
        """End it at once, or give up opening it. Never waits, may be called again; no event follows."""


class StreamLanes(Protocol):
    """Makes lanes over TCP."""

    async def listen(
        self, token: bytes, sink: LaneSink, *, local_only: bool = False
    ) -> tuple[Lane, LaneInvitation]:
        """Wait for one dialler that shows the token; give what it has to know.

        Args:
            local_only: on addresses of local networks only.

        The lane gives `LaneReady` when it has come, or `LaneClosed` after ``limits.LANE_OPEN_SECONDS``.

        Raises:
            LinkError: ``no-address``: nobody could reach us by TCP.
        """

    async def dial(self, invitation: LaneInvitation, sink: LaneSink, *, local_only: bool = False) -> Lane:
        """Connect to a listener, make sure that it is the right one, and show it the token.

        Args:
            local_only: over local networks only.

        The lane gives `LaneReady` when the listener has accepted it.

        Raises:
            LinkError: ``not-reached``: no address led to the listener.
        """

    async def close(self) -> None:
        """Nothing of it is left running; open lanes are ended."""
