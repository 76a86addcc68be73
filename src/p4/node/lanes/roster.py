"""The lanes of one link, and how they are opened (spec/lanes.md)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from p4.core import limits
from p4.core.ice import IceSettings
from p4.core.sdp import check_sdp
from p4.core.session.frames import Frame
from p4.core.session.lane_frames import (
    LaneAnswer,
    LaneAsk,
    LaneEnd,
    LaneEndReason,
    LaneFrame,
    LaneInvitation,
    LaneListen,
    LaneOffer,
)
from p4.core.session.lanes import LaneKind
from p4.errors import LinkError, SignalingError
from p4.node.lanes.lane import LaneObserver, LaneSession
from p4.node.lanes.peer_lane import PeerLane
from p4.ports import Clock, Entropy, LinkBackend
from p4.ports.lane import Lane, StreamLanes

__all__ = ["LaneCarrier", "LaneKeeper", "LaneRoster", "LaneTerms"]

_log = logging.getLogger(__name__)

_NUMBERS = 64
"""How far behind the highest number of the contact's another one may come."""

_MOST = {LaneKind.PEER: limits.PEER_LANES, LaneKind.STREAM: limits.STREAM_LANES}


class LaneCarrier(Protocol):
    """The link in service, as far as the lanes beside it need it."""

    @property
    def round_trip(self) -> float | None:
        """Smoothed round trip in seconds, where it is known."""

    def send(self, frames: Sequence[Frame]) -> None:
        """Send frames in order. Raises LinkError."""

    def fail(self, reason: str) -> None:
        """End the link; a new one follows."""


def _as_it_is(sdp: str) -> str:
    return sdp


@dataclass(frozen=True, slots=True)
class LaneTerms:
    """What lanes to a contact may be made of.

    Args:
        backend: makes peer lanes; None for none.
        streams: makes stream lanes; None for none, as for a contact that shall not see our addresses.
        ice: servers that peer lanes may use.
        keep: what remains of a session description, ours or the contact's.
        local_only: stream lanes go over local networks only.
    """

    backend: LinkBackend | None
    streams: StreamLanes | None
    ice: IceSettings = field(default_factory=IceSettings)
    keep: Callable[[str], str] = _as_it_is
    local_only: bool = False


class LaneKeeper(LaneObserver, Protocol):
    """Who is told about lanes that end without its own doing."""

    def lane_gone(self, lane: LaneSession) -> None:
        """It is closed: it broke, the contact ended it, or it did not open. ``was_open`` tells which."""


