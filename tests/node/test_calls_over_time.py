"""Calls over time: deadlines, lost links, cancellation, ends, and many at once."""

from __future__ import annotations

import asyncio

import pytest
from tests.node.call_pair import Pair, Slow, error_of, result_of, scenario, settle

from p4.core import limits
from p4.core.session.session_frames import Call, CallStatus, Cancel, Kind, Replied, Reply
from p4.errors import CallCancelledError, CallDeadlineError, OutcomeUnknownError
from p4.node.calls import IncomingCall


def test_a_call_waits_for_a_link() -> None:
    async def test(pair: Pair) -> None:
        waiting = asyncio.create_task(pair.caller.call("ping", 1))
        await asyncio.sleep(20)
        pair.connect()
        assert await waiting == 1

    scenario(test)


def test_no_link_until_the_deadline() -> None:
    async def test(pair: Pair) -> None:
        began = asyncio.get_running_loop().time()
        error = await error_of(pair.caller.call("ping", 1, deadline=5.0))
        assert isinstance(error, CallDeadlineError)
        assert not error.may_have_run
        assert asyncio.get_running_loop().time() - began == pytest.approx(5.0, abs=0.01)

    scenario(test)


def test_the_deadline_ends_both_sides() -> None:
    async def test(pair: Pair) -> None:
        pair.handlers["slow"] = slow = Slow()
        pair.connect()
        error = await error_of(pair.caller.call("slow", 1, deadline=5.0))
        assert isinstance(error, CallDeadlineError)
        assert error.may_have_run
        await settle()
        assert slow.cancelled == 1

    scenario(test)


def test_the_callee_keeps_the_deadline_without_a_link() -> None:
    async def test(pair: Pair) -> None:
        pair.handlers["slow"] = slow = Slow()
        pair.connect()
        calling = asyncio.create_task(pair.caller.call("slow", 1, deadline=5.0))
        await settle()
        pair.disconnect()
        for seconds, cancelled in ((4.9, 0), (0.2, 1)):
            await asyncio.sleep(seconds)
            assert slow.cancelled == cancelled
        assert (await error_of(result_of(calling))).code == "deadline"

    scenario(test)


def test_cancelling_the_task_cancels_the_handler() -> None:
    async def test(pair: Pair) -> None:
        pair.handlers["slow"] = slow = Slow()
        pair.connect()
        calling = asyncio.create_task(pair.caller.call("slow", 1))
        await settle()
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await asyncio.sleep(2 * limits.REPLIED_SECONDS)
        assert slow.cancelled == 1
        assert [type(frame) for frame in pair.sent] == [Call, Cancel, Reply, Replied]

    scenario(test)


def test_a_handler_that_is_cancelled_before_its_first_step() -> None:
    async def test(pair: Pair) -> None:
        pair.handlers["slow"] = Slow()
        pair.connect()
        call = Call(1, 1000, Kind.BYTES, "slow", b"")
        pair.callee.handle(call)
        pair.callee.handle(Cancel(1))
        await settle()
        assert pair.sent[0] == Reply(1, CallStatus.CANCELLED, Kind.BYTES, b"")

    scenario(test)


