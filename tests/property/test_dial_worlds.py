"""Every interleaving of two dial machines in a small world (design: exhaustive small worlds).

In each reachable state, a network that behaves from then on brings both sides onto one and the same link.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import pytest
from tests.counts import DIAL_STATES, explored
from tests.property.dial_world import World

from p4.core.dial import Decline, DialEffect, DialMachine, OfferArrived, Phase
from p4.core.identity import PeerId

CALM_MOVES = 60
"""Steps within which a calm world must agree; twice the most ever needed."""

Make = Callable[[PeerId, PeerId], DialMachine]


def machine(me: PeerId, peer: PeerId) -> DialMachine:
    return DialMachine(me, peer, protocol=2, jitter=lambda: 0.5)


def explore(
    make: Make, *, losses: int, crashes: int, most_states: int, timers: bool = True, seconds: float = math.inf
) -> int:
    """Visit every state that can be reached (breadth first); returns how many there are.

    Args:
        timers: also let timers fire before their time.
        seconds: within which a calm world must agree.
    """
    start = World(make, losses, crashes, timers=timers)
    seen = {start.key()}
    queue: deque[tuple[World, tuple[str, ...]]] = deque([(start, ("start",))])
    while queue and len(seen) < most_states:
        world, path = queue.popleft()
        assert_converges(world.copy(), path, seconds)
        for name, move in world.moves():
            following = world.copy()
            move(following)
            key = following.key()
            if key not in seen:
                seen.add(key)
                queue.append((following, (*path, name)))
    return len(seen)


def assert_converges(world: World, path: tuple[str, ...], seconds: float) -> None:
    spent = 0.0
    for _ in range(CALM_MOVES):
        if world.agreed and not world.packets:
            break
        step = world.calm_move()
        if step is None:
            break
        spent += step
    assert world.agreed, "the two sides never agree after:\n" + "\n".join(path)
    assert spent <= seconds, f"they agree only after {spent} s, after:\n" + "\n".join(path)


def test_two_starting_nodes_agree_at_once_whatever_the_order() -> None:
    states = explore(machine, losses=0, crashes=0, most_states=40_000, timers=False, seconds=0.0)
    assert states > 20


def test_they_agree_with_clocks_that_run_as_they_like() -> None:
    assert explore(machine, losses=0, crashes=0, most_states=4_000) >= 4_000


def test_they_agree_after_a_lost_message_and_a_crash() -> None:
    assert explore(machine, losses=1, crashes=1, most_states=4_000) >= 4_000


@explored(DIAL_STATES)
def test_they_agree_after_losses_and_crashes_in_every_combination(count: int) -> None:
    assert explore(machine, losses=2, crashes=2, most_states=count) >= min(count, 10_000)


# --- the bugs this test is for ---------------------------------------------------------------------------


class BothYield(DialMachine):
    """Each side answers the other's offer and drops its own: two half links, no whole one."""

    def _offer_arrived(self, offer: OfferArrived, now: float) -> list[DialEffect]:
        self._lower = False
        return super()._offer_arrived(offer, now)


class NobodyYields(DialMachine):
    """Each side refuses the other's offer while its own is out."""

    def _offer_arrived(self, offer: OfferArrived, now: float) -> list[DialEffect]:
        if self.phase in {Phase.OFFERED, Phase.DIALLING, Phase.OPENING}:
            return [Decline(offer.token)]
        return super()._offer_arrived(offer, now)


class ForgetsWhatItHolds(DialMachine):
    """The lower id never answers the offer that it holds, so one lost offer of its own blocks both."""

    def _attempt_failed(self, now: float, reason: str, *, busy: bool) -> list[DialEffect]:
        self._held = None
        self._attempt = None
        return []


@pytest.mark.parametrize("mutant", [BothYield, NobodyYields, ForgetsWhatItHolds])
def test_a_planted_bug_is_found(mutant: type[DialMachine]) -> None:
    def make(me: PeerId, peer: PeerId) -> DialMachine:
        return mutant(me, peer, protocol=2, jitter=lambda: 0.5)

    def search() -> None:
        explore(make, losses=0, crashes=0, most_states=2_000, timers=False, seconds=0.0)
        explore(make, losses=1, crashes=0, most_states=2_000, timers=False)

    with pytest.raises(AssertionError, match="agree"):
        search()
