from __future__ import annotations

import math

from p4.core import limits
from p4.core.session.calls import Caller
from p4.core.session.calls.events import (
    Begin,
    CallerEffect,
    Ended,
    Ending,
    GiveUp,
    LinkDown,
    LinkUp,
    ReplyArrived,
    TimePassed,
    Transmit,
)
from p4.core.session.session_frames import Call, CallStatus, Cancel, Kind, Replied, Reply


def begin(call: int, *, deadline: float = 10.0, service: str = "s") -> Begin:
    return Begin(call, service, Kind.BYTES, b"argument", deadline)


def reply(call: int) -> Reply:
    return Reply(call, CallStatus.OK, Kind.BYTES, b"result")


def arrived(call: int) -> ReplyArrived:
    return ReplyArrived(reply(call))


def sent(call: int, patience_ms: int = 10_000) -> Transmit:
    return Transmit(Call(call, patience_ms, Kind.BYTES, "s", b"argument"))


def up(boot: str = "b", *, granted: bool = True, supported: bool = True) -> LinkUp:
    return LinkUp(boot, lambda _: granted, supported)


def linked(boot: str = "b") -> Caller:
    caller = Caller()
    caller.handle(up(boot), 0.0)
    return caller


def test_a_call_on_an_open_link() -> None:
    caller = linked()
    assert caller.handle(begin(1), 0.0) == [sent(1)]
    assert caller.deadline == 10.0
    assert caller.handle(arrived(1), 1.0) == [
        Ended(1, Ending.REPLY, sent=True, reply=reply(1)),
        Transmit(Replied(1)),
    ]
    assert not len(caller)
    assert caller.deadline == math.inf


def test_a_call_waits_for_a_link_with_what_remains_of_its_time() -> None:
    caller = Caller()
    assert caller.handle(begin(1), 0.0) == []
    assert caller.handle(up(), 7.5) == [sent(1, 2_500)]


def test_a_call_that_never_found_a_link_was_not_sent() -> None:
    caller = Caller()
    caller.handle(begin(1), 0.0)
    assert caller.deadline == 10.0
    assert caller.handle(TimePassed(), 10.0) == [Ended(1, Ending.DEADLINE, sent=False)]
    assert caller.handle(begin(2), 10.0) == [Ended(2, Ending.DEADLINE, sent=False)]
    assert not len(caller)


def test_after_a_lost_link_a_call_is_sent_again_to_the_same_process() -> None:
    caller = linked()
    caller.handle(begin(1), 0.0)
    caller.handle(LinkDown(), 1.0)
    assert caller.handle(up(), 2.0) == [sent(1, 8_000)]
    # Also if nobody missed the old link before the new one was in service.
    assert caller.handle(up(), 3.0) == [sent(1, 7_000)]


def test_the_outcome_is_unknown_after_a_restart_of_the_contact() -> None:
    caller = linked("before")
    caller.handle(begin(1), 0.0)
    caller.handle(LinkDown(), 1.0)
    caller.handle(begin(2), 1.0)
    assert caller.handle(up("after"), 2.0) == [Ended(1, Ending.UNKNOWN, sent=True), sent(2, 8_000)]


def test_the_deadline_passes_during_the_call() -> None:
    caller = linked()
    caller.handle(begin(1), 0.0)
    assert caller.handle(TimePassed(), 10.0) == [Ended(1, Ending.DEADLINE, sent=True), Transmit(Cancel(1))]
    assert caller.handle(arrived(1), 10.1) == [Transmit(Replied(1))]
    assert not len(caller)


def test_a_callee_that_never_answers_is_forgotten() -> None:
    caller = linked()
    caller.handle(begin(1), 0.0)
    caller.handle(TimePassed(), 10.0)
    assert caller.deadline == 10.0 + limits.CALL_MEMORY_SECONDS
    assert caller.handle(TimePassed(), caller.deadline) == []
    assert not len(caller)


