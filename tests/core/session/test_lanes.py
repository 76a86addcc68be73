"""When lanes are begun and ended, on a path that brings so much with so many of them, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.core import limits
from p4.core.session.lanes import (
    Begin,
    EndAll,
    EndNewest,
    LaneEffect,
    LaneFailed,
    LaneKind,
    LaneLost,
    LaneOpened,
    LanePlanner,
    Look,
    StreamRate,
    best_first,
)

PEER, STREAM = LaneKind.PEER, LaneKind.STREAM


@dataclass
class Path:
    """A path to a contact.

    Args:
        rate: bytes per second with so many peer lanes and stream lanes.
        tcp: whether the contact is reached by TCP.
        waits: whether streams have more than the path brings, at a time.
    """

    rate: Callable[[int, int], float]
    round_trip: float = 0.05
    tcp: bool = False
    waits: Callable[[float], bool] = lambda now: True
    theirs: tuple[int, int] = (0, 0)
    planner: LanePlanner = field(default_factory=LanePlanner)
    now: float = 0.0
    carried: float = 0.0
    open: dict[LaneKind, int] = field(default_factory=lambda: {PEER: 0, STREAM: 0})
    begun: list[tuple[float, LaneKind, int]] = field(default_factory=list)
    ended: list[tuple[float, LaneEffect]] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            waits = self.waits(self.now)
            step = self.planner.look_seconds or 0.1
            if waits:
                self.carried += step * self.rate(self.open[PEER], self.open[STREAM])
            self.now += step
            look = Look(waits, int(self.carried), self.round_trip, waits, self.theirs)
            for effect in self.planner.handle(look, self.now):
                self.perform(effect)

    def perform(self, effect: LaneEffect) -> None:
        match effect:
            case Begin(kind, count):
                self.begun.append((self.now, kind, count))
                for _ in range(count):
                    if kind is STREAM and not self.tcp:
                        self.planner.handle(LaneFailed(kind), self.now)
                    else:
                        self.open[kind] += 1
                        self.planner.handle(LaneOpened(kind), self.now)
            case EndNewest(count):
                self.ended.append((self.now, effect))
                self.open[PEER] -= count
            case EndAll():
                self.ended.append((self.now, effect))
                self.open = {PEER: 0, STREAM: 0}


def lossy(peers: int, streams: int) -> float:
    """Each connection has its share of a path with losses."""
    return 270e3 * (1 + peers) + 28e6 * streams


def test_on_a_lossy_long_path_lanes_double_up_to_eight_connections() -> None:
    path = Path(lossy)
    path.run(20)
    assert [(kind, count) for _, kind, count in path.begun] == [(STREAM, 1), (PEER, 1), (PEER, 2), (PEER, 4)]
    assert path.begun[0][0] == pytest.approx(limits.LANE_BACKLOG_SECONDS, abs=0.2)
    assert path.open == {PEER: 7, STREAM: 0}
    assert not path.ended


def test_what_does_not_help_is_taken_back_and_not_tried_again_soon() -> None:
    path = Path(lambda peers, streams: 1e6)
    path.run(50)
    assert [(kind, count) for _, kind, count in path.begun] == [(STREAM, 1), (PEER, 1)]
    assert [effect for _, effect in path.ended] == [EndNewest(1)]
    assert path.open[PEER] == 0


def test_the_step_that_helped_is_kept_when_the_next_one_does_not() -> None:
    path = Path(lambda peers, streams: 1e6 * min(1 + peers, 2))
    path.run(30)
    assert path.open[PEER] == 1
    assert [effect for _, effect in path.ended] == [EndNewest(2)]


def test_where_tcp_reaches_the_contact_and_is_quick_nothing_else_is_tried() -> None:
    path = Path(lambda peers, streams: 200e6 if streams else 50e6, tcp=True)
    path.run(100)
    assert [(kind, count) for _, kind, count in path.begun] == [(STREAM, 1)]


def test_beside_a_slow_stream_lane_there_are_peer_lanes() -> None:
    path = Path(lambda peers, streams: 270e3 * (1 + peers + streams), tcp=True)
    path.run(20)
    assert path.open == {PEER: 7, STREAM: 1}


def test_on_a_short_path_or_a_quick_one_there_are_no_peer_lanes() -> None:
    for path in (Path(lossy, round_trip=0.005), Path(lambda peers, streams: 60e6 * (1 + peers))):
        path.run(40)
        assert PEER not in [kind for _, kind, _ in path.begun]


def test_a_short_burst_begins_nothing() -> None:
    path = Path(lossy, waits=lambda now: now % 2 < 0.3)
    path.run(60)
    assert not path.begun


def test_lanes_end_half_a_minute_after_the_last_byte() -> None:
    path = Path(lossy, waits=lambda now: now < 20)
    path.run(60)
    ((at, effect),) = path.ended
    assert effect == EndAll()
    assert at == pytest.approx(20 + limits.LANE_IDLE_SECONDS, abs=1.5)
    assert path.planner.look_seconds is None, "nothing is looked after any more"
    path.waits = lambda now: True
    path.run(20)
    assert path.open[PEER] == 7, "and they come again with the next backlog"


def test_lanes_that_the_contact_begun_count() -> None:
    path = Path(lossy, theirs=(7, 1))
    path.run(30)
    assert not path.begun


def test_lanes_that_are_lost_are_replaced() -> None:
    path = Path(lossy)
    path.run(20)
    for _ in range(7):
        path.open[PEER] -= 1
        path.planner.handle(LaneLost(PEER), path.now)
    path.run(limits.LANE_RETRY_SECONDS + 20)
    assert path.open[PEER] == 7


def test_kinds_can_be_switched_off() -> None:
    path = Path(lossy, tcp=True, planner=LanePlanner(peer=False, stream=False))
    path.run(30)
    assert not path.begun


@given(st.lists(st.integers(0, 5), max_size=8), st.integers(0, 20))
def test_lanes_get_their_turn(rooms: list[int], turn: int) -> None:
    index = best_first(rooms, turn)
    if index is None:
        assert not any(rooms)
    else:
        assert rooms[index] > 0
        later = [(turn + step) % len(rooms) for step in range(1, len(rooms) + 1)]
        assert not any(rooms[each] for each in later[: later.index(index)]), "nobody before it had room"


def test_a_stream_lane_is_alone_only_while_it_brings_much() -> None:
    rate = StreamRate(0.0)
    assert rate.ample
    rate.confirmed(1_000_000, 0.6)
    assert rate.ample, "it was not asked for more"
    rate.full()
    rate.confirmed(1_000_000, 1.2)
    narrow = rate.ample
    rate.full()
    rate.confirmed(50_000_000, 1.8)
    assert (narrow, rate.ample) == (False, True)
