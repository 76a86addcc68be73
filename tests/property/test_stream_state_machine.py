"""The two ends of a stream in long random histories: breaks, crashes, power failures, resets."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.counts import STREAM_HISTORIES, explored
from tests.property.stream_side import Plan
from tests.property.stream_world import World

from p4.core import limits
from p4.core.session.streams.machine import StreamMachine

WINDOW = 16

sizes = st.lists(st.integers(1, 40), max_size=5).map(tuple)


class StreamHistories(RuleBasedStateMachine):
    """Any move of a world, again and again; in the end nothing goes wrong any more."""

    def __init__(self) -> None:
        super().__init__()
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(limits, "STREAM_FIRST_WINDOW_BYTES", WINDOW)
        self._patch.setattr(limits, "STREAM_LEAST_WINDOW_BYTES", WINDOW)
        self._patch.setattr(limits, "STREAM_WINDOW_BYTES", 4 * WINDOW)

    @initialize(
        ours=sizes,
        theirs=sizes,
        piece=st.integers(1, 20),
        flaps=st.integers(0, 4),
        crashes=st.integers(0, 3),
        powers=st.integers(0, 2),
        cancels=st.sampled_from((0, 0, 0, 1, 2)),
        lanes=st.integers(0, 4),
    )
    def begin(
        self,
        ours: tuple[int, ...],
        theirs: tuple[int, ...],
        piece: int,
        flaps: int,
        crashes: int,
        powers: int,
        cancels: int,
        lanes: int,
    ) -> None:
        plan = Plan(
            (ours, theirs), piece, flaps=flaps, crashes=crashes, powers=powers, cancels=cancels, lanes=lanes
        )
        self.world = World(StreamMachine, plan)

    @rule(count=st.integers(1, 20))
    def go_on(self, count: int) -> None:
        """What is usual, some times."""
        for _ in range(count):
            step = next(self.world.quiet_moves(), None)
            if step is None:
                return
            step[1](self.world)

    @precondition(lambda self: next(self.world.moves(), None) is not None)
    @rule(choice=st.integers(0, 200))
    def surprise(self, choice: int) -> None:
        """Anything that can happen."""
        moves = list(self.world.moves())
        moves[choice % len(moves)][1](self.world)

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.world.settle(most=3_000)
        finally:
            self._patch.undo()


def test_a_process_that_dies_between_a_loss_on_disk_and_telling_it_starts_without_the_stream() -> None:
    histories = StreamHistories()
    histories.begin(ours=(9, 40), theirs=(1, 1), piece=16, flaps=1, crashes=1, powers=2, cancels=0, lanes=1)
    for step in (-11, 41, -9, -20, 127, -15, 19, 1, -7, 34):
        histories.go_on(-step) if step < 0 else histories.surprise(step)
    assert "loss" in histories.world.happened
    assert all(side.disk is not None and side.disk.reset >= 0 for side in histories.world.sides)
    histories.teardown()


def histories(*, most: int, shrink: bool = True) -> settings:
    """Settings of a search: the same histories each time, but in `make soak`."""
    return settings(
        max_examples=most,
        stateful_step_count=40,
        deadline=None,
        phases=tuple(phase for phase in Phase if shrink or phase in (Phase.generate, Phase.explicit)),
        suppress_health_check=list(HealthCheck),
    )


def test_long_histories_end_well() -> None:
    run_state_machine_as_test(StreamHistories, settings=histories(most=40))


@explored(STREAM_HISTORIES)
def test_many_long_histories_end_well(count: int) -> None:
    run_state_machine_as_test(StreamHistories, settings=histories(most=count))
