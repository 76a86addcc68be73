"""One lane of a link, from its beginning to its end: what is under way on it, and what it confirms."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from p4.core import limits
from p4.core.session.lane_flight import Flight, LaneFlight
from p4.core.session.lane_frames import Received, decode_on_lane, encode_received
from p4.core.session.lanes import LaneKind, StreamRate
from p4.core.session.stream_frames import DATA_HEAD_BYTES, Data, data_head
from p4.errors import FrameError, LinkError
from p4.ports import Clock
from p4.ports.lane import Lane, LaneClosed, LaneEvent, LaneMessage, LaneReady

__all__ = ["LaneObserver", "LaneSession"]

_MOST_DATA = {LaneKind.PEER: limits.STREAM_DATA_BYTES, LaneKind.STREAM: limits.LANE_DATA_BYTES}
_KINDS = (LaneKind.PEER, LaneKind.STREAM)


class LaneObserver(Protocol):
    """Who is told what becomes of a lane."""

    def lane_open(self, lane: LaneSession) -> None:
        """It can be used from now on."""

    def lane_over(self, lane: LaneSession, reason: str) -> None:
        """It broke, fell silent or did not open; it is to be closed."""

    def lane_unconfirmed(self, flights: Iterable[Flight]) -> None:
        """A lane was closed on which these were under way: they are to be sent again."""

    def lane_room(self, confirmed: int) -> None:
        """So many bytes have arrived at the other side."""

    def lane_data(self, frame: Data) -> None:
        """DATA arrived. Raises FrameError."""

    def lane_broke_rules(self, error: FrameError) -> None:
        """The contact broke the specification."""


class LaneSession:
    """A lane.

    Args:
        number: names it on this link.
        mine: whether we began it.
        round_trip: of the link in seconds, as far as it is known.
    """

    def __init__(
        self,
        number: int,
        kind: LaneKind,
        *,
        mine: bool,
        clock: Clock,
        round_trip: Callable[[], float | None],
        observer: LaneObserver,
    ) -> None:
        self.number = number
        self.kind = kind
        self.mine = mine
        self.carrier: Lane | None = None
        """Set as soon as there is one."""
        self.open = False
        self.was_open = False
        """Whether it was open at any time."""
        self.over = False
        self.listening = False
        """Whether it is a stream lane for which we listen."""
        self.asked = False
        """Whether it is a stream lane for which the contact is to listen, and has not said where."""
        self.used = False
        """Whether DATA was sent or received since whoever looks at it has reset this."""
        self.flight = LaneFlight(
            limits.LANE_FRAME_BYTES[_KINDS.index(kind)], limits.LANE_FIRST_WINDOW_BYTES[_KINDS.index(kind)]
        )
        self.rate = StreamRate(clock.monotonic())
        self._clock = clock
        self._round_trip = round_trip
        self._observer = observer
        self._arrived = 0
        self._untold = 0
        self._telling: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None
        loop = asyncio.get_running_loop()
        self._opening = loop.call_later(limits.LANE_OPEN_SECONDS, self._end, "it did not open in time")

    @property
    def room(self) -> int:
        """Most bytes that the next frame may carry; 0 while enough is under way."""
        return self.flight.room if self.open and not self.over else 0

    def send(self, frame: bytes) -> None:
        """Send an encoded DATA frame with at most `room` bytes. If the lane cannot, it is over."""
        stream, offset = data_head(frame, limits.LANE_DATA_BYTES)
        size = len(frame) - DATA_HEAD_BYTES
        self.flight.given(stream, offset, offset + size, self._clock.monotonic())
        self.used = True
        if self._watch is None:
            self._arm()
        self._transmit(frame)

    def close(self) -> None:
        """End it; the observer learns what has to be sent again, and nothing more."""
        if self.over:
            return
        self.over = True
        self.open = False
        for timer in (self._telling, self._watch, self._opening):
            if timer is not None:
                timer.cancel()
        if self.carrier is not None:
            self.carrier.close()
        if self.flight.unconfirmed:
            self._observer.lane_unconfirmed(self.flight.unconfirmed)

    def event(self, event: LaneEvent) -> None:
        """What the carrier tells."""
        if self.over:
            return
        match event:
            case LaneReady():
                self._opening.cancel()
                self.open = self.was_open = True
                self._observer.lane_open(self)
            case LaneMessage(data):
                try:
                    self._message(data)
                except FrameError as error:
                    self._observer.lane_broke_rules(error)
            case LaneClosed(reason):
                self._end(reason)

    # -- inside ---------------------------------------------------------------------------------------

    def _message(self, data: bytes | memoryview) -> None:
        frame = decode_on_lane(data, _MOST_DATA[self.kind])
        if isinstance(frame, Received):
            now = self._clock.monotonic()
            confirmed = self.flight.received(frame.count, now)
            self.rate.confirmed(confirmed, now)
            if confirmed:
                self._observer.lane_room(confirmed)
            return
        self.used = True
        self._arrived += 1
        self._untold += len(frame.data)
        if self._untold >= limits.LANE_RECEIVED_BYTES:
            self._tell()
        elif self._telling is None:
            loop = asyncio.get_running_loop()
            self._telling = loop.call_later(limits.LANE_RECEIVED_SECONDS, self._tell)
        self._observer.lane_data(frame)

    def _tell(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        self._untold = 0
        self._transmit(encode_received(self._arrived))

    def _transmit(self, message: bytes) -> None:
        if self.carrier is None or self.over:
            return
        try:
            self.carrier.send(message)
        except LinkError as error:
            # Not at once: whoever sends is in the middle of it.
            asyncio.get_running_loop().call_soon(self._end, error.message)

    def _arm(self) -> None:
        """Look again when the oldest DATA under way would be overdue."""
        due = self.flight.overdue_at(self._round_trip() or 0.0)
        self._watch = None if due is None else asyncio.get_running_loop().call_at(due, self._overdue, due)

    def _overdue(self, due: float) -> None:
        now = self._clock.monotonic()
        if now - due > limits.STALL_SECONDS:
            # Our own process stood still, and has not read what came meanwhile.
            self._watch = asyncio.get_running_loop().call_later(limits.STALL_SECONDS, self._overdue, now + 1)
            return
        oldest = self.flight.overdue_at(self._round_trip() or 0.0)
        if oldest is not None and oldest <= now:
            self._end("it carries nothing any more")
        else:
            self._arm()

    def _end(self, reason: str) -> None:
        if not self.over:
            self._observer.lane_over(self, reason)
