"""The chaos test is worth something only if it finds bugs: each of these must be caught in a few seeds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from tests.sim.test_chaos import scenario

from p4.core import limits
from p4.core.session.messages.events import ConsumedByPeer, FramesArrived, MessageFrame
from p4.core.session.messages.stored import InboxMessage
from p4.core.session.session_frames import Ack, Message
from p4.node.mailbox import Mailbox, Taken, Told
from p4.node.relation import Relation
from p4.testing import Conditions, simulate
from p4.testing.virtual_time import VirtualTimeError

SEEDS = 12


def found(conditions: Conditions | None = None) -> bool:
    for seed in range(5000, 5000 + SEEDS):
        try:
            simulate(scenario, seed=seed, conditions=conditions)
        except BaseExceptionGroup as group:
            if group.subgroup((AssertionError, TimeoutError)) is None:
                raise
            return True
        except (AssertionError, TimeoutError, VirtualTimeError):  # the last one: it never ended
            return True
    return False


@pytest.mark.slow
def test_without_a_bug_nothing_is_found() -> None:
    assert not found()


def test_acknowledging_before_the_commit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Mailbox.handle

    def hasty(self: Mailbox, frames: Sequence[MessageFrame]) -> None:
        numbers = [frame.number for frame in frames if isinstance(frame, Message)]
        if numbers and self._carrier is not None:
            self._carrier.send([Ack(numbers[-1])])
        honest(self, frames)

    monkeypatch.setattr(Mailbox, "handle", hasty)
    assert found()


def test_forgetting_what_was_only_sent_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Mailbox._flush

    def and_forget(self: Mailbox) -> None:
        numbers = [frame.number for frame in self._frames if isinstance(frame, Message)]
        honest(self)
        if numbers:
            self._events.append(FramesArrived([Ack(numbers[-1])]))

    monkeypatch.setattr(Mailbox, "_flush", and_forget)
    assert found()


def test_a_dead_link_that_nobody_notices_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FIRST_PONG_SECONDS", 10_000.0)
    monkeypatch.setattr(limits, "HEARTBEAT_MISSES", 10_000)
    monkeypatch.setattr(limits, "PROBE_SECONDS", 10_000.0)
    assert found(Conditions(consent_seconds=10_000.0))


def test_a_commit_whose_consequences_are_cut_off_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Mailbox.link_down

    def cut_off(self: Mailbox) -> None:
        for task in self._performing:
            task.cancel()
        honest(self)

    monkeypatch.setattr(Mailbox, "link_down", cut_off)
    assert found()


def test_a_message_that_is_done_before_the_disk_knows_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Mailbox.take

    def hasty(self: Mailbox, message: InboxMessage) -> Taken:
        honest(self, message)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return Taken(done)

    monkeypatch.setattr(Mailbox, "take", hasty)
    assert found()


def test_receipts_that_never_hear_of_consumption_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Relation.tell

    def deaf(self: Relation, effect: Told) -> None:
        if not isinstance(effect, ConsumedByPeer):
            honest(self, effect)

    monkeypatch.setattr(Relation, "tell", deaf)
    assert found()
