"""Messages through the API, from the daemon of one device to a program at the daemon of another."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from tests.daemon.conftest import SECONDS, RunningDaemon

Pair = tuple[RunningDaemon, RunningDaemon]


class Reader:
    """A program that reads a service by server-sent events."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(SECONDS):
            async for line in self._lines:
                if line.startswith("data: "):
                    message: dict[str, Any] = json.loads(line[6:])
                    return message
        raise AssertionError("the stream has ended")


@asynccontextmanager
async def reading(http: httpx.AsyncClient, service: str, **parameters: Any) -> AsyncIterator[Reader]:
    async with http.stream("GET", f"/v1/messages/{service}", params=parameters) as response:
        assert response.status_code == 200
        yield Reader(response)


async def send(daemon: RunningDaemon, value: object, service: str = "notes") -> dict[str, Any]:
    answer = await daemon.http.post("/v1/contacts/phone/messages", json={"service": service, "value": value})
    assert answer.status_code == 201, answer.text
    receipt: dict[str, Any] = answer.json()
    return receipt


async def done(daemon: RunningDaemon, *messages: dict[str, Any]) -> dict[str, Any]:
    answer = await daemon.http.post(
        "/v1/messages/notes/done",
        json={"messages": [{"contact": m["contact"]["id"], "id": m["id"]} for m in messages]},
    )
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


@pytest.fixture
async def notes(pair: Pair) -> Pair:
    answer = await pair[1].http.post("/v1/contacts/laptop/grants", json={"services": ["notes"]})
    assert answer.json()["grants"] == ["chat", "ping", "notes"]
    await pair[1].node.peer("laptop").ping()  # by then the laptop knows
    return pair


async def test_a_message_goes_from_program_to_program(notes: Pair) -> None:
    laptop, phone = notes
    receipt = await send(laptop, {"add": "bread"})
    async with reading(phone.http, "notes") as reader:
        message = await reader.next()
        assert message["value"] == {"add": "bread"}
        assert message["id"] == receipt["id"]
        assert message["contact"] == {"id": laptop.node.peer_id, "name": "laptop"}
        assert await done(phone, message) == {"done": 1, "unknown": []}
        assert (await done(phone, message))["done"] == 0
    path = f"/v1/contacts/phone/receipts/{receipt['id']}"
    assert (await laptop.http.get(path, params={"wait": "consumed"})).json()["state"] == "consumed"


async def test_bytes_and_batches(notes: Pair) -> None:
    laptop, phone = notes
    body = {"service": "notes", "values": [{"base64": base64.b64encode(b"\0\xff").decode()}, {"value": None}]}
    answer = await laptop.http.post("/v1/contacts/phone/messages/batch", json=body)
    assert [receipt["service"] for receipt in answer.json()["receipts"]] == ["notes", "notes"]
    async with reading(phone.http, "notes") as reader:
        first, second = await reader.next(), await reader.next()
    assert base64.b64decode(first["base64"]) == b"\0\xff"
    assert second["value"] is None
    assert "base64" not in second


async def test_what_was_done_before_it_was_handed_out_is_given_to_nobody(notes: Pair) -> None:
    """As after a restart: the program had it from the daemon before."""
    laptop, phone = notes
    first = await send(laptop, "old")
    await send(laptop, "new")
    had = {"contact": {"id": laptop.node.peer_id}, "id": first["id"]}
    assert (await done(phone, had))["unknown"] == [{"contact": laptop.node.peer_id, "id": first["id"]}]
    async with reading(phone.http, "notes") as reader:
        assert (await reader.next())["value"] == "new"
    path = f"/v1/contacts/phone/receipts/{first['id']}"
    assert (await laptop.http.get(path, params={"wait": "consumed"})).json()["state"] == "consumed"


async def test_what_was_not_done_comes_again_in_order_after_a_broken_connection(notes: Pair) -> None:
    laptop, phone = notes
    for number in range(4):
        await send(laptop, number)
    async with reading(phone.http, "notes") as reader:
        messages = [await reader.next() for _ in range(3)]
        await done(phone, messages[1])
    async with reading(phone.http, "notes") as reader:
        assert [(await reader.next())["value"] for _ in range(3)] == [0, 2, 3]


async def test_a_window_holds_back_until_something_is_done(notes: Pair) -> None:
    laptop, phone = notes
    for number in range(3):
        await send(laptop, number)
    async with reading(phone.http, "notes", window=2) as reader:
        first = await reader.next()
        assert (await reader.next())["value"] == 1
        third = asyncio.create_task(reader.next())
        # The third is on the phone's disk by now, and still does not come.
        path = f"/v1/contacts/phone/receipts/{(await send(laptop, 3))['id']}"
        assert (await laptop.http.get(path, params={"wait": "delivered"})).json()["state"] == "delivered"
        assert not third.done()
        await done(phone, first)
        assert (await third)["value"] == 2


async def test_two_readers_share_and_a_leaving_one_hands_over(notes: Pair) -> None:
    laptop, phone = notes
    async with reading(phone.http, "notes", window=1) as stays:
        async with reading(phone.http, "notes", window=1) as leaves:
            await send(laptop, "a")
            await send(laptop, "b")
            both = [await stays.next(), await leaves.next()]
            assert {message["value"] for message in both} == {"a", "b"}
            await done(phone, both[0])
        assert (await stays.next())["value"] == both[1]["value"]


async def test_asking_with_a_lease(notes: Pair) -> None:
    laptop, phone = notes
    path = "/v1/messages/notes/next"
    assert (await phone.http.get(path, params={"timeout": 0})).json() == {"messages": []}
    await send(laptop, "eggs")
    taken = (await phone.http.get(path, params={"lease": 0.2, "max": 5})).json()["messages"]
    assert [message["value"] for message in taken] == ["eggs"]
    again = (await phone.http.get(path, params={"lease": 60})).json()["messages"]
    assert again[0]["id"] == taken[0]["id"]
    assert (await done(phone, again[0]))["done"] == 1
    assert (await phone.http.get(path, params={"timeout": 0})).json() == {"messages": []}


async def test_what_will_never_arrive_says_why(notes: Pair) -> None:
    laptop, _ = notes
    receipt = await send(laptop, "eggs", service="kitchen")
    path = f"/v1/contacts/phone/receipts/{receipt['id']}"
    found = (await laptop.http.get(path, params={"wait": "delivered"})).json()
    assert (found["state"], found["reason"]) == ("dropped", "refused")


async def test_mistakes_have_their_answers(notes: Pair) -> None:
    laptop, _ = notes

    async def code(body: dict[str, Any], contact: str = "phone") -> tuple[int, str]:
        answer = await laptop.http.post(f"/v1/contacts/{contact}/messages", json=body)
        return answer.status_code, answer.json()["error"]["code"]

    assert await code({"value": 1}, "tablet") == (404, "unknown")
    assert await code({"service": "notes"}) == (400, "bad-value")
    assert await code({"value": 1, "base64": ""}) == (400, "bad-value")
    assert await code({"base64": "*"}) == (400, "bad-value")
    assert await code({"value": 1, "service": "No!"}) == (400, "bad-service")
    assert await code({"value": 1, "ttl": -1}) == (422, "bad-request")
    assert await code({"value": "x" * (1 << 20)}) == (413, "too-large")
    answer = await laptop.http.get("/v1/messages/chat")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "in-use")
    answer = await laptop.http.get("/v1/contacts/phone/receipts/none")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown")
