"""The link in service and the lanes beside it, as one way for the bytes of streams."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from p4.core import limits
from p4.core.session.lane_flight import Flight
from p4.core.session.lane_frames import LaneEndReason, LaneFrame
from p4.core.session.lanes import (
    Begin,
    EndAll,
    EndNewest,
    LaneEffect,
    LaneEvent,
    LaneFailed,
    LaneKind,
    LaneLost,
    LaneOpened,
    LanePlanner,
    Look,
    best_first,
)
from p4.core.session.stream_frames import DATA_HEAD_BYTES, Data, data_head
from p4.errors import FrameError
from p4.node.lanes.lane import LaneSession
from p4.node.lanes.roster import LaneCarrier, LaneRoster, LaneTerms
from p4.ports import Clock, Entropy

__all__ = ["BulkCarrier", "LaneBundle"]

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.005
"""How often the link's queue is looked at while lanes carry DATA, too: it tells of one mark only."""


class BulkCarrier(LaneCarrier, Protocol):
    """The link in service, as far as DATA goes over it."""

    def send_data(self, data: bytes) -> None:
        """Send an encoded DATA frame, in no order. Raises LinkError."""

    def data_room(self) -> int:
        """Bytes of DATA that may be queued now."""

    def data_drained(self) -> Awaitable[None]:
        """Wait until there is room for DATA, or the link is over."""


