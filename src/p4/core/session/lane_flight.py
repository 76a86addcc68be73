"""What is under way on one lane, and how much may be (spec/lanes.md, "On a lane")."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from p4.core import limits
from p4.errors import FrameError

__all__ = ["Flight", "LaneFlight"]


class Flight(NamedTuple):
    """The bytes of one DATA frame that was given to a lane."""

    stream: int
    begin: int
    end: int
    given_at: float
    """Seconds of the monotonic clock."""


class LaneFlight:
    """The DATA that one side gave to a lane and that the other has not confirmed.

    The window follows the delay: it grows while DATA arrives nearly as quickly as on an empty lane, and
    shrinks when much waits. A lane keeps its order, so RECEIVED, which counts frames, tells which arrived.

    Args:
        frame_bytes: most bytes in one DATA frame on this lane.
        window: bytes that may be in flight at first.
    """

    __slots__ = ("_counted", "_flying", "_frame_bytes", "_least_delay", "_shrunk_at", "in_flight", "window")

    def __init__(self, frame_bytes: int, window: int) -> None:
        self._frame_bytes = frame_bytes
        self._flying: deque[Flight] = deque()
        self._counted = 0
        self._least_delay = float("inf")
        self._shrunk_at = 0.0
        self.in_flight = 0
        """Bytes given and not confirmed."""
        self.window = window
        """Bytes that may be in flight."""

    @property
    def room(self) -> int:
        """Most bytes that the next frame may have; 0 while enough is under way.

        A frame is at most a quarter of the window, so that a slow lane gets little at a time.
        """
        most = min(self._frame_bytes, max(self.window // 4, limits.LANE_FRAME_BYTES[0]))
        return most if self.in_flight + most <= self.window else 0

    @property
    def unconfirmed(self) -> tuple[Flight, ...]:
        """What must be sent again if the lane ends now."""
        return tuple(self._flying)

    def given(self, stream: int, begin: int, end: int, now: float) -> None:
        """A DATA frame was given to the lane."""
        self._flying.append(Flight(stream, begin, end, now))
        self.in_flight += end - begin

    def received(self, count: int, now: float) -> int:
        """The other side says how many frames have arrived since the beginning.

        Returns:
            Bytes that are confirmed by this.

        Raises:
            FrameError: ``lane-count``: fewer than before, or more than were sent.
        """
        fresh = count - self._counted
        if not 0 <= fresh <= len(self._flying):
            raise FrameError("A lane confirms what was not sent on it.", code="lane-count")
        self._counted = count
        confirmed = 0
        limited = not self.room
        given_at = now
        for _ in range(fresh):
            flight = self._flying.popleft()
            confirmed += flight.end - flight.begin
            given_at = flight.given_at
        self.in_flight -= confirmed
        if fresh:
            self._adapt(confirmed, given_at, now, limited=limited)
        return confirmed

    def overdue_at(self, round_trip: float) -> float | None:
        """When the lane counts as silent unless something is confirmed before; None while nothing flies.

        Args:
            round_trip: of the link, in seconds.
        """
        if not self._flying:
            return None
        return self._flying[0].given_at + limits.LANE_SILENCE_SECONDS + 3 * round_trip

    def _adapt(self, confirmed: int, given_at: float, now: float, *, limited: bool) -> None:
        """Follow the delay of what was confirmed."""
        delay = now - given_at
        self._least_delay = min(self._least_delay, delay)
        if delay <= self._least_delay + limits.LANE_QUEUE_SECONDS:
            if limited:
                self.window = min(self.window + confirmed, limits.LANE_WINDOW_BYTES[1])
        elif given_at >= self._shrunk_at:
            # Once for what was given before it shrank: the effect shows only afterwards.
            self._shrunk_at = now
            self.window = max(self.window * 3 // 4, limits.LANE_WINDOW_BYTES[0])
