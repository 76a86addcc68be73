"""Who has a message that was handed out, when programs go, disks refuse and contacts are removed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message as AsgiMessage
from starlette.types import Scope
from tests.daemon.conftest import SECONDS, RunningDaemon, grant

from p4.daemon.event_stream import EventStreamResponse
from p4.errors import StateError
from p4.node.inbox import Message

Pair = tuple[RunningDaemon, RunningDaemon]


@pytest.fixture
async def notes(pair: Pair) -> Pair:
    await grant(pair[1], "laptop", "notes")
    return pair


async def send(daemon: RunningDaemon, *values: object) -> None:
    body = {"service": "notes", "values": [{"value": value} for value in values]}
    answer = await daemon.http.post("/v1/contacts/phone/messages/batch", json=body)
    assert answer.status_code == 201, answer.text


async def take(daemon: RunningDaemon, **parameters: Any) -> list[dict[str, Any]]:
    answer = await daemon.http.get("/v1/messages/notes/next", params={"timeout": SECONDS, **parameters})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["messages"]
    return found


def named(message: dict[str, Any]) -> dict[str, Any]:
    return {"contact": message["contact"]["id"], "id": message["id"]}


async def test_messages_of_a_removed_contact_do_not_keep_others_from_being_done(notes: Pair) -> None:
    laptop, phone = notes
    await send(laptop, 1)
    [message] = await take(phone)
    strange = {"contact": "0" * 64, "id": "00-1"}
    answer = await phone.http.post("/v1/messages/notes/done", json={"messages": [strange, named(message)]})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"done": 1, "unknown": [strange]}


async def test_what_could_not_be_noted_as_done_comes_again(
    notes: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, phone = notes
    await send(laptop, 1)
    [message] = await take(phone, lease=3600)

    async def refuse(_message: Message) -> None:
        raise StateError("The disk is full.", path="/", code="disk-full")

    with monkeypatch.context() as patched:
        patched.setattr(Message, "done", refuse)
        answer = await phone.http.post("/v1/messages/notes/done", json={"messages": [named(message)]})
    assert answer.status_code == 507
    assert [again["id"] for again in await take(phone)] == [message["id"]]


async def test_a_lease_ends_with_its_last_message(notes: Pair) -> None:
    laptop, phone = notes
    leases = phone.daemon.context.leases
    await send(laptop, 1, 2)
    first = await take(phone, max=1, lease=3600)
    second = await take(phone, max=1, lease=3600)
    assert len(leases) == 2
    await phone.http.post("/v1/messages/notes/done", json={"messages": [named(first[0])]})
    assert len(leases) == 1
    await phone.http.post("/v1/messages/notes/done", json={"messages": [named(second[0])]})
    assert len(leases) == 0


async def test_nothing_is_leased_to_a_program_that_waited_and_went_away(notes: Pair) -> None:
    laptop, phone = notes
    desk = phone.daemon.context.desk
    gone = asyncio.create_task(phone.http.get("/v1/messages/notes/next", params={"timeout": 300}))
    async with asyncio.timeout(SECONDS):
        while not desk.readers():  # noqa: ASYNC110 - the desk tells nobody who reads
            await asyncio.sleep(0.01)
        gone.cancel()
        while desk.readers():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await send(laptop, 1)
    assert [message["value"] for message in await take(phone)] == [1]


async def test_an_event_stream_whose_reader_is_gone_before_it_begins_is_closed() -> None:
    closed = 0

    async def never() -> None:
        await asyncio.Event().wait()

    def count() -> None:
        nonlocal closed
        closed += 1

    async def receive() -> AsgiMessage:
        return {"type": "http.disconnect"}

    async def send(_message: AsgiMessage) -> None:
        await asyncio.Event().wait()  # a connection that takes nothing

    scope: Scope = {"type": "http", "asgi": {"spec_version": "2.3"}}
    await EventStreamResponse(never, closed=count)(scope, receive, send)
    assert closed == 1
