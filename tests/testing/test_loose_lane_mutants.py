"""Faults planted in the simulation's loose channels, each of which its own tests must find."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.testing import test_network_links as links

from p4.testing.loose_lane import LooseLane
from p4.testing.virtual_time import VirtualTimeError

Lane = LooseLane[str | bytes]


def overtakes(ordered: bool, reliable: bool) -> Callable[[], None]:
    return lambda: links.test_a_channel_overtakes_and_loses_as_its_kind_says(ordered, reliable, False)


def blocked(ordered: bool, reliable: bool) -> Callable[[], None]:
    return lambda: links.test_a_blocked_path_keeps_what_is_reliable_and_loses_the_rest(
        ordered, reliable, "silent"
    )


def arrive_with_all_before(lane: Lane, number: int) -> None:
    for each in [each for each in lane._flying if each <= number]:
        lane._pass_on(each, lane._flying.pop(each))


def arrive_alone(lane: Lane, number: int) -> None:
    lane._pass_on(number, lane._flying.pop(number))


def lose_what_is_held(lane: Lane, number: int, item: str | bytes) -> None:
    if not lane._blocked():
        lane._sent(item)
        lane._deliver(item)


def keep_what_is_unreliable(lane: Lane, number: int, item: str | bytes) -> None:
    if lane._blocked():
        lane._held[number] = item
    else:
        lane._deliver(item)


def send_surely(lane: Lane, item: str | bytes) -> None:
    number, lane._next = lane._next, lane._next + 1
    lane._flying[number] = item
    delay = lane._delay()
    lane._source.later(delay, lane._sent, item)
    lane._target.later(delay, lane._arrive, number)


MUTANTS = {
    "nothing overtakes": ("_arrive", arrive_with_all_before, overtakes(ordered=False, reliable=True)),
    "an ordered lane overtakes": ("_arrive", arrive_alone, overtakes(ordered=True, reliable=False)),
    "nothing is lost": ("send", send_surely, overtakes(ordered=False, reliable=False)),
    "reliable and lost": ("_pass_on", lose_what_is_held, blocked(ordered=False, reliable=True)),
    "unreliable and kept": ("_pass_on", keep_what_is_unreliable, blocked(ordered=False, reliable=False)),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_tests_of_links_find_the_fault(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    attribute, mutant, test = MUTANTS[name]
    monkeypatch.setattr(LooseLane, attribute, mutant)
    with pytest.raises((AssertionError, VirtualTimeError)):
        test()
