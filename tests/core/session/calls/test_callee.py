from __future__ import annotations

import math

from p4.core import limits
from p4.core.session.calls import Callee
from p4.core.session.calls.events import (
    CallArrived,
    CancelArrived,
    Finished,
    LinkDown,
    LinkUp,
    RepliedArrived,
    Run,
    Stop,
    TimePassed,
    Transmit,
)
from p4.core.session.session_frames import Call, CallStatus, Kind, Reply


def call(number: int, patience_ms: int = 10_000) -> Call:
    return Call(number, patience_ms, Kind.BYTES, "s", b"argument")


def arrived(number: int, verdict: CallStatus = CallStatus.OK) -> CallArrived:
    return CallArrived(call(number), verdict)


def finished(number: int, result: bytes = b"result") -> Finished:
    return Finished(number, CallStatus.OK, Kind.BYTES, result)


def replied(number: int, status: CallStatus = CallStatus.OK, result: bytes = b"") -> Transmit:
    return Transmit(Reply(number, status, Kind.BYTES, result))


def up(boot: str = "b") -> LinkUp:
    return LinkUp(boot, lambda _: True)


def linked() -> Callee:
    callee = Callee()
    callee.handle(up(), 0.0)
    return callee


def test_a_call_from_its_arrival_to_its_confirmation() -> None:
    callee = linked()
    assert callee.handle(arrived(1), 5.0) == [Run(call(1), 15.0)]
    assert callee.handle(finished(1), 6.0) == [replied(1, result=b"result")]
    assert len(callee) == 1
    assert callee.handle(RepliedArrived(1), 7.0) == []
    assert not len(callee)
    assert callee.deadline == math.inf


def test_a_copy_is_never_executed() -> None:
    callee = linked()
    callee.handle(arrived(1), 0.0)
    assert callee.handle(arrived(1), 1.0) == []
    callee.handle(finished(1), 2.0)
    assert callee.handle(arrived(1), 3.0) == [replied(1, result=b"result")]


def test_replies_are_sent_again_until_they_are_confirmed() -> None:
    callee = linked()
    callee.handle(arrived(1), 0.0)
    callee.handle(arrived(2), 0.0)
    callee.handle(finished(1), 0.0)
    callee.handle(LinkDown(), 1.0)
    assert callee.handle(finished(2), 2.0) == []
    again = [replied(1, result=b"result"), replied(2, result=b"result")]
    assert callee.handle(up(), 3.0) == again
    assert callee.handle(up(), 4.0) == again
    callee.handle(RepliedArrived(1), 5.0)
    assert callee.handle(up(), 6.0) == again[1:]


def test_it_is_forgotten_when_no_copy_can_come_any_more() -> None:
    callee = linked()
    callee.handle(arrived(1), 0.0)
    callee.handle(finished(1), 1.0)
    callee.handle(TimePassed(), callee.deadline)
    assert callee.deadline == 10.0 + limits.CALL_MEMORY_SECONDS
    assert len(callee) == 1
    callee.handle(TimePassed(), callee.deadline)
    assert not len(callee)


def test_patience_ends_the_work() -> None:
    callee = linked()
    callee.handle(arrived(1), 0.0)
    assert callee.handle(TimePassed(), 10.0) == [Stop(1)]
    assert callee.deadline == math.inf
    # Whatever it still brings, it is too late; and until it is over, it occupies its place.
    assert callee.handle(finished(1), 11.0) == [replied(1, CallStatus.TOO_LATE)]


def test_cancelling() -> None:
    callee = linked()
    callee.handle(arrived(1), 0.0)
    assert callee.handle(CancelArrived(1), 1.0) == [Stop(1)]
    assert callee.handle(CancelArrived(1), 1.0) == []
    assert callee.handle(TimePassed(), 10.0) == []
    assert callee.handle(finished(1), 10.0) == [replied(1, CallStatus.CANCELLED)]
    assert callee.handle(CancelArrived(1), 11.0) == []
    assert callee.handle(CancelArrived(7), 11.0) == []


def test_refusals_are_not_kept() -> None:
    callee = linked()
    for verdict in (CallStatus.NOT_GRANTED, CallStatus.NOT_SERVED):
        assert callee.handle(arrived(1, verdict), 0.0) == [replied(1, verdict)]
    assert not len(callee)


def test_a_copy_of_what_runs_is_not_refused_although_the_grant_is_gone() -> None:
    callee = linked()
    callee.handle(arrived(1), 0.0)
    assert callee.handle(arrived(1, CallStatus.NOT_GRANTED), 1.0) == []
    callee.handle(finished(1), 2.0)
    assert callee.handle(arrived(1, CallStatus.NOT_GRANTED), 3.0) == [replied(1, result=b"result")]


def test_at_most_so_many_run() -> None:
    callee = linked()
    for number in range(limits.CONTACT_CALLS):
        assert callee.handle(arrived(number), 0.0) == [Run(call(number), 10.0)]
    assert callee.handle(arrived(100), 0.0) == [replied(100, CallStatus.OVERLOADED)]
    callee.handle(CancelArrived(0), 0.0)
    assert callee.handle(arrived(100), 0.0) == [replied(100, CallStatus.OVERLOADED)]
    callee.handle(finished(0), 0.0)
    assert callee.handle(arrived(100), 0.0) == [Run(call(100), 10.0)]


def test_a_caller_that_confirms_nothing_fills_no_memory() -> None:
    callee = linked()
    number = 0
    while callee.handle(arrived(number), 0.0) == [Run(call(number), 10.0)]:
        callee.handle(finished(number), 0.0)
        number += 1
    assert number == len(callee) == limits.KEPT_CALLS
    callee.handle(RepliedArrived(0), 0.0)
    assert callee.handle(arrived(number), 0.0) == [Run(call(number), 10.0)]


def test_nor_does_one_with_large_results() -> None:
    callee = linked()
    large = bytes(limits.BODY_BYTES)
    number = 0
    while callee.handle(arrived(number), 0.0) == [Run(call(number), 10.0)]:
        callee.handle(finished(number, large), 0.0)
        number += 1
    assert number == limits.KEPT_CALL_BYTES // limits.BODY_BYTES
    callee.handle(RepliedArrived(3), 0.0)
    assert callee.handle(arrived(number), 0.0) == [Run(call(number), 10.0)]


def test_what_a_crashed_process_called_is_forgotten() -> None:
    callee = linked()
    callee.handle(arrived(1), 0.0)
    callee.handle(arrived(2), 0.0)
    callee.handle(finished(1), 0.0)
    assert callee.handle(up("another"), 1.0) == []
    assert len(callee) == 1
    assert callee.handle(finished(2), 2.0) == []
    assert not len(callee)
