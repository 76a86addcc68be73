"""Calls and datagrams through the API, served by programs that know nothing but WebSockets."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import httpx
import pytest
from tests.daemon.conftest import SECONDS, RunningDaemon, grant
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import InvalidStatus

from p4.core import limits

Pair = tuple[RunningDaemon, RunningDaemon]


async def connect(daemon: RunningDaemon, path: str) -> ClientConnection:
    socket = await unix_connect(daemon.daemon.endpoint.unix_path, f"ws://p4/v1{path}", open_timeout=SECONDS)
    return await daemon.others.enter_async_context(socket)


async def word(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(SECONDS):
        found: dict[str, Any] = json.loads(await socket.recv())
        return found


async def serve(daemon: RunningDaemon, service: str) -> ClientConnection:
    socket = await connect(daemon, f"/services/{service}/serve")
    assert await word(socket) == {"type": "serving", "service": service}
    return socket


def ask(
    daemon: RunningDaemon, body: dict[str, Any], service: str = "home.light"
) -> asyncio.Task[httpx.Response]:
    return asyncio.create_task(daemon.http.post(f"/v1/contacts/phone/calls/{service}", json=body))


@pytest.fixture
async def home(pair: Pair) -> Pair:
    await grant(pair[1], "laptop", "home")
    return pair


async def test_a_program_answers_a_call(home: Pair) -> None:
    laptop, phone = home
    program = await serve(phone, "home")
    asking = ask(laptop, {"value": {"on": True}})
    call = await word(program)
    assert call["type"] == "call"
    assert call["service"] == "home.light"
    assert call["contact"]["name"] == "laptop"
    assert call["value"] == {"on": True}
    assert 0 < call["remaining"] <= 30
    reply = base64.b64encode(b"\xff").decode()
    await program.send(json.dumps({"type": "result", "id": call["id"], "base64": reply}))
    answer = await asking
    assert (answer.status_code, answer.json()) == (200, {"base64": reply})
    services = (await phone.http.get("/v1/services")).json()["services"]
    assert services == [{"service": "home", "serves_calls": True, "reads_messages": 0, "accepts_streams": 0}]


async def test_a_failure_reaches_the_caller_in_the_programs_words(home: Pair) -> None:
    laptop, phone = home
    program = await serve(phone, "home")
    asking = ask(laptop, {"value": "dim"})
    call = await word(program)
    failure = {"code": "bad-value", "message": "A light is on or off.", "data": {"got": "dim"}}
    await program.send(json.dumps({"type": "failed", "id": call["id"], **failure}))
    answer = await asking
    assert answer.status_code == 502
    error = answer.json()["error"]
    assert (error["code"], error["message"]) == ("bad-value", "A light is on or off.")
    assert error["data"] == {"type": "CallFailed", "may_have_run": True, "data": {"got": "dim"}}


async def test_a_caller_that_leaves_cancels_and_a_deadline_too(home: Pair) -> None:
    laptop, phone = home
    program = await serve(phone, "home")
    asking = ask(laptop, {"value": 1})
    call = await word(program)
    asking.cancel()
    assert await word(program) == {"type": "cancel", "id": call["id"]}
    answer = await ask(laptop, {"value": 2, "deadline": 0.3})
    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "deadline"
    assert (await word(program))["type"] == "call"
    assert (await word(program))["type"] == "cancel"


async def test_one_program_serves_a_service_and_its_end_is_told(home: Pair) -> None:
    laptop, phone = home
    program = await serve(phone, "home")
    with pytest.raises(InvalidStatus) as refused:
        await serve(phone, "home")
    assert refused.value.response.status_code == 409
    asking = ask(laptop, {"value": 1})
    await word(program)
    await program.close()
    assert (await asking).json()["error"]["code"] == "gone"
    answer = await ask(laptop, {"value": 1})
    assert answer.status_code == 503
    assert answer.json()["error"]["data"] == {"type": "CallRefusedError", "may_have_run": False}
    await serve(phone, "home")


async def test_a_reply_may_be_as_large_as_a_value_can_be(home: Pair) -> None:
    laptop, phone = home
    program = await serve(phone, "home")
    asking = ask(laptop, {"value": 1})
    call = await word(program)
    largest = base64.b64encode(bytes(limits.BODY_BYTES)).decode()
    await program.send(json.dumps({"type": "result", "id": call["id"], "base64": largest}))
    assert (await asking).json() == {"base64": largest}


async def test_what_is_no_reply_ends_the_service(home: Pair) -> None:
    _, phone = home
    for wrong in ("{", "[]", '{"type": "result"}', '{"type": "dance", "id": "1"}'):
        program = await serve(phone, "home")
        await program.send(wrong)
        assert (await word(program))["error"]["code"] == "bad-word"
        await program.wait_closed()


async def test_datagrams_go_both_ways(home: Pair) -> None:
    laptop, phone = home
    await grant(laptop, "phone", "home")
    here = await connect(laptop, "/contacts/phone/datagrams/home.position")
    there = await connect(phone, "/datagrams/home.position")
    await here.send(b"1,2")
    received = await word(there)
    assert received == {
        "contact": {"id": laptop.node.peer_id, "name": "laptop"},
        "base64": base64.b64encode(b"1,2").decode(),
    }
    await there.send(json.dumps({"contact": "laptop", "base64": base64.b64encode(b"3").decode()}))
    async with asyncio.timeout(SECONDS):
        assert await here.recv() == b"3"
    await here.send(bytes(1101))
    assert (await word(here))["error"]["code"] == "too-large"
