"""Two machines agree on one link, whatever is late, lost or doubled between them, in every order."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.core.dial.converging import Order, converge, linked_world, starting_world
from tests.core.dial.two_machines import Budget, Step, World
from tests.counts import DIAL_ORDERS, DIAL_STEPS_MORE, explored

from p4.core import limits
from p4.core.dial import Abandon, DialEffect, OfferWithdrawn, Phase
from p4.core.dial import machine as module
from p4.core.dial.attempt import Held
from p4.core.dial.machine import DialMachine

History = tuple[Step, ...]
BUSY_SECONDS = 1.5 * limits.BUSY_SECONDS
"""What a side waits that was told busy, with the jitter of these worlds."""
LONGEST_SECONDS = limits.WARM_REPLY_SECONDS + 1.0
"""A reply that was lost is missed after the first; then somebody begins again at once."""
MEAN_SECONDS = 0.15


def calms_down(world: World, history: History) -> list[float]:
    """From here both must come to one link once the world is kind; how many seconds that takes."""
    took = []
    for order in Order:
        try:
            took.append(converge(world, order).now - world.now)
        except AssertionError as error:
            error.add_note(f"after {history}, then {order}")
            raise
    return took


def taken(world: World, step: Step, history: History) -> World:
    try:
        return world.after(step)
    except AssertionError as error:
        error.add_note(f"in {(*history, step)}")
        raise


def explore(first: World, depth: int) -> list[float]:
    """Try every order of so many steps, and what comes of each; the seconds until both had one link."""
    layer: dict[object, tuple[World, History]] = {first.key(): (first, ())}
    for _ in range(depth):
        following: dict[object, tuple[World, History]] = {}
        for world, history in layer.values():
            for step in world.steps():
                twin = taken(world, step, history)
                following.setdefault(twin.key(), (twin, (*history, step)))
        layer = following
    return [seconds for world, history in layer.values() for seconds in calms_down(world, history)]


def wander(first: World, seeds: range, steps: int = 40) -> list[float]:
    """For each seed one order of many steps, chosen by chance; the seconds as in `explore`."""
    seconds = []
    for seed in seeds:
        chance = random.Random(seed)
        world = first
        history: History = ()
        for _ in range(chance.randint(1, steps)):
            possible = list(world.steps())
            if not possible:
                break
            step = chance.choice(possible)
            world, history = taken(world, step, history), (*history, step)
        seconds += calms_down(world, history)
    return seconds


def expect_swift(seconds: list[float], longest: float = LONGEST_SECONDS, mean: float = MEAN_SECONDS) -> None:
    """What was lost is waited for, a while; nearly always nothing has to be."""
    assert max(seconds) <= longest
    assert sum(seconds) / len(seconds) <= mean


@dataclass(frozen=True)
class Scene:
    """A world, the steps of which every order is tried, and what comes of them at the worst and in the mean.

    These worlds know no chance, so the means are held to little more than the machine needs: a bug that the
    next attempt repairs shows in nothing else.
    """

    make: Callable[[Budget], World]
    budget: Budget
    depth: int
    longest: float
    mean: float

    def explored(self, deeper: int = 0) -> list[float]:
        return explore(self.make(self.budget), self.depth + deeper)


KIND = Budget(losses=0, moves=0, changes=0, hurries=0)
SCENES = {
    "a kind start": Scene(starting_world, KIND, 6, 0.0, 0.0),
    "start": Scene(
        starting_world, Budget(losses=1, moves=1, changes=1, hurries=1), 4, limits.HOLD_SECONDS, 0.042
    ),
    "start, one changes": Scene(
        starting_world, Budget(losses=0, moves=0, changes=1, hurries=0), 5, BUSY_SECONDS, 0.03
    ),
    "one moves": Scene(linked_world, Budget(losses=1, moves=1, changes=0, hurries=1), 4, 0.5, 0.06),
    "both change": Scene(
        linked_world, Budget(losses=0, moves=0, changes=2, hurries=0), 6, limits.HOLD_SECONDS, 0.02
    ),
    "both change, one moves": Scene(
        linked_world, Budget(losses=0, moves=1, changes=2, hurries=0), 4, 0.0, 0.0
    ),
}
UNKIND = Budget(losses=3, moves=3, changes=3, hurries=4)
scenes = pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
beginnings = pytest.mark.parametrize("make", [starting_world, linked_world])


@scenes
def test_every_order_leads_to_one_link(scene: Scene) -> None:
    expect_swift(scene.explored(), scene.longest, scene.mean)


@beginnings
def test_many_long_orders_lead_to_one_link(make: Callable[[Budget], World]) -> None:
    expect_swift(wander(make(UNKIND), range(200)))


@scenes
@explored(DIAL_STEPS_MORE)
def test_every_longer_order_leads_to_one_link(scene: Scene, count: int) -> None:
    # All orders alike: the unkind ones, of which there are many more, count as much as the others.
    expect_swift(scene.explored(count), 0.0 if scene.budget == KIND else BUSY_SECONDS, 0.1)


@beginnings
@explored(DIAL_ORDERS)
def test_very_many_long_orders_lead_to_one_link(make: Callable[[Budget], World], count: int) -> None:
    expect_swift(wander(make(UNKIND), range(1000, 1000 + count), 60))


# --- bugs that these tests notice --------------------------------------------------------------------------

attempt_event, path_changed = DialMachine._attempt_event, DialMachine._path_changed
offer_withdrawn = DialMachine._offer_withdrawn


def _answer_of_the_future(machine: DialMachine, *event: Any) -> list[DialEffect]:
    effects = attempt_event(machine, *event)
    if machine._attempt is not None and machine._attempt.phase is Phase.OPENING:
        machine._attempt = replace(machine._attempt, sent_ms=10**12)
    return effects


def _goes_on_after_a_change(machine: DialMachine, now: float) -> list[DialEffect]:
    return path_changed(machine, now) if machine._attempt is None else []


def _forgets_without_ending(machine: DialMachine, now: float) -> list[DialEffect]:
    return [effect for effect in path_changed(machine, now) if not isinstance(effect, Abandon)]


def _answers_at_once(machine: DialMachine, held: Held, *_: Any) -> list[DialEffect]:
    ended = [Abandon(machine._attempt.generation)] if machine._attempt else []
    return [*machine._drop_held(), *ended, *machine._answer(held.offer)]


def _waits_for_a_cancelled_link(machine: DialMachine, event: OfferWithdrawn, now: float) -> list[DialEffect]:
    joining = machine.phase is Phase.JOINING
    return offer_withdrawn(machine, replace(event, cancelled=event.cancelled and not joining), now)


def _waits_after_a_cancel(machine: DialMachine, event: OfferWithdrawn, now: float) -> list[DialEffect]:
    effects = offer_withdrawn(machine, event, now)
    if effects and machine.retry_at is not None:
        machine._plan(now, machine._pace.after_busy())
    return effects


MUTANTS = {
    "a newer offer is held while the answer's link opens": ("_attempt_event", _answer_of_the_future),
    "an attempt goes on after a change of path": ("_path_changed", _goes_on_after_a_change),
    "an attempt is forgotten but not ended": ("_path_changed", _forgets_without_ending),
    "a held offer is answered twice": ("_answer_held", lambda m, held: m._answer(held.offer)),
    "both give way": ("_hold", _answers_at_once),
    "held for ever": ("_time_passed", lambda m, now: m._dial_if_due(now)),
    "nothing follows a failure": ("_back_off", lambda *_: []),
    "a cancel does not end what was answered": ("_offer_withdrawn", _waits_for_a_cancelled_link),
    "a cancel is waited after as a busy is": ("_offer_withdrawn", _waits_after_a_cancel),
}


def everything() -> None:
    for scene in SCENES.values():
        expect_swift(scene.explored(), scene.longest, scene.mean)
    for make in (starting_world, linked_world):
        expect_swift(wander(make(UNKIND), range(150)))


@pytest.mark.parametrize("bug", MUTANTS)
def test_a_planted_bug_is_noticed(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DialMachine, *MUTANTS[bug])
    with pytest.raises(AssertionError):
        everything()


def test_an_old_offer_that_begins_anew_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_is_older", lambda *_: False)
    with pytest.raises(AssertionError):
        everything()
