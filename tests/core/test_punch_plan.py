"""The two sides of port guessing in simulated time, against each other and at their limits.

Each law ships with bugs planted into the plans that it must find (`MUTANTS`).
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.counts import examples

from p4.core import limits
from p4.core.punch import PacketKind, probe_ports
from p4.core.punch_plan import EasyPlan, HardPlan

PLAN = "p4.core.punch_plan"
TICK = limits.PUNCH_TICK_SECONDS


@dataclass
class World:
    """Both sides, a port-restricted NAT before the easy one and a symmetric one before the other."""

    seed: int
    delay: float = 0.02
    loss: float = 0.0
    head_start: float = 0.0
    """Seconds by which the hard side begins earlier (negative: later)."""
    strict: bool = True
    """The easy side's NAT filters by address and port."""
    tick: float = TICK
    """How often the plans are asked; a busy loop is late, so that they have to catch up."""
    sent: list[tuple[float, str, PacketKind, int]] = field(default_factory=list)

    def run(self, until: float = 20.0) -> None:
        choice = random.Random(self.seed)
        outer = choice.sample(range(1024, 65536), limits.PUNCH_SOCKETS)
        number_of = {port: number for number, port in enumerate(outer)}
        open_hard: set[int] = set()  # ports of the hard NAT that let the easy side in
        open_easy: set[int] = set()  # ports that the easy side sent to
        self.easy = EasyPlan(choice.randbytes(8), max(0.0, self.head_start))
        self.hard = HardPlan(len(outer), max(0.0, -self.head_start))
        flying: list[tuple[float, int, str, PacketKind, int]] = []
        order = itertools.count()

        def launch(now: float, side: str, sending: list[tuple[PacketKind, int]]) -> None:
            for kind, where in sending:
                self.sent.append((now, side, kind, where))
                port = where if side == "easy" else outer[where]
                (open_easy if side == "easy" else open_hard).add(port)
                if choice.random() >= self.loss:
                    heapq.heappush(flying, (now + self.delay, next(order), side, kind, port))

        for tick in range(int(until / self.tick)):
            now = tick * self.tick
            while flying and flying[0][0] <= now:
                at, _, side, kind, port = heapq.heappop(flying)
                if side == "easy" and port in number_of and port in open_hard:
                    launch(at, "hard", self.hard.received(kind, number_of[port]))
                elif side == "hard" and (not self.strict or port in open_easy):
                    launch(at, "easy", self.easy.received(kind, port, at))
            for side, plan in (("easy", self.easy), ("hard", self.hard)):
                assert isinstance(plan, EasyPlan | HardPlan)
                if now >= plan.began:
                    launch(now, side, plan.due(now))
            if self.easy.pair is not None and self.hard.pair is not None and self.met is None:
                self.met = now
        self.outer = outer

    met: float | None = None
    outer: list[int] = field(default_factory=list)


def times(world: World, side: str, *kinds: PacketKind) -> list[float]:
    return [at for at, who, kind, _ in world.sent if who == side and kind in kinds]


def check_limits(world: World) -> None:
    probes = times(world, "easy", PacketKind.PROBE)
    opens = times(world, "hard", PacketKind.OPEN)
    # Written out as in spec/punch.md: a limit that was changed must be noticed.
    assert len(probes) <= 2000
    for sent, most in ((probes, 400), (opens, 800)):
        burst = 2 * most * TICK
        for at, after in zip(sent, sent[most + int(burst) :], strict=False):
            assert after - at > 1.0 - 1e-6
    assert all(at < world.easy.began + 8 for at in times(world, "easy", *PacketKind))
    assert all(at < world.hard.began + 12 for at in opens)
    tried = [port for _, who, kind, port in world.sent if who == "easy" and kind is PacketKind.PROBE]
    assert len(tried) - len(set(tried)) <= len(world.easy._opened), "twice only after an OPEN from there"
    # Nothing is amplified: the hard side answers each packet with one at most.
    assert len(times(world, "hard", PacketKind.ANSWER)) <= len(probes)
    chosen = times(world, "easy", PacketKind.CHOSEN)
    assert len(times(world, "hard", PacketKind.HARD_KEEP)) <= len(chosen)


def check_meeting(world: World) -> None:
    if world.easy.pair is not None:
        assert world.hard.pair is not None
        assert world.outer[world.hard.pair] == world.easy.pair, "both use the same pair"


WORLDS = st.builds(
    World,
    seed=st.integers(0, 2**32),
    delay=st.sampled_from([0.001, 0.02, 0.15, 0.5, 1.0]),
    loss=st.sampled_from([0.0, 0.1, 0.3, 1.0]),
    head_start=st.floats(-4, 3),
    strict=st.booleans(),
    tick=st.sampled_from([TICK, TICK * 1.1, TICK * 3]),
)


@examples(0.3)
@given(WORLDS)
def test_the_limits_hold_and_both_sides_agree(world: World) -> None:
    world.run()
    check_limits(world)
    check_meeting(world)


def test_nearly_every_attempt_meets_and_most_at_once() -> None:
    worlds = [World(seed) for seed in range(40)]
    for world in worlds:
        world.run(8.0)
    met = sorted(world.met if world.met is not None else 99.0 for world in worlds)
    assert met[-2] < 8.0
    assert met[20] < 1.2


