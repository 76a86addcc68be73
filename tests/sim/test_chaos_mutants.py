"""The chaos test is worth something only if it finds bugs: each of these must be caught in a few seeds."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest
from tests.sim.test_chaos import scenario

from p4.core import limits
from p4.core.session.frames import Ack, Frame, Resume, Text
from p4.node.mailbox import Mailbox
from p4.node.transfer import TransferV2
from p4.ports import Link
from p4.testing import Conditions, simulate

SEEDS = 12


def found(conditions: Conditions | None = None) -> bool:
    for seed in range(5000, 5000 + SEEDS):
        try:
            simulate(scenario, seed=seed, conditions=conditions)
        except BaseExceptionGroup as group:
            if group.subgroup(AssertionError) is None:
                raise
            return True
        except AssertionError:
            return True
    return False


@pytest.mark.slow
def test_without_a_bug_nothing_is_found() -> None:
    assert not found()


def test_acknowledging_before_the_commit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = TransferV2.handle

    def hasty(self: TransferV2, frame: Resume | Text | Ack) -> None:
        if isinstance(frame, Text):
            self._send(Ack(frame.number))
        honest(self, frame)

    monkeypatch.setattr(TransferV2, "handle", hasty)
    assert found()


def test_forgetting_what_was_only_sent_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = TransferV2.__init__

    def forgetful(self: TransferV2, link: Link, label: str, mailbox: Mailbox, **given: object) -> None:
        send = given["send"]
        assert callable(send)

        def and_forget(frame: Frame) -> None:
            send(frame)
            if isinstance(frame, Text):
                self._acknowledge(frame.number)

        honest(self, link, label, mailbox, **{**given, "send": and_forget})  # type: ignore[arg-type] # as given

    monkeypatch.setattr(TransferV2, "__init__", forgetful)
    assert found()


def test_a_dead_link_that_nobody_notices_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FIRST_PONG_SECONDS", 10_000.0)
    monkeypatch.setattr(limits, "HEARTBEAT_MISSES", 10_000)
    monkeypatch.setattr(limits, "PROBE_SECONDS", 10_000.0)
    assert found(Conditions(consent_seconds=10_000.0))


def test_a_commit_whose_consequences_are_cut_off_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def cut_off(self: Mailbox, work: Coroutine[Any, Any, Any]) -> Any:
        return await work

    monkeypatch.setattr(Mailbox, "_whole", cut_off)
    assert found()
