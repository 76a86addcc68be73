"""When to begin and to end lanes, and which DATA goes where (spec/lanes.md, "When").

A pure machine: the node tells it every so often how streams fare, and what became of lanes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from p4.core import limits

__all__ = [
    "Begin",
    "EndAll",
    "EndNewest",
    "LaneEffect",
    "LaneEvent",
    "LaneFailed",
    "LaneKind",
    "LaneLost",
    "LaneOpened",
    "LanePlanner",
    "Look",
    "StreamRate",
    "best_first",
]

LOOK_SECONDS = 0.1
"""Interval of `Look` while streams wait for the link."""

CALM_LOOK_SECONDS = 1.0
"""The same while there are lanes and nothing waits."""


class LaneKind(Enum):
    """How a lane is made."""

    PEER = "peer"
    """One more WebRTC connection."""
    STREAM = "stream"
    """TLS over TCP."""


# --- events -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Look:
    """How streams fare.

    Args:
        waited: whether they waited for room since the last look.
        carried: bytes of streams that the link and all lanes have carried since the link came up.
        round_trip: of the link in seconds; None if not known yet.
        active: whether any DATA was sent or received on lanes since the last look.
        theirs: open peer lanes and open stream lanes that the contact has begun.
    """

    waited: bool
    carried: int
    round_trip: float | None
    active: bool = True
    theirs: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class LaneOpened:
    """A lane that we began is open."""

    kind: LaneKind


@dataclass(frozen=True, slots=True)
class LaneFailed:
    """A lane that we began will not open."""

    kind: LaneKind


@dataclass(frozen=True, slots=True)
class LaneLost:
    """A lane that we began was open and is over, though nobody here wanted that."""

    kind: LaneKind


LaneEvent = Look | LaneOpened | LaneFailed | LaneLost


# --- effects ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin so many lanes; answer each with `LaneOpened` or `LaneFailed`."""

    kind: LaneKind
    count: int = 1


@dataclass(frozen=True, slots=True)
class EndNewest:
    """End the latest peer lanes that we began; they need no answer."""

    count: int


@dataclass(frozen=True, slots=True)
class EndAll:
    """Nobody needs lanes any more: end those that we began; they need no answer."""


LaneEffect = Begin | EndNewest | EndAll


# --- the machine ------------------------------------------------------------------------------------------


class _Phase(Enum):
    """How far the search for the best number of peer lanes is."""

    REST = "rest"
    """Nothing is tried."""
    BEFORE = "before"
    """What the present lanes bring is measured."""
    OPENING = "opening"
    """Further ones are being opened."""
    SETTLING = "settling"
    """They are open and get up to speed."""
    AFTER = "after"
    """What they bring is measured."""