class LaneRoster:
    """The lanes of one link.

    Args:
        lower: whether our peer id is the lower one: our lanes then have even numbers.
    """

    def __init__(
        self,
        link: LaneCarrier,
        terms: LaneTerms,
        keeper: LaneKeeper,
        *,
        lower: bool,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._link = link
        self._terms = terms
        self._keeper = keeper
        self._next = 0 if lower else 1
        self._clock = clock
        self._entropy = entropy
        self._lanes: dict[int, LaneSession] = {}
        self._used: set[int] = set()
        """The latest numbers of the contact's."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._lanes)

    def __iter__(self) -> Iterator[LaneSession]:
        return iter(list(self._lanes.values()))

    def of(self, kind: LaneKind) -> list[LaneSession]:
        """The lanes of a kind, in the order of their beginning."""
        return [lane for lane in self._lanes.values() if lane.kind is kind]

    # -- our own ----------------------------------------------------------------------------------------

    def begin(self, kind: LaneKind) -> None:
        """Begin a lane; the keeper learns what becomes of it."""
        lane = self._add(self._number(), kind, mine=True)
        if kind is LaneKind.PEER:
            self._spawn(lane, self._offer(lane))
        else:
            self._spawn(lane, self._listen(lane))

    def end(self, lane: LaneSession, reason: LaneEndReason) -> None:
        """End a lane and tell the contact."""
        if self._lanes.pop(lane.number, None) is not None:
            self._tell(LaneEnd(lane.number, reason))
        lane.close()

    def close(self) -> None:
        """The link is over, and with it every lane."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        for lane in self._lanes.values():
            lane.close()
        self._lanes.clear()

    # -- the contact's ------------------------------------------------------------------------------------

    def handle(self, frame: LaneFrame) -> None:
        """A frame that concerns lanes arrived on the link."""
        lane = self._lanes.get(frame.lane)
        match frame:
            case LaneOffer(number, sdp):
                if theirs := self._admit(number, LaneKind.PEER):
                    self._spawn(theirs, self._answer(theirs, sdp))
            case LaneAnswer(_, sdp):
                if lane is not None and lane.mine and isinstance(lane.carrier, PeerLane):
                    self._spawn(lane, self._join(lane.carrier, sdp))
            case LaneListen(number, invitation):
                if lane is None and self._is_theirs(number):
                    lane = self._admit(number, LaneKind.STREAM)
                elif lane is not None and not (lane.asked and lane.carrier is None):
                    lane = None
                if lane is not None:
                    lane.asked = False
                    self._spawn(lane, self._dial(lane, invitation))
            case LaneAsk(number):
                if theirs := self._admit(number, LaneKind.STREAM):
                    self._spawn(theirs, self._listen(theirs))
            case LaneEnd():
                if lane is not None and not self._ask_instead(lane):
                    self._drop(lane)

    def broke(self, lane: LaneSession) -> None:
        """A lane broke, fell silent or did not open."""
        if lane.number in self._lanes:
            reason = LaneEndReason.BROKEN if lane.was_open else LaneEndReason.NOT_OPENED
            self._tell(LaneEnd(lane.number, reason))
            if not self._ask_instead(lane):
                self._drop(lane)

    # -- inside ---------------------------------------------------------------------------------------

    def _number(self) -> int:
        number, self._next = self._next, self._next + 2
        return number

    def _is_theirs(self, number: int) -> bool:
        return number % 2 != self._next % 2

    def _is_fresh(self, number: int) -> bool:
        """Whether the contact may use a number, which it then has. Several come at a time, in any order."""
        oldest = max(self._used, default=0) - _NUMBERS
        if not self._is_theirs(number) or number in self._used or number < oldest:
            return False
        self._used = {used for used in self._used if used >= number - _NUMBERS} | {number}
        return True

    def _add(self, number: int, kind: LaneKind, *, mine: bool) -> LaneSession:
        lane = self._lanes[number] = LaneSession(
            number,
            kind,
            mine=mine,
            clock=self._clock,
            round_trip=lambda: self._link.round_trip,
            observer=self._keeper,
        )
        return lane

    def _admit(self, number: int, kind: LaneKind) -> LaneSession | None:
        """A lane that the contact begins, unless it may not."""
        if not self._is_fresh(number):
            self._link.fail("the contact broke the protocol: it may not use this number for a lane.")
            return None
        if sum(not lane.mine for lane in self.of(kind)) >= _MOST[kind]:
            self._tell(LaneEnd(number, LaneEndReason.TOO_MANY))
            return None
        if (self._terms.backend if kind is LaneKind.PEER else self._terms.streams) is None:
            self._tell(LaneEnd(number, LaneEndReason.NOT_OPENED))
            return None
        return self._add(number, kind, mine=False)

    def _drop(self, lane: LaneSession) -> None:
        if self._lanes.pop(lane.number, None) is not None:
            lane.close()
            self._keeper.lane_gone(lane)

    def _ask_instead(self, lane: LaneSession) -> bool:
        """The contact did not reach us; perhaps we reach it. Whether that is tried."""
        if self._closed or not lane.listening or lane.was_open or not lane.mine:
            return False
        del self._lanes[lane.number]
        lane.close()
        self._ask()
        return True

    def _ask(self) -> None:
        lane = self._add(self._number(), LaneKind.STREAM, mine=True)
        lane.asked = True
        self._tell(LaneAsk(lane.number))

    def _tell(self, frame: LaneFrame) -> None:
        if self._closed:
            return
        try:
            self._link.send([frame])
        except LinkError as error:
            self._link.fail(error.message)

    # -- inside: opening --------------------------------------------------------------------------------

    def _spawn(self, lane: LaneSession, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, lane))

    def _ended(self, lane: LaneSession, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        # ValueError: our own description does not fit into a frame.
        if isinstance(error, LinkError | SignalingError | ValueError):
            _log.debug("lane %d: %s", lane.number, error)
        elif error is not None:
            _log.error("a lane could not be opened", exc_info=error)
        if error is not None:
            self.broke(lane)

    async def _offer(self, lane: LaneSession) -> None:
        carrier = lane.carrier = self._peer_lane(lane)
        self._tell(LaneOffer(lane.number, self._terms.keep(await carrier.offer())))

    async def _answer(self, lane: LaneSession, sdp: str) -> None:
        check_sdp(sdp)
        carrier = lane.carrier = self._peer_lane(lane)
        answer = await carrier.answer(self._terms.keep(sdp))
        self._tell(LaneAnswer(lane.number, self._terms.keep(answer)))

    async def _join(self, carrier: PeerLane, sdp: str) -> None:
        check_sdp(sdp)
        await carrier.accept_answer(self._terms.keep(sdp))

    def _peer_lane(self, lane: LaneSession) -> PeerLane:
        backend = self._terms.backend
        assert backend is not None  # noqa: S101 - no such lane is begun or admitted without
        return PeerLane(backend, self._terms.ice, lane.event)

    async def _listen(self, lane: LaneSession) -> None:
        streams = self._streams
        token = self._entropy.token(limits.LANE_TOKEN_BYTES)
        lane.listening = True
        carrier, invitation = await streams.listen(token, lane.event, local_only=self._terms.local_only)
        if self._attach(lane, carrier):
            self._tell(LaneListen(lane.number, invitation))

    async def _dial(self, lane: LaneSession, invitation: LaneInvitation) -> None:
        carrier = await self._streams.dial(invitation, lane.event, local_only=self._terms.local_only)
        self._attach(lane, carrier)

    @property
    def _streams(self) -> StreamLanes:
        streams = self._terms.streams
        assert streams is not None  # noqa: S101 - as above
        return streams

    def _attach(self, lane: LaneSession, carrier: Lane) -> bool:
        if lane.over:
            carrier.close()
            return False
        lane.carrier = carrier
        return True
