"""Dial machines in the states that tests begin with."""

from __future__ import annotations

from p4.core.dial import (
    Adopt,
    AnswerReceived,
    Dial,
    DialMachine,
    LinkProven,
    OfferArrived,
    OfferSent,
    Wake,
)
from p4.core.identity import PeerId

LOW, HIGH = PeerId("a" * 24), PeerId("b" * 24)
NOW = 50.0
ANSWERED_MS = 1000


def machine(*, lower: bool = True, protocol: int = 2, jitter: float = 0.5) -> DialMachine:
    me, peer = (LOW, HIGH) if lower else (HIGH, LOW)
    return DialMachine(me, peer, protocol=protocol, jitter=lambda: jitter)


def offer(token: int = 1, *, protocol: int = 2, boot: str = "one", sent_ms: int = 1000) -> OfferArrived:
    return OfferArrived(token, protocol, boot, sent_ms)


def dialling(**given: bool | int) -> DialMachine:
    m = machine(**given)  # type: ignore[arg-type] # passed on
    assert m.handle(Wake(), NOW) == [Dial(1, fresh=False)]
    return m


def offered(**given: bool | int) -> DialMachine:
    m = dialling(**given)
    assert m.handle(OfferSent(1), NOW) == []
    return m


def opening(**given: bool | int) -> DialMachine:
    m = offered(**given)
    assert m.handle(AnswerReceived(1, 2, "one", ANSWERED_MS), NOW) == []
    return m


def live(**given: bool | int) -> DialMachine:
    m = opening(**given)
    assert m.handle(LinkProven(1), NOW) == [Adopt(1)]
    return m