class LanePlanner:
    """Decides about the lanes that one side begins on one link.

    Args:
        peer: whether peer lanes may be used.
        stream: whether stream lanes may be used.
    """

    def __init__(self, *, peer: bool = True, stream: bool = True) -> None:
        self._allowed = {LaneKind.PEER: peer, LaneKind.STREAM: stream}
        self._open = {LaneKind.PEER: 0, LaneKind.STREAM: 0}
        self._opening = {LaneKind.PEER: 0, LaneKind.STREAM: 0}
        self._retry_at = {LaneKind.PEER: 0.0, LaneKind.STREAM: 0.0}
        self._waiting_since: float | None = None
        self._waited_at = 0.0
        self._active_at = 0.0
        self._phase = _Phase.REST
        self._since = 0.0
        self._carried = 0
        self._rate_before = 0.0
        self._kept = 0
        """Peer lanes that proved to be worth it."""

    @property
    def look_seconds(self) -> float | None:
        """When to look again; None if only new backlog is a reason to."""
        if self._waiting_since is not None or any(self._opening.values()):
            return LOOK_SECONDS
        return CALM_LOOK_SECONDS if any(self._open.values()) else None

    def handle(self, event: LaneEvent, now: float) -> list[LaneEffect]:
        """What follows from an event."""
        match event:
            case Look():
                return self._look(event, now)
            case LaneOpened(kind):
                self._opening[kind] -= 1
                self._open[kind] += 1
                self._active_at = now
                if kind is LaneKind.STREAM:
                    self._enter(_Phase.REST, now)  # it changes what is to be compared
            case LaneFailed(kind):
                self._opening[kind] -= 1
                self._retry_at[kind] = now + limits.LANE_RETRY_SECONDS
            case LaneLost(kind):
                self._open[kind] -= 1
                self._enter(_Phase.REST, now)
                if kind is LaneKind.PEER:
                    self._kept = min(self._kept, self._open[kind])
                else:
                    self._retry_at[kind] = now + limits.LANE_RETRY_SECONDS
        return []

    # -- inside ---------------------------------------------------------------------------------------

    def _look(self, look: Look, now: float) -> list[LaneEffect]:
        if look.active or look.waited:
            self._active_at = now
        if look.waited:
            self._waited_at = now
            if self._waiting_since is None:
                self._waiting_since = now
        elif now - self._waited_at > limits.LANE_BACKLOG_SECONDS:
            self._waiting_since = None
            if self._phase is not _Phase.OPENING:
                self._enter(_Phase.REST, now)
        if any(self._open.values()) and now - self._active_at >= limits.LANE_IDLE_SECONDS:
            return self._end_all(now)
        since = self._waiting_since
        if not look.waited or since is None or now - since < limits.LANE_BACKLOG_SECONDS:
            return []
        if not look.theirs[1] and self._begin_stream_lane(now):
            return [Begin(LaneKind.STREAM)]
        if self._opening[LaneKind.STREAM] or not self._allowed[LaneKind.PEER]:
            return []
        return self._search(look, now)

    def _begin_stream_lane(self, now: float) -> bool:
        kind = LaneKind.STREAM
        if not self._allowed[kind] or self._open[kind] or self._opening[kind] or now < self._retry_at[kind]:
            return False
        self._opening[kind] += 1
        return True

    def _search(self, look: Look, now: float) -> list[LaneEffect]:
        """Double the number of connections as long as that helps."""
        elapsed = now - self._since
        match self._phase:
            case _Phase.REST:
                long_path = (look.round_trip or 0.0) >= limits.LANE_ROUND_TRIP_SECONDS
                if long_path and now >= self._retry_at[LaneKind.PEER]:
                    self._measure(_Phase.BEFORE, look, now)
            case _Phase.BEFORE if elapsed >= limits.LANE_MEASURE_SECONDS:
                self._rate_before = self._rate(look, now)
                self._kept = self._open[LaneKind.PEER]  # what there is now is what has to be surpassed
                return self._step(look, now)
            case _Phase.OPENING if not self._opening[LaneKind.PEER]:
                self._enter(_Phase.SETTLING, now)
            case _Phase.SETTLING if elapsed >= limits.LANE_SETTLE_SECONDS:
                self._measure(_Phase.AFTER, look, now)
            case _Phase.AFTER if elapsed >= limits.LANE_MEASURE_SECONDS:
                rate = self._rate(look, now)
                if rate < limits.LANE_GAIN * self._rate_before:
                    return self._step_back(now)
                self._kept = self._open[LaneKind.PEER]
                self._rate_before = rate
                return self._step(look, now)
            case _:
                pass
        return []

    def _step(self, look: Look, now: float) -> list[LaneEffect]:
        have = self._open[LaneKind.PEER] + look.theirs[0]
        target = next((step for step in limits.LANE_STEPS if step > have), None)
        if target is None or self._rate_before >= limits.LANE_AMPLE_RATE:
            self._rest(now)
            return []
        self._opening[LaneKind.PEER] = target - have
        self._enter(_Phase.OPENING, now)
        return [Begin(LaneKind.PEER, target - have)]

    def _step_back(self, now: float) -> list[LaneEffect]:
        useless = self._open[LaneKind.PEER] - self._kept
        self._open[LaneKind.PEER] = self._kept
        self._rest(now)
        return [EndNewest(useless)] if useless else []

    def _end_all(self, now: float) -> list[LaneEffect]:
        self._open = dict.fromkeys(self._open, 0)
        if self._kept:
            self._retry_at[LaneKind.PEER] = now  # they did help
        self._kept = 0
        self._enter(_Phase.REST, now)
        return [EndAll()]

    def _rest(self, now: float) -> None:
        self._retry_at[LaneKind.PEER] = now + limits.LANE_RETRY_SECONDS
        self._enter(_Phase.REST, now)

    def _enter(self, phase: _Phase, now: float) -> None:
        self._phase = phase
        self._since = now

    def _measure(self, phase: _Phase, look: Look, now: float) -> None:
        self._enter(phase, now)
        self._carried = look.carried

    def _rate(self, look: Look, now: float) -> float:
        return (look.carried - self._carried) / (now - self._since)


class StreamRate:
    """What a stream lane brings when it is asked for all it can: bytes per second.

    A new lane is believed to bring much until it was seen to be full without doing so.
    """

    __slots__ = ("_bytes", "_full", "_since", "ample")

    def __init__(self, now: float) -> None:
        self._since = now
        self._bytes = 0
        self._full = False
        self.ample = True
        """Whether the path does not limit it: then it is best alone."""

    def confirmed(self, size: int, now: float) -> None:
        """Some bytes have arrived."""
        self._bytes += size
        elapsed = now - self._since
        if elapsed >= limits.LANE_BACKLOG_SECONDS:
            if self._full:
                self.ample = self._bytes / elapsed >= limits.LANE_AMPLE_RATE
            self._since, self._bytes, self._full = now, 0, False

    def full(self) -> None:
        """Streams waited because the lane had no room."""
        self._full = True


def best_first(rooms: Sequence[int], turn: int) -> int | None:
    """Which of several lanes of one kind gets the next frame: in turn, those that have room.

    Args:
        rooms: bytes that each may get now.
        turn: index of the one that got the last frame.
    """
    count = len(rooms)
    for step in range(1, count + 1):
        index = (turn + step) % count
        if rooms[index] > 0:
            return index
    return None
