"""What is under way on a lane: confirmed once, lost never, bounded always."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from p4.core import limits
from p4.core.session.lane_flight import LaneFlight
from p4.errors import FrameError


class Flights(RuleBasedStateMachine):
    """A lane against a list of everything that was given to it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.flight = LaneFlight(limits.LANE_FRAME_BYTES[1], limits.LANE_FIRST_WINDOW_BYTES[1])
        self.given: list[tuple[int, int, int]] = []
        self.count = 0
        self.offset = 0

    @precondition(lambda self: self.flight.room > 0)
    @rule(part=st.floats(0.01, 1.0))
    def give(self, part: float) -> None:
        size = max(1, int(self.flight.room * part))
        self.flight.given(5, self.offset, self.offset + size, self.now)
        self.given.append((5, self.offset, self.offset + size))
        self.offset += size

    @rule(seconds=st.floats(0, 1))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(part=st.floats(0, 1))
    def confirm(self, part: float) -> None:
        flying = len(self.given) - self.count
        fresh = round(flying * part)
        before = self.flight.in_flight
        confirmed = self.flight.received(self.count + fresh, self.now)
        assert confirmed == sum(end - begin for _, begin, end in self.given[self.count :][:fresh])
        assert self.flight.in_flight == before - confirmed
        self.count += fresh

    @invariant()
    def what_is_not_confirmed_is_known(self) -> None:
        assert [flight[:3] for flight in self.flight.unconfirmed] == self.given[self.count :]

    @invariant()
    def it_is_bounded(self) -> None:
        assert limits.LANE_WINDOW_BYTES[0] <= self.flight.window <= limits.LANE_WINDOW_BYTES[1]
        assert self.flight.room <= limits.LANE_FRAME_BYTES[1]
        if not self.flight.in_flight:
            assert self.flight.room > 0, "an empty lane takes something"
            assert self.flight.overdue_at(0.1) is None
        else:
            assert self.flight.overdue_at(0.1) is not None


def test_any_course_of_a_lane() -> None:
    run_state_machine_as_test(Flights)


@given(st.integers(0, 9), st.integers(0, 9))
def test_a_count_that_falls_or_is_too_high_is_refused(sent: int, count: int) -> None:
    flight = LaneFlight(1000, 64 * 1024)
    for number in range(sent):
        flight.given(1, number, number + 1, 0.0)
    flight.received(sent // 2, 1.0)
    if sent // 2 <= count <= sent:
        flight.received(count, 2.0)
    else:
        with pytest.raises(FrameError) as caught:
            flight.received(count, 2.0)
        assert caught.value.code == "lane-count"


def drive(rate: float, delay: float, seconds: float) -> LaneFlight:
    """Keep a lane full whose path carries so many bytes a second, one way in so many seconds."""
    flight = LaneFlight(limits.LANE_FRAME_BYTES[1], limits.LANE_FIRST_WINDOW_BYTES[1])
    now, free_at, sent, confirmed = 0.0, 0.0, 0, 0
    arrivals: list[float] = []
    while now < seconds:
        while flight.room > 0:
            size = flight.room
            flight.given(1, sent, sent + size, now)
            sent += size
            free_at = max(free_at, now) + size / rate
            arrivals.append(free_at + delay)
        now = arrivals[confirmed]
        confirmed += 1
        flight.received(confirmed, now)
    return flight


def test_a_window_is_wide_on_a_quick_lane_and_narrow_on_a_slow_one() -> None:
    assert drive(400e6, 0.0005, 2.0).window == limits.LANE_WINDOW_BYTES[1]
    assert drive(58e6, 0.05, 5.0).window >= 58e6 * 0.05, "the path is filled"
    slow = drive(100e3, 0.05, 30.0)
    assert slow.window <= limits.LANE_FIRST_WINDOW_BYTES[1], "little waits on a slow lane"
    assert slow.window / 100e3 < limits.LANE_SILENCE_SECONDS, "and it is not given up for it"


def test_a_lane_is_overdue_by_its_oldest_frame() -> None:
    flight = LaneFlight(1000, 64 * 1024)
    flight.given(1, 0, 10, 1.0)
    flight.given(1, 10, 20, 2.0)
    assert flight.overdue_at(0.1) == pytest.approx(1.0 + limits.LANE_SILENCE_SECONDS + 0.3)
    flight.received(1, 3.0)
    assert flight.overdue_at(0.1) == pytest.approx(2.0 + limits.LANE_SILENCE_SECONDS + 0.3)
    flight.received(2, 3.0)
    assert flight.overdue_at(0.1) is None
