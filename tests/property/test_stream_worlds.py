"""Every interleaving of two stream machines in a small world.

In each reachable state a world that behaves from then on carries everything over, and both sides forget the
stream. What must always hold is asserted by the world itself.
"""

from __future__ import annotations

import pytest
from tests.counts import STREAM_SURPRISES, explored
from tests.property.stream_side import Make, Plan
from tests.property.stream_world import World

from p4.core import limits
from p4.core.session.streams.machine import StreamMachine


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of two bytes: credit runs out and is renewed within a world of a few bytes."""
    monkeypatch.setattr(limits, "STREAM_FIRST_WINDOW_BYTES", 2)
    monkeypatch.setattr(limits, "STREAM_LEAST_WINDOW_BYTES", 2)
    monkeypatch.setattr(limits, "STREAM_WINDOW_BYTES", 4)


def explore(plan: Plan, *, turns: int, make: Make = StreamMachine) -> int:
    """Visit every state that is at most so many surprises away from the usual course.

    A surprise is any move but the likeliest: another order, or something that goes wrong. From every state
    the usual course must lead to the end.

    Returns:
        How many states there are.
    """
    start = World(make, plan)
    known: dict[object, int] = {}
    """By state: the surprises that were left when it was visited."""
    calm: dict[object, object] = {}
    """From each state: the one that comes next in the usual course; from the last one None."""
    stack: list[tuple[World, object, int, tuple[str, ...]]] = [(start, start.key(), turns, ())]
    while stack:
        world, key, left, path = stack.pop()
        if known.get(key, -1) >= left:
            continue
        known[key] = left
        usual = next(world.quiet_moves(), (None,))[0]
        try:
            if usual is None:
                calm[key] = None
                world.assert_all_over()
            for name, move in world.moves():
                path_there, left_there = (*path, name), left - (name != usual)
                if left_there < 0:
                    continue
                following = world.copy()
                move(following)
                key_there = following.key()
                if name == usual:
                    calm[key] = key_there
                if known.get(key_there, -1) < left_there:
                    stack.append((following, key_there, left_there, path_there))
        except AssertionError as error:
            raise AssertionError(f"{error}, after:\n" + "\n".join(path)) from error
    assert_all_end(calm)
    return len(known)


def assert_all_end(calm: dict[object, object]) -> None:
    """From every state the usual course comes to a last one."""
    good: set[object] = set()
    for state in calm:
        way = []
        at: object = state
        while at is not None and at in calm and at not in good:
            assert at not in way, "a calm world goes round in circles"
            way.append(at)
            at = calm[at]
        good.update(way)


SMALL = {
    "one byte each way": Plan(writes=((1,), (1,))),
    "more than a window": Plan(writes=((3,), ()), piece=2),
    "a link that breaks": Plan(writes=((1,), (1,)), flaps=1),
    "a crash": Plan(writes=((1,), ()), crashes=1),
    "a power failure": Plan(writes=((1, 1), ()), powers=1),
    "a power failure, and a break": Plan(writes=((1, 1), ()), powers=1, flaps=1),
    "one that is cancelled": Plan(writes=((1,), (1,)), cancels=1, flaps=1),
    "one that is slow to look": Plan(writes=((1,), ()), flaps=1, late=True),
    "one that is slow to look, and a crash": Plan(writes=((1,), (1,)), crashes=1, late=True),
    "one that leaves late": Plan(writes=((1,), ()), late=True, leaves=True),
    "a lane that ends": Plan(writes=((3,), ()), piece=2, lanes=1),
    "a lane that ends, and a break": Plan(writes=((2,), (1,)), lanes=1, flaps=1),
    "a lane that ends, and a power failure": Plan(writes=((1, 1), ()), lanes=1, powers=1),
    "both cancel": Plan(writes=((1,), ()), cancels=2, crashes=1),
}


QUICK = {
    "one byte each way",
    "more than a window",
    "a link that breaks",
    "one that is slow to look",
    "one that leaves late",
}


@pytest.mark.parametrize("plan", [pytest.param(SMALL[name], id=name) for name in sorted(QUICK)])
def test_everything_arrives_and_is_forgotten(plan: Plan) -> None:
    assert explore(plan, turns=2) > 200


@pytest.mark.parametrize("plan", SMALL.values(), ids=SMALL)
@explored(STREAM_SURPRISES)
def test_everything_arrives_and_is_forgotten_after_more_surprises(plan: Plan, count: int) -> None:
    assert explore(plan, turns=count) > 200