def test_a_reply_that_was_lost_comes_again_and_nothing_runs_twice() -> None:
    async def test(pair: Pair) -> None:
        pair.handlers["slow"] = slow = Slow()
        slow.release.set()
        pair.connect()
        calling = asyncio.create_task(pair.caller.call("slow", 1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        pair.delivers = False
        await settle()
        assert len(slow.calls) == 1
        pair.disconnect()
        pair.delivers = True
        pair.connect()
        assert await calling == 1
        assert len(slow.calls) == 1

    scenario(test)


def test_a_restarted_contact_leaves_the_outcome_unknown() -> None:
    async def test(pair: Pair) -> None:
        pair.handlers["slow"] = Slow()
        pair.connect()
        calling = asyncio.create_task(pair.caller.call("slow", 1))
        await settle()
        pair.disconnect()
        crashed, pair.callee = pair.callee, pair.hub("another callee")
        await crashed.close()
        pair.connect("another boot")
        error = await error_of(result_of(calling))
        assert isinstance(error, OutcomeUnknownError)
        assert error.may_have_run

    scenario(test)


def test_a_contact_that_closes_while_it_works() -> None:
    async def test(pair: Pair) -> None:
        pair.handlers["slow"] = Slow()
        pair.connect()
        calling = asyncio.create_task(pair.caller.call("slow", 1))
        await settle()
        await pair.callee.close()
        error = await error_of(result_of(calling))
        assert isinstance(error, CallCancelledError)
        assert error.code == "cancelled"

    scenario(test)


def test_closing_ends_what_waits_here() -> None:
    async def test(pair: Pair) -> None:
        pair.handlers["slow"] = slow = Slow()
        pair.connect()
        calling = asyncio.create_task(pair.caller.call("slow", 1))
        await settle()
        await pair.caller.close()
        assert (await error_of(result_of(calling))).code == "closed"
        assert (await error_of(pair.caller.call("ping", 1))).code == "closed"
        await settle()
        assert slow.cancelled == 1

    scenario(test)


def test_a_thousand_calls_at_once_take_turns() -> None:
    async def test(pair: Pair) -> None:
        most = 0
        running = 0

        async def count(call: IncomingCall) -> object:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1
            return call.argument

        pair.handlers["count"] = count
        pair.connect()
        results = await asyncio.gather(*(pair.caller.call("count", n) for n in range(1000)))
        assert results == list(range(1000))
        assert most == limits.CONTACT_CALLS

    scenario(test)


def test_cancelled_calls_make_room_for_new_ones() -> None:
    async def test(pair: Pair) -> None:
        pair.handlers["slow"] = slow = Slow()
        pair.connect()
        first = [asyncio.create_task(pair.caller.call("slow", n)) for n in range(limits.CONTACT_CALLS)]
        await settle()
        for task in first:
            task.cancel()
        slow.release.set()
        second = [asyncio.create_task(pair.caller.call("slow", n)) for n in range(limits.CONTACT_CALLS)]
        assert await asyncio.gather(*second) == list(range(limits.CONTACT_CALLS))

    scenario(test)


def test_a_caller_that_ignores_the_limit_is_told_so() -> None:
    async def test(pair: Pair) -> None:
        pair.handlers["slow"] = Slow()
        pair.connect()
        for number in range(limits.CONTACT_CALLS + 1):
            pair.callee.handle(Call(number, 1000, Kind.JSON, "slow", b"1"))
        assert pair.sent == [Reply(limits.CONTACT_CALLS, CallStatus.OVERLOADED, Kind.BYTES, b"")]

    scenario(test)


def test_without_a_link_frames_are_nobodys() -> None:
    async def test(pair: Pair) -> None:
        pair.handlers["slow"] = slow = Slow()
        pair.callee.handle(Call(1, 1000, Kind.JSON, "slow", b"1"))
        await settle()
        assert not slow.calls

    scenario(test)


async def test_on_an_ordinary_loop() -> None:
    """From Python 3.12 on the first step of a handler runs at once there, which no virtual loop does."""
    callers = []

    async def brief(call: IncomingCall) -> object:
        callers.append(asyncio.current_task())
        async with asyncio.timeout(10):
            await asyncio.sleep(0)
        return call.argument

    slow = Slow()
    pair = Pair(brief=brief, slow=slow)
    pair.connect()
    assert await pair.caller.call("ping", 1) == 1
    assert await pair.caller.call("brief", 2) == 2
    assert callers != [asyncio.current_task()], "a handler has a task of its own"
    assert callers != [None]
    calling = asyncio.create_task(pair.caller.call("slow", 3))
    await slow.begun.wait()
    calling.cancel()
    await slow.over.wait()
    await pair.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_confirmations_travel_with_the_next_call_and_do_not_wait_long_for_one() -> None:
    async def test(pair: Pair) -> None:
        pair.connect()
        for number in range(3):
            await pair.caller.call("ping", number)
        assert [type(frame) for frame in pair.sent] == [
            Call,
            Reply,
            Replied,
            Call,
            Reply,
            Replied,
            Call,
            Reply,
        ]
        await asyncio.sleep(2 * limits.REPLIED_SECONDS)
        assert isinstance(pair.sent[-1], Replied)

    scenario(test)
