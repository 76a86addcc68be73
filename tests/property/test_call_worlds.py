"""Every interleaving of two calls with lost links, lost replies, copies and crashes (spec/session.md, Calls).

A call is executed at most once, its caller has exactly one true outcome by its deadline, and in the end
nobody remembers anything.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from tests.counts import CALL_STATES, MORE_CALL_STATES, explored
from tests.property.call_world import World

from p4.core.session.calls import Callee, Caller
from p4.core.session.calls.events import (
    CalleeEffect,
    CalleeEvent,
    CallerEffect,
    CallerEvent,
    Ended,
    Finished,
    LinkUp,
    Stop,
    Transmit,
)
from p4.core.session.session_frames import Call, CallStatus, Cancel, Replied, Reply


def explore(
    make_caller: Callable[[], Caller] = Caller,
    make_callee: Callable[[], Callee] = Callee,
    *,
    flaps: int = 0,
    crashes: int = 0,
    copies: int = 0,
    most_states: float = math.inf,
) -> int:
    """Visit every state that can be reached (breadth first); returns how many there are."""
    start = World(make_caller(), make_callee(), make_caller, make_callee, flaps, crashes, copies)
    seen = {start.key()}
    queue: deque[tuple[World, tuple[str, ...]]] = deque([(start, ())])
    while queue and len(seen) < most_states:
        world, path = queue.popleft()
        try:
            ending = world.copy()
            ending.calm_down()
        except AssertionError as error:
            error.add_note("in a calm world after: " + ", ".join(path))
            raise
        for name, move in world.moves():
            following = world.copy()
            try:
                move(following)
                assert not following.lost_for_nothing, "a call failed although it could have succeeded"
            except AssertionError as error:
                error.add_note("after: " + ", ".join((*path, name)))
                raise
            key = following.key()
            if key not in seen:
                seen.add(key)
                queue.append((following, (*path, name)))
    return len(seen)


def test_on_a_link_that_lives() -> None:
    assert explore(copies=1) > 500


@explored(CALL_STATES)
def test_with_a_lost_link(count: int) -> None:
    assert explore(flaps=1, most_states=count) > min(count - 1, 20_000)


def test_with_a_crash() -> None:
    assert explore(crashes=1) > 7_000


@explored(CALL_STATES)
def test_with_a_lost_link_and_a_crash(count: int) -> None:
    assert explore(flaps=1, crashes=1, most_states=count) > min(count - 1, 80_000)


@explored(MORE_CALL_STATES)
def test_the_beginning_of_more_misfortune(count: int) -> None:
    """All of it would be millions of states."""
    assert explore(flaps=2, crashes=2, copies=1, most_states=count) >= count


# --- the bugs this test is for ------------------------------------------------------------------------------


class SendsAgainToAnotherLife(Caller):
    """A call that a crashed process may have executed goes to its successor."""

    def _link_up(self, link: LinkUp, now: float) -> list[CallerEffect]:
        for call in self._sent.values():
            call.boot = link.boot
        return super()._link_up(link, now)


class NeverSendsAgain(Caller):
    """A call that was lost with its link waits for its deadline."""

    def _link_up(self, link: LinkUp, now: float) -> list[CallerEffect]:
        again = set(self._sent)
        effects = super()._link_up(link, now)
        return [
            effect
            for effect in effects
            if not (
                isinstance(effect, Transmit) and isinstance(effect.frame, Call) and effect.frame.id in again
            )
        ]


class ConfirmsOnlyWhatItKnows(Caller):
    """The callee keeps for long what nobody waits for."""

    def _replied(self, reply: Reply, now: float) -> list[CallerEffect]:
        return super()._replied(reply, now) if reply.id in self._sent else []


class SaysItWasNotSent(Caller):
    """A caller is told that calling again is safe, and it is not."""

    def _time_passed(self, now: float) -> list[CallerEffect]:
        return [Ended(e.id, e.ending) if isinstance(e, Ended) else e for e in super()._time_passed(now)]


class WaitsForWhatIsLost(Caller):
    """Nobody is told when the contact's process, and the call with it, is gone."""

    def _link_up(self, link: LinkUp, now: float) -> list[CallerEffect]:
        return [e for e in super()._link_up(link, now) if not isinstance(e, Ended)]