class LaneBundle:
    """Everything that carries DATA between us and a contact while one link is in service.

    Without any lane it is the link alone.

    Args:
        lower: whether our peer id is the lower one.
        receive: takes DATA that arrives on lanes; raises FrameError.
        lost: told which bytes of which stream have to be sent again: stream, begin, end.
    """

    def __init__(
        self,
        link: BulkCarrier,
        terms: LaneTerms,
        *,
        lower: bool,
        clock: Clock,
        entropy: Entropy,
        receive: Callable[[Data], None],
        lost: Callable[[int, int, int], None],
    ) -> None:
        self._link = link
        self._clock = clock
        self._receive = receive
        self._lost = lost
        self._planner = LanePlanner(peer=terms.backend is not None, stream=terms.streams is not None)
        self._roster = LaneRoster(link, terms, self, lower=lower, clock=clock, entropy=entropy)
        self.turn = limits.STREAM_TURN_BYTES
        """Most bytes of a DATA frame, as `room` said last."""
        self._turns = {LaneKind.PEER: 0, LaneKind.STREAM: 0}
        self._chosen: LaneSession | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._waited = False
        self._given = 0
        self.confirmed = 0
        """Bytes of DATA that the contact has confirmed on lanes, all together."""
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def open_sessions(self) -> list[LaneSession]:
        """The lanes that are open."""
        return [lane for lane in self._roster if lane.open]

    def open_lanes(self, kind: LaneKind) -> int:
        """How many lanes of a kind are open."""
        return sum(lane.open for lane in self._roster.of(kind))

    # -- for streams ------------------------------------------------------------------------------------

    def room(self) -> int:
        """Bytes of DATA that may be sent now, in frames of at most `turn`; 0 or less for none."""
        self._chosen = None
        self.turn = limits.STREAM_TURN_BYTES
        if not self._roster:
            return self._link.data_room()
        room = self._pick(LaneKind.STREAM)
        if room > 0:
            return room
        for lane in self._roster.of(LaneKind.STREAM):
            lane.rate.full()
        if self._alone:
            return 0
        room = self._link.data_room()
        if any(lane.open for lane in self._roster):
            room -= limits.LINK_HIGH_WATER_BYTES - limits.LINK_BESIDE_LANES_BYTES
        return room if room > 0 else self._pick(LaneKind.PEER)

    def send_data(self, data: bytes) -> None:
        """Send an encoded DATA frame where `room` said last that there is some. Raises LinkError."""
        lane = self._chosen
        if lane is None:
            self._link.send_data(data)
            self._given += len(data)
        elif lane.open:
            lane.send(data)
        else:
            stream, begin = data_head(data, limits.LANE_DATA_BYTES)
            self._lost(stream, begin, begin + len(data) - DATA_HEAD_BYTES)

    async def drained(self) -> None:
        """Wait until there may be room, or everything is over."""
        self._waited = True
        if self._timer is None:
            self._look()
        while not self._closed and self.room() <= 0:
            if self._alone:
                await self._changed(None)
            elif any(lane.open for lane in self._roster):
                await self._changed(_POLL_SECONDS)
            else:
                await self._changed(self._link.data_drained())
            self._waited = True

    # -- for the relation ---------------------------------------------------------------------------------

    def handle(self, frame: LaneFrame) -> None:
        """A frame that concerns lanes arrived on the link."""
        self._roster.handle(frame)

    def close(self) -> None:
        """The link is over, and with it every lane."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._roster.close()
        self._wake()

    # -- what becomes of lanes (`LaneKeeper`) ---------------------------------------------------------------

    def lane_open(self, lane: LaneSession) -> None:
        """It can be used from now on."""
        _log.debug("lane %d is open (%s)", lane.number, lane.kind.value)
        if lane.mine:
            self._feed(LaneOpened(lane.kind))
            if self._timer is None:
                self._look()
        self._wake()

    def lane_over(self, lane: LaneSession, reason: str) -> None:
        """It broke, fell silent or did not open."""
        _log.debug("lane %d is over: %s", lane.number, reason)
        self._roster.broke(lane)

    def lane_gone(self, lane: LaneSession) -> None:
        """It ended without our doing."""
        if lane.mine:
            self._feed(LaneLost(lane.kind) if lane.was_open else LaneFailed(lane.kind))

    def lane_unconfirmed(self, flights: Iterable[Flight]) -> None:
        """It was closed: these may not have arrived."""
        if not self._closed:
            for flight in flights:
                self._lost(flight.stream, flight.begin, flight.end)
            self._wake()

    def lane_room(self, confirmed: int) -> None:
        """So many bytes have arrived at the other side of a lane."""
        self.confirmed += confirmed
        self._wake()

    def lane_data(self, frame: Data) -> None:
        """DATA arrived on a lane. Raises FrameError."""
        self._receive(frame)

    def lane_broke_rules(self, error: FrameError) -> None:
        """The contact broke the specification."""
        self._link.fail(f"the contact broke the protocol: {error.message}")

    # -- inside: sending --------------------------------------------------------------------------------

    @property
    def _alone(self) -> bool:
        """Whether stream lanes carry everything: the path does not limit them."""
        return any(lane.open and lane.rate.ample for lane in self._roster.of(LaneKind.STREAM))

    def _pick(self, kind: LaneKind) -> int:
        """Choose a lane of a kind for the next frame; gives its room, 0 if none has any."""
        lanes = self._roster.of(kind)
        index = best_first([lane.room for lane in lanes], self._turns[kind])
        if index is None:
            return 0
        self._turns[kind] = index
        self._chosen = lanes[index]
        # One frame: then another lane, or another look at this one's window, which may have moved.
        self.turn = lanes[index].room
        return self.turn

    async def _changed(self, other: Awaitable[None] | float | None) -> None:
        """Wait for news of lanes, or something else: a time in seconds, or whatever it is."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(future)
        timeout = other if isinstance(other, float) else None
        further = {asyncio.ensure_future(other)} if isinstance(other, Awaitable) else set()
        try:
            await asyncio.wait({future, *further}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiters.remove(future)
            for task in further:
                task.cancel()

    def _wake(self) -> None:
        for future in self._waiters:
            if not future.done():
                future.set_result(None)

    # -- inside: deciding -------------------------------------------------------------------------------

    def _look(self) -> None:
        """Tell the planner how streams fare, and see to it that it is told again."""
        self._timer = None
        if self._closed:
            return
        active = any(lane.used for lane in self._roster)
        for lane in self._roster:
            lane.used = False
        waited, self._waited = self._waited, bool(self._waiters)
        queued = limits.LINK_HIGH_WATER_BYTES - self._link.data_room()
        theirs = [sum(lane.open and not lane.mine for lane in self._roster.of(kind)) for kind in LaneKind]
        carried = self.confirmed + self._given - queued
        self._feed(Look(waited, carried, self._link.round_trip, active, (theirs[0], theirs[1])))
        seconds = self._planner.look_seconds
        if seconds is not None and self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _feed(self, event: LaneEvent) -> None:
        if not self._closed:
            for effect in self._planner.handle(event, self._clock.monotonic()):
                self._perform(effect)

    def _perform(self, effect: LaneEffect) -> None:
        match effect:
            case Begin(kind, count):
                for _ in range(count):
                    self._roster.begin(kind)
            case EndNewest(count):
                mine = [lane for lane in self._roster.of(LaneKind.PEER) if lane.mine]
                for lane in mine[-count:]:
                    self._roster.end(lane, LaneEndReason.NOT_NEEDED)
            case EndAll():
                for lane in self._roster:
                    if lane.mine:
                        self._roster.end(lane, LaneEndReason.NOT_NEEDED)
