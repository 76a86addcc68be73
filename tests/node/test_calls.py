"""What a call gives: results, failures in the service's own words, refusals."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from tests.node.call_pair import Pair, Slow, error_of, result_of, scenario

from p4.core import limits
from p4.core.session.frames import encode
from p4.core.session.session_frames import Call, CallStatus, Kind, Replied, Reply
from p4.errors import CallFailed, CallRefusedError, InputError
from p4.node.calls import IncomingCall


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
        assert (await error_of(result_of(calling))).code == "bad-result"
        await asyncio.sleep(2 * limits.REPLIED_SECONDS)
        assert pair.sent[-1] == Replied(call.id)

    scenario(test)