def test_giving_up() -> None:
    caller = linked()
    caller.handle(begin(1), 0.0)
    assert caller.handle(GiveUp(1), 1.0) == [Transmit(Cancel(1))]
    assert caller.handle(GiveUp(1), 1.0) == []
    assert caller.handle(GiveUp(77), 1.0) == []
    # A second CANCEL may be needed, a second CALL never is.
    assert caller.handle(up(), 2.0) == [Transmit(Cancel(1))]
    assert not len(caller)


def test_giving_up_without_a_link() -> None:
    caller = linked()
    caller.handle(begin(1), 0.0)
    caller.handle(LinkDown(), 1.0)
    caller.handle(begin(2), 1.0)
    assert caller.handle(GiveUp(1), 1.0) == []
    assert caller.handle(GiveUp(2), 1.0) == []
    assert caller.handle(up(), 2.0) == [Transmit(Cancel(1))]

    caller = linked()
    caller.handle(begin(1), 0.0)
    caller.handle(LinkDown(), 1.0)
    caller.handle(GiveUp(1), 1.0)
    assert caller.handle(TimePassed(), 10.0) == []
    assert not len(caller), "the callee's patience ends it"


def test_what_was_given_up_late_is_forgotten_with_the_link() -> None:
    caller = linked()
    caller.handle(begin(1), 0.0)
    caller.handle(TimePassed(), 10.0)
    caller.handle(LinkDown(), 11.0)
    assert not len(caller)
    assert caller.deadline == math.inf


def test_what_is_not_granted_is_not_sent() -> None:
    caller = Caller()
    caller.handle(begin(1), 0.0)
    assert caller.handle(up(granted=False), 0.0) == [Ended(1, Ending.NOT_GRANTED)]
    assert caller.handle(begin(2), 0.0) == [Ended(2, Ending.NOT_GRANTED)]


def test_a_copy_is_not_sent_either_but_its_reply_is_awaited() -> None:
    caller = linked()
    caller.handle(begin(1), 0.0)
    assert caller.handle(up(granted=False), 1.0) == []
    assert caller.handle(arrived(1), 2.0)[0] == Ended(1, Ending.REPLY, sent=True, reply=reply(1))


def test_a_contact_without_calls() -> None:
    caller = Caller()
    caller.handle(begin(1), 0.0)
    assert caller.handle(up(supported=False), 0.0) == [Ended(1, Ending.NOT_SUPPORTED)]
    assert caller.handle(begin(2), 0.0) == [Ended(2, Ending.NOT_SUPPORTED)]


def test_no_more_are_under_way_than_the_callee_runs() -> None:
    caller = linked()
    for call in range(limits.CONTACT_CALLS):
        assert caller.handle(begin(call), 0.0) == [sent(call)]
    assert caller.handle(begin(100), 0.0) == []
    assert caller.handle(begin(101), 0.0) == []
    # What was given up occupies the callee until it says that it ended.
    assert caller.handle(GiveUp(0), 0.0) == [Transmit(Cancel(0))]
    assert caller.handle(arrived(0), 0.0) == [Transmit(Replied(0)), sent(100)]
    assert caller.handle(arrived(1), 0.0)[1:] == [Transmit(Replied(1)), sent(101)]


def test_the_turn_of_a_waiting_call_can_come_too_late() -> None:
    caller = linked()
    for call in range(limits.CONTACT_CALLS):
        caller.handle(begin(call), 0.0)
    caller.handle(begin(100, deadline=5.0), 0.0)
    assert caller.deadline == 5.0
    assert caller.handle(arrived(0), 5.0)[2:] == [Ended(100, Ending.DEADLINE, sent=False)]


def test_the_queue_is_bounded() -> None:
    caller = Caller()
    effects: list[CallerEffect] = []
    for call in range(limits.QUEUED_CALLS + 1):
        effects += caller.handle(begin(call), 0.0)
    assert effects == [Ended(limits.QUEUED_CALLS, Ending.OVERLOADED)]


def test_replies_that_nobody_waits_for_are_confirmed() -> None:
    assert linked().handle(arrived(7), 0.0) == [Transmit(Replied(7))]