@pytest.mark.parametrize(
    "world",
    [
        World(1, delay=1.0),
        World(2, loss=0.3, delay=0.15),
        World(3, head_start=3.0),
        World(4, head_start=-1.0),
    ],
    ids=["slow", "lossy", "the answer takes three seconds", "the easy side is early"],
)
def test_hard_conditions(world: World) -> None:
    world.run()
    assert world.met is not None


def test_where_the_easy_side_is_not_strict_nothing_is_guessed_for_long() -> None:
    for seed in range(20):
        # The easy side is in the middle of its guesses, and always a little late.
        world = World(seed, strict=False, tick=TICK * 1.1, delay=0.013, head_start=-0.5)
        world.run(2.0)
        assert world.met is not None
        assert world.met < 0.7, "an OPEN that came in is replied to, however many guesses are due"


def test_a_run_without_an_end_uses_what_it_may_and_no_more() -> None:
    world = World(5, loss=1.0)
    world.run()
    check_limits(world)
    assert len(times(world, "easy", PacketKind.PROBE)) > 1980
    assert len(times(world, "hard", PacketKind.OPEN)) == 4 * 256
    assert world.easy.over(20.0)
    assert world.hard.over(20.0)


@examples(0.3)
@given(st.lists(st.floats(0, 1.5), max_size=60))
def test_a_loop_that_stalls_does_not_catch_up_in_a_burst(pauses: list[float]) -> None:
    easy, hard, now = EasyPlan(b"s", 0.0), HardPlan(256, 0.0), 0.0
    for pause in pauses:
        now += pause
        assert len(easy.due(now)) <= limits.PUNCH_PROBES_PER_SECOND * TICK
        assert len(hard.due(now)) <= limits.PUNCH_OPENS_PER_SECOND * TICK


def test_packets_that_nobody_asked_for_change_nothing() -> None:
    easy, hard = EasyPlan(b"s", 0.0), HardPlan(8, 0.0)
    assert easy.received(PacketKind.HARD_KEEP, 5000, 0.1) == []
    assert easy.pair is None
    assert hard.received(PacketKind.EASY_KEEP, 3) == []
    assert hard.pair is None
    for port in range(2000, 2010):
        easy.received(PacketKind.ANSWER, port, 0.1)
    assert len(easy.due(0.3)) == 4, "four answers count"
    opened = [easy.received(PacketKind.OPEN, port, 0.4) for port in range(3000, 3200)]
    assert sum(map(len, opened)) == 8, "as many as in any other tick"
    opened = [easy.received(PacketKind.OPEN, port, 0.4 + port / 1000) for port in range(4000, 4200)]
    assert sum(map(len, opened)) == 64 - 8
    hard.received(PacketKind.CHOSEN, 3)
    assert hard.received(PacketKind.CHOSEN, 4) == []
    assert hard.received(PacketKind.CHOSEN, 3) == [(PacketKind.HARD_KEEP, 3)]
    assert hard.pair == 3


# --- planted bugs ------------------------------------------------------------------------------------------


def greedy(plan: HardPlan, kind: PacketKind, number: int) -> list[Any]:
    """Takes the latest CHOSEN instead of the first."""
    if kind is PacketKind.CHOSEN:
        plan.pair = number
        return [(PacketKind.HARD_KEEP, number)]
    return [(PacketKind.ANSWER, number)] if kind is PacketKind.PROBE else []


def hasty(plan: EasyPlan, kind: PacketKind, port: int, now: float) -> list[Any]:
    """Believes an ANSWER without waiting for the confirmation."""
    if kind is PacketKind.ANSWER and plan.pair is None:
        plan.pair = port
    return []


def few_ports(seed: bytes) -> Iterator[int]:
    return itertools.cycle([*itertools.islice(probe_ports(seed), 99)])


MUTANTS: list[tuple[str, str, Any]] = [
    ("as many probes as time allows", f"{PLAN}._allowance", lambda _: 10**6),
    ("no limit on a burst", f"{PLAN}._PER_TICK", 10_000),
    ("quicker probes", f"{PLAN}._PER_TICK", 12),
    ("goes on for longer", f"{PLAN}.EasyPlan.over", lambda *_: False),
    ("ports tried again", f"{PLAN}.probe_ports", few_ports),
    ("replies wait behind guesses", f"{PLAN}.EasyPlan._may_reply", lambda *_: False),
    ("takes the latest", f"{PLAN}.HardPlan.received", greedy),
    ("believes at once", f"{PLAN}.EasyPlan.received", hasty),
    ("opens one round only", "p4.core.limits.PUNCH_OPEN_AGAIN_SECONDS", 100.0),
]
LAWS: list[Callable[[], None]] = [  # quick ones first
    test_where_the_easy_side_is_not_strict_nothing_is_guessed_for_long,
    test_a_run_without_an_end_uses_what_it_may_and_no_more,
    test_packets_that_nobody_asked_for_change_nothing,
    test_a_loop_that_stalls_does_not_catch_up_in_a_burst,
    test_the_limits_hold_and_both_sides_agree,
]


@pytest.mark.parametrize(("target", "bug"), [mutant[1:] for mutant in MUTANTS], ids=[m[0] for m in MUTANTS])
def test_a_planted_bug_is_found(monkeypatch: pytest.MonkeyPatch, target: str, bug: object) -> None:
    monkeypatch.setattr(target, bug)
    with pytest.raises(AssertionError):
        every_law()


def every_law() -> None:
    for law in LAWS:
        law()