class TellsThoseWhoGaveUp(Caller):
    """An outcome arrives for a call whose task was cancelled."""

    def _replied(self, reply: Reply, now: float) -> list[CallerEffect]:
        if reply.id in self._sent:
            self._sent[reply.id].given_up = False
        return super()._replied(reply, now)


class AnswersTwice(Caller):
    """A reply that arrives twice gives two outcomes."""

    def _replied(self, reply: Reply, now: float) -> list[CallerEffect]:
        call = self._sent.get(reply.id)
        effects = super()._replied(reply, now)
        if call is not None:
            self._sent[reply.id] = call
        return effects


class ForgetsWithTheReply(Callee):
    """It forgets a call with its reply, not with REPLIED."""

    def _finished(self, event: Finished) -> list[CalleeEffect]:
        effects = super()._finished(event)
        if self._linked:
            self._forget(event.id)
        return effects


class ForgetsWithTheLink(Callee):
    """It forgets what is finished when a link ends."""

    def _link_up(self, boot: str) -> list[CalleeEffect]:
        self._kept.clear()
        return super()._link_up(boot)


class RunsWhatIsRunning(Callee):
    """A copy of a call that runs is executed too."""

    def _arrived(self, call: Call, verdict: CallStatus, now: float) -> list[CalleeEffect]:
        self._running.pop(call.id, None)
        return super()._arrived(call, verdict, now)


class ForgetsWhatIsCancelled(Callee):
    """A cancelled call is forgotten at once, and a copy of it is executed."""

    def _stop(self, call_id: int, answer: CallStatus) -> list[CalleeEffect]:
        if answer is CallStatus.TOO_LATE:
            return super()._stop(call_id, answer)
        return [Stop(call_id)] if self._running.pop(call_id, None) else []

    def _finished(self, event: Finished) -> list[CalleeEffect]:
        return super()._finished(event) if event.id in self._running else []


class KeepsItsReplies(Callee):
    """Replies are not sent again on a new link, although the caller forgot that it called."""

    def _link_up(self, boot: str) -> list[CalleeEffect]:
        super()._link_up(boot)
        return []


MUTANTS: list[dict[str, Any]] = [
    *(
        {"make_caller": mutant}
        for mutant in (
            *(SendsAgainToAnotherLife, NeverSendsAgain, ConfirmsOnlyWhatItKnows, SaysItWasNotSent),
            *(WaitsForWhatIsLost, TellsThoseWhoGaveUp, AnswersTwice),
        )
    ),
    *(
        {"make_callee": mutant}
        for mutant in (
            *(ForgetsWithTheReply, ForgetsWithTheLink, RunsWhatIsRunning, ForgetsWhatIsCancelled),
            KeepsItsReplies,
        )
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda made: next(iter(made.values())).__name__)
def test_a_planted_bug_is_found(mutant: dict[str, Any]) -> None:
    def search() -> None:
        for most in (600, 6_000):
            explore(**mutant, copies=1, most_states=most)
            explore(**mutant, flaps=1, most_states=most)
            explore(**mutant, crashes=1, most_states=most)

    with pytest.raises(AssertionError):
        search()


def test_every_frame_is_used() -> None:
    """Guards against a world in which little happens."""
    seen: set[type] = set()

    class WatchedCaller(Caller):
        def handle(self, event: CallerEvent, now: float) -> list[CallerEffect]:
            effects = super().handle(event, now)
            seen.update(type(effect.frame) for effect in effects if isinstance(effect, Transmit))
            return effects

    class WatchedCallee(Callee):
        def handle(self, event: CalleeEvent, now: float) -> list[CalleeEffect]:
            effects = super().handle(event, now)
            seen.update(type(effect.frame) for effect in effects if isinstance(effect, Transmit))
            return effects

    explore(WatchedCaller, WatchedCallee, most_states=1000)
    assert seen == {Call, Reply, Cancel, Replied}
