"""Two message machines in long random histories: full disks, old backups, jumping clocks, broken links."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from tests.counts import MESSAGE_HISTORIES, explored
from tests.property.message_side import Disk, text
from tests.property.message_world import World

from p4.core.session.messages.events import GrantsChanged, TimePassed
from p4.core.session.messages.machine import MessageMachine

SIDES = st.integers(0, 1)
MOST_RESTORES = 3


class Pair(RuleBasedStateMachine):
    """A world in which anything may happen at any time."""

    make: ClassVar[type[MessageMachine]] = MessageMachine

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.make, [[], []], takes=True, crashes=2, flaps=4)
        self.count = 0
        self.backups: list[tuple[int, Disk]] = []
        self.restores = 0

    @rule(
        index=SIDES,
        size=st.integers(1, 3),
        key=st.sampled_from(["", "", "k"]),
        ttl_ms=st.sampled_from([0, 0, 500]),
        service=st.sampled_from(["chat", "chat", "door"]),
    )
    def hands_over(self, index: int, size: int, key: str, ttl_ms: int, service: str) -> None:
        drafts = []
        for _ in range(size):
            self.count += 1
            expires_ms = self.world.now_ms + ttl_ms if ttl_ms else 0
            drafts.append(text(self.count, key=key, expires_ms=expires_ms, service=service))
        self.world.sides[index].script.append(tuple(drafts))
        self.world.submit(index)

    @rule(index=SIDES, count=st.integers(1, 6))
    def disk_works(self, index: int, count: int) -> None:
        for _ in range(count):
            if self.world.sides[index].todo:
                self.world.work(index)

    @rule(index=SIDES)
    def disk_refuses(self, index: int) -> None:
        if self.world.sides[index].todo:
            self.world.refuse(index)

    @rule(index=SIDES, count=st.integers(1, 6))
    def hears(self, index: int, count: int) -> None:
        world = self.world
        for _ in range(count):
            if world.sides[index].joined != world.link:
                world.join(index)
            elif world.wires[index]:
                world.hear(index)

    @rule(choices=st.lists(st.integers(0, 7), min_size=1, max_size=16))
    def some_of_it_happens(self, choices: list[int]) -> None:
        """Whatever is under way goes on, in any order."""
        for choice in choices:
            moves = [move for _, move in self.world.moves()]
            if moves:
                moves[choice % len(moves)](self.world)

    @rule(index=SIDES)
    def takes(self, index: int) -> None:
        if self.world.sides[index].given:
            self.world.take(index)

    @rule()
    def link_breaks(self) -> None:
        self.world.break_link()

    @rule(index=SIDES, done=st.integers(0, 3))
    def dies(self, index: int, done: int) -> None:
        self.world.crash(index, done)

    @rule(seconds=st.sampled_from([0.1, 10.0]), jump_ms=st.sampled_from([0, 100, 10_000, -10_000]))
    def time_passes(self, seconds: float, jump_ms: int) -> None:
        self.world.now += seconds
        self.world.now_ms = max(1, self.world.now_ms + jump_ms)
        for index in (0, 1):
            self.world.feed(index, TimePassed())

    @rule(index=SIDES, grants=st.sampled_from([("chat",), ("chat", "door"), ("*",)]))
    def grants_change(self, index: int, grants: tuple[str, ...]) -> None:
        self.world.grants[index] = grants
        self.world.feed(index, GrantsChanged(grants))

    @rule()
    def all_is_calm(self) -> None:
        self.world.calm()

    @rule(index=SIDES)
    def is_backed_up(self, index: int) -> None:
        disk = self.world.sides[index].disk
        if disk.model.record.in_epoch:
            # Without an epoch it would be a side that is set up anew.
            self.backups.append((index, disk.copy()))

    @precondition(lambda self: self.backups and self.restores < MOST_RESTORES)
    @rule(data=st.data())
    def is_restored(self, data: st.DataObject) -> None:
        self.restores += 1
        index, backup = data.draw(st.sampled_from(self.backups))
        self.world.restore(index, backup)

    def teardown(self) -> None:
        self.world.calm()


def run(
    make: type[MessageMachine], examples: int, steps: int, phases: Collection[Phase] = tuple(Phase)
) -> None:
    """Try so many histories of so many steps; the same ones each time, but in `make soak`.

    Raises:
        AssertionError: one ends badly.
    """

    class Histories(Pair):
        pass

    Histories.make = make
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )


def test_a_few_histories() -> None:
    run(MessageMachine, examples=40, steps=40)


@explored(MESSAGE_HISTORIES)
def test_many_long_histories(count: int) -> None:
    run(MessageMachine, examples=count, steps=80)
