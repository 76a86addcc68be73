"""Two hubs and what lies between them: every frame is encoded, and arrives in another turn of the loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from p4.core import limits
from p4.core.session.frames import decode, encode
from p4.core.session.session_frames import Call, CallStatus, Cancel, Kind, Replied, Reply, SessionFrame
from p4.errors import (
    CallCancelledError,
    CallDeadlineError,
    CallError,
    CallFailed,
    CallRefusedError,
    InputError,
    OutcomeUnknownError,
)
from p4.node.calls import CallHandler, CallHub, IncomingCall
from p4.testing import SeededEntropy, VirtualClock, run


class Pair:
    """A caller and a callee, their link, and everything that was sent."""

    def __init__(self, **handlers: CallHandler) -> None:
        self.handlers = handlers
        self.granted = True
        self.allowed = True
        self.sent: list[SessionFrame] = []
        self.links = 0
        self.delivers = True
        self.caller = self.hub("caller")
        self.callee = self.hub("callee")

    def hub(self, name: str) -> CallHub:
        return CallHub(
            VirtualClock(),
            SeededEntropy(name),
            serve=self.handlers.get,
            allowed=lambda _: self.allowed,
            peer=f"peer of the {name}",
        )

    def connect(self, boot: str = "callee", *, supported: bool = True) -> None:
        self.links += 1
        link = self.links

        def to(hub: Callable[[], CallHub]) -> Callable[[SessionFrame], None]:
            def arrive(data: bytes) -> None:
                frame = decode(data)
                assert isinstance(frame, Call | Reply | Cancel | Replied)
                if link == self.links and self.delivers:
                    hub().handle(frame)

            def send(frame: SessionFrame) -> None:
                self.sent.append(frame)
                asyncio.get_running_loop().call_soon(arrive, encode(frame))

            return send

        self.callee.link_up(to(lambda: self.caller), "caller", lambda _: True)
        self.caller.link_up(to(lambda: self.callee), boot, lambda _: self.granted, supported=supported)

    def disconnect(self) -> None:
        self.links += 1
        self.caller.link_down()
        self.callee.link_down()

    async def close(self) -> None:
        await self.caller.close()
        await self.callee.close()


def scenario(test: Callable[[Pair], Coroutine[Any, Any, None]], **handlers: CallHandler) -> None:
    async def main() -> None:
        pair = Pair(**handlers)
        await test(pair)
        await pair.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}, "something is left running"

    run(main())


async def settle() -> None:
    await asyncio.sleep(0.001)


class Slow:
    """A handler that waits until it is released, and knows what happened to it."""

    def __init__(self) -> None:
        self.calls: list[IncomingCall] = []
        self.cancelled = 0
        self.release = asyncio.Event()

    async def __call__(self, call: IncomingCall) -> object:
        self.calls.append(call)
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return call.argument


async def error_of(work: Coroutine[Any, Any, object]) -> CallError:
    with pytest.raises(CallError) as caught:
        await work
    return caught.value


def test_ping_answers_with_its_argument() -> None:
    async def test(pair: Pair) -> None:
        pair.connect()
        arguments: list[Any] = [None, 1.5, "é", {"a": [1, None]}, b"\x00bytes", []]
        for argument in arguments:
            assert await pair.caller.call("ping", argument) == argument
        assert [type(frame) for frame in pair.sent[:3]] == [Call, Reply, Replied]

    scenario(test)


def test_both_sides_call_and_serve() -> None:
    async def test(pair: Pair) -> None:
        pair.connect()
        one, two = await asyncio.gather(pair.caller.call("ping", 1), pair.callee.call("ping", 2))
        assert (one, two) == (1, 2)

    scenario(test)


def test_a_handler_knows_who_calls_what_and_for_how_long() -> None:
    async def describe(call: IncomingCall) -> object:
        assert asyncio.current_task() is not None
        before = call.remaining
        async with asyncio.timeout(1):
            await asyncio.sleep(0.5)
        return [call.peer, call.service, call.argument, round(before, 1), round(call.remaining, 1)]

    async def test(pair: Pair) -> None:
        pair.connect()
        answer = await pair.caller.call("describe", [1], deadline=2.0)
        assert answer == ["peer of the callee", "describe", [1], 2.0, 1.5]

    scenario(test, describe=describe)


def test_a_handler_can_call_back() -> None:
    async def test(pair: Pair) -> None:
        async def back(call: IncomingCall) -> object:
            return [await pair.callee.call("ping", call.argument)]

        pair.handlers["back"] = back
        pair.connect()
        assert await pair.caller.call("back", 7) == [7]

    scenario(test)


def test_a_failure_in_the_services_own_words() -> None:
    async def fail(call: IncomingCall) -> object:
        raise CallFailed("too-hot", "It is too hot.", call.argument)

    async def test(pair: Pair) -> None:
        pair.connect()
        for data in ({"degrees": 90}, None):
            error = await error_of(pair.caller.call("fail", data))
            assert isinstance(error, CallFailed)
            assert (error.code, error.message, error.data) == ("too-hot", "It is too hot.", data)
            assert error.may_have_run

    scenario(test, fail=fail)


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (CallFailed("c", "m", object()), "c"),
        (CallFailed("c", "x" * limits.BODY_BYTES), "internal"),
        (CallFailed("c", "\ud800"), "internal"),
    ],
    ids=["data", "long", "surrogate"],
)
def test_words_that_cannot_be_sent(failure: CallFailed, code: str) -> None:
    async def fail(call: IncomingCall) -> object:
        raise failure

    async def test(pair: Pair) -> None:
        pair.connect()
        assert (await error_of(pair.caller.call("fail", None))).code == code

    scenario(test, fail=fail)


def test_a_broken_handler_tells_nothing_of_its_inside(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(call: IncomingCall) -> object:
        raise RuntimeError("the password is swordfish")

    async def unsendable(call: IncomingCall) -> object:
        return object()

    async def test(pair: Pair) -> None:
        pair.connect()
        for service in ("broken", "unsendable"):
            with caplog.at_level(logging.ERROR):
                error = await error_of(pair.caller.call(service, None))
            assert isinstance(error, CallFailed)
            assert error.code == "internal"
            assert service in caplog.text
            caplog.clear()
        assert b"swordfish" not in b"".join(map(encode, pair.sent))

    scenario(test, broken=broken, unsendable=unsendable)


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        ({"granted": False}, "not-granted"),
        ({"allowed": False}, "not-granted"),
        ({"handlers": {}}, "not-served"),
    ],
)
def test_refusals(prepare: dict[str, object], code: str) -> None:
    async def test(pair: Pair) -> None:
        slow = Slow()
        pair.handlers["slow"] = slow
        for name, value in prepare.items():
            setattr(pair, name, value)
        if "handlers" in prepare:
            pair.callee = pair.hub("callee")
        pair.connect()
        error = await error_of(pair.caller.call("slow", 1))
        assert isinstance(error, CallRefusedError)
        assert error.code == code
        assert not error.may_have_run
        assert not slow.calls

    scenario(test)


def test_a_contact_that_knows_no_calls() -> None:
    async def test(pair: Pair) -> None:
        pair.connect(supported=False)
        assert (await error_of(pair.caller.call("ping", 1))).code == "not-supported"
        assert not pair.sent

    scenario(test)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (("Ping", 1), "bad-service"),
        (("ping", object()), "not-json"),
        (("ping", bytes(limits.BODY_BYTES + 1)), "too-large"),
        (("ping", 1, 0.0), "bad-deadline"),
        (("ping", 1, float("nan")), "bad-deadline"),
        (("ping", 1, 24 * 3600.1), "bad-deadline"),
    ],
)
def test_what_cannot_be_called(given: tuple[Any, ...], code: str) -> None:
    async def test(pair: Pair) -> None:
        pair.connect()
        service, argument, *deadline = given
        with pytest.raises(InputError) as caught:
            await pair.caller.call(service, argument, deadline=deadline[0] if deadline else 1.0)
        assert caught.value.code == code
        assert not pair.sent

    scenario(test)


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
        assert (await error_of(_result(calling))).code == "deadline"

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
        await settle()
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
        error = await error_of(_result(calling))
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
        error = await error_of(_result(calling))
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
        assert (await error_of(_result(calling))).code == "closed"
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


def test_an_argument_that_is_not_json_fails_the_call_not_the_link() -> None:
    async def test(pair: Pair) -> None:
        pair.handlers["slow"] = slow = Slow()
        pair.connect()
        pair.callee.handle(Call(1, 1000, Kind.JSON, "slow", b"{"))
        (reply,) = pair.sent
        assert isinstance(reply, Reply)
        assert reply.status is CallStatus.FAILED
        assert b"bad-argument" in reply.result
        assert not slow.calls

    scenario(test)


@pytest.mark.parametrize(
    "reply",
    [
        (CallStatus.OK, Kind.JSON, b"{"),
        (CallStatus.FAILED, Kind.JSON, b"{"),
        (CallStatus.FAILED, Kind.JSON, b'{"code":1,"message":"m"}'),
        (CallStatus.FAILED, Kind.JSON, b"[]"),
        (CallStatus.FAILED, Kind.BYTES, b'{"code":"c","message":"m"}'),
    ],
)
def test_an_unreadable_reply(reply: tuple[CallStatus, Kind, bytes]) -> None:
    async def test(pair: Pair) -> None:
        pair.handlers["slow"] = Slow()
        pair.connect()
        calling = asyncio.create_task(pair.caller.call("slow", 1))
        await asyncio.sleep(0)
        (call,) = pair.sent
        assert isinstance(call, Call)
        pair.caller.handle(Reply(call.id, *reply))
        assert (await error_of(_result(calling))).code == "bad-result"
        assert pair.sent[-1] == Replied(call.id)

    scenario(test)


def test_without_a_link_frames_are_nobodys() -> None:
    async def test(pair: Pair) -> None:
        pair.handlers["slow"] = slow = Slow()
        pair.callee.handle(Call(1, 1000, Kind.JSON, "slow", b"1"))
        await settle()
        assert not slow.calls

    scenario(test)


async def _result(task: asyncio.Task[object]) -> object:
    return await task
