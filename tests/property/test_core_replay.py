"""The law of the replay window against a model that remembers everything.

The model is a set that never forgets. The window, which must forget, may refuse more than the model but never
accept what it refuses; and above its floor it may not refuse anything new. Planted mutants show that the test
can see the bugs it is there for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from p4.core import limits
from p4.core.replay import ReplayWindow
from p4.errors import EnvelopeError

CAPACITY = 3
SKEW = limits.MAX_SKEW_MS


@dataclass(frozen=True)
class Receive:
    nonce: int
    timestamp_ms: int


@dataclass(frozen=True)
class Prune:
    now_ms: int


@dataclass(frozen=True)
class Restart:
    pass


Step = Receive | Prune | Restart

# Few values, so that repetition, equal times and eviction happen all the time.
STEPS = st.lists(
    st.one_of(
        st.builds(Receive, st.integers(0, 9), st.integers(1, 9)),
        st.builds(Prune, st.integers(SKEW, SKEW + 12)),
        st.just(Restart()),
    ),
    max_size=25,
)

Accept = Callable[[ReplayWindow, bytes, int], ReplayWindow]
Save = Callable[[ReplayWindow], ReplayWindow]


def real_accept(window: ReplayWindow, nonce: bytes, timestamp_ms: int) -> ReplayWindow:
    return window.accept(nonce, timestamp_ms)


def real_restart(window: ReplayWindow) -> ReplayWindow:
    return ReplayWindow(window.floor_ms, window.entries, window.capacity)


def real_prune(window: ReplayWindow, now_ms: int) -> ReplayWindow:
    return window.prune(now_ms)


@dataclass(frozen=True)
class Behaviour:
    """The window's operations; a mutant replaces one."""

    accept: Accept = real_accept
    restart: Save = real_restart
    prune: Callable[[ReplayWindow, int], ReplayWindow] = real_prune


def violation(steps: list[Step], behaviour: Behaviour) -> str:
    """What the window did against the law, or an empty string."""
    window = ReplayWindow(capacity=CAPACITY)
    accepted: set[tuple[int, int]] = set()
    for step in steps:
        before = window
        match step:
            case Prune(now_ms):
                window = behaviour.prune(window, now_ms)
            case Restart():
                window = behaviour.restart(window)
            case Receive(nonce, timestamp_ms):
                known = {number for number, _ in accepted}
                try:
                    window = behaviour.accept(window, nonce.to_bytes(16, "big"), timestamp_ms)
                except EnvelopeError:
                    if timestamp_ms > before.floor_ms and nonce not in known:
                        return f"refused something new above the floor: {step}"
                else:
                    if (nonce, timestamp_ms) in accepted:
                        return f"accepted twice: {step}"
                    accepted.add((nonce, timestamp_ms))
        if window.floor_ms < before.floor_ms:
            return "the floor fell"
        if window.floor_ms > max((timestamp for _, timestamp in accepted), default=0):
            return "the floor is above everything that was accepted"
        if len(window.entries) > CAPACITY:
            return "more entries than the capacity"
    return ""


@settings(max_examples=6 * settings().max_examples)
@given(STEPS)
def test_what_was_accepted_is_refused_for_ever_and_new_things_pass(steps: list[Step]) -> None:
    assert violation(steps, Behaviour()) == ""


def evict_without_floor(window: ReplayWindow, nonce: bytes, timestamp_ms: int) -> ReplayWindow:
    accepted = window.accept(nonce, timestamp_ms)
    return _with_floor(accepted, window.floor_ms)


def evict_the_newest(window: ReplayWindow, nonce: bytes, timestamp_ms: int) -> ReplayWindow:
    roomy = replace(window, capacity=CAPACITY + 1).accept(nonce, timestamp_ms)
    return ReplayWindow(window.floor_ms, roomy.entries[:CAPACITY], CAPACITY)


def look_only_at_the_floor(window: ReplayWindow, nonce: bytes, timestamp_ms: int) -> ReplayWindow:
    if timestamp_ms <= window.floor_ms:
        raise EnvelopeError("", code="replayed")
    return replace(window, entries=(*window.entries, (timestamp_ms, nonce)))


def demand_rising_times(window: ReplayWindow, nonce: bytes, timestamp_ms: int) -> ReplayWindow:
    if window.entries and timestamp_ms <= window.entries[-1][0]:
        raise EnvelopeError("", code="replayed")
    return window.accept(nonce, timestamp_ms)


def forget_the_floor(window: ReplayWindow) -> ReplayWindow:
    return ReplayWindow(0, window.entries, window.capacity)


def forget_the_entries(window: ReplayWindow) -> ReplayWindow:
    return ReplayWindow(window.floor_ms, (), window.capacity)


def floor_from_our_clock(window: ReplayWindow, now_ms: int) -> ReplayWindow:
    return replace(window, floor_ms=max(window.floor_ms, now_ms - SKEW - 1))


def prune_without_floor(window: ReplayWindow, now_ms: int) -> ReplayWindow:
    return _with_floor(window.prune(now_ms), window.floor_ms)


def _with_floor(window: ReplayWindow, floor_ms: int) -> ReplayWindow:
    return ReplayWindow(floor_ms, window.entries, window.capacity)


MUTANTS = {
    "eviction without raising the floor": Behaviour(accept=evict_without_floor),
    "the newest is evicted": Behaviour(accept=evict_the_newest),
    "entries are not looked at": Behaviour(accept=look_only_at_the_floor),
    "reordering is refused": Behaviour(accept=demand_rising_times),
    "the floor is not stored": Behaviour(restart=forget_the_floor),
    "the entries are not stored": Behaviour(restart=forget_the_entries),
    "the floor follows our clock": Behaviour(prune=floor_from_our_clock),
    "pruning without raising the floor": Behaviour(prune=prune_without_floor),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_found(name: str) -> None:
    try:
        find(
            STEPS,
            lambda steps: violation(steps, MUTANTS[name]) != "",
            settings=settings(
                max_examples=3000, derandomize=True, deadline=None, phases=[Phase.generate], database=None
            ),
        )
    except NoSuchExample:
        pytest.fail(f"the law does not notice that {name}")
