"""The chat and the history of links through the API of two real daemons."""

from __future__ import annotations

import asyncio

from tests.daemon.conftest import SECONDS, RunningDaemon


async def until_state(daemon: RunningDaemon, contact: str, state: str) -> dict[str, object]:
    """The newest entry, once it has come this far."""
    async with asyncio.timeout(SECONDS):
        while True:
            entries = (await daemon.http.get(f"/v1/chat/{contact}")).json()["entries"]
            if entries and entries[-1]["state"] == state:
                return entries[-1]  # type: ignore[no-any-return]
            await asyncio.sleep(0.02)


async def test_two_daemons_chat(pair: tuple[RunningDaemon, RunningDaemon]) -> None:
    laptop, phone = pair
    events: list[str] = []

    async def watch() -> None:
        async with phone.http.stream("GET", "/v1/events", timeout=None) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("event:"):
                    events.append(line.removeprefix("event:").strip())  # noqa: PERF401 - as they come

    watching = asyncio.create_task(watch())
    said = await laptop.http.post("/v1/chat/phone", json={"text": "hello"})
    assert said.status_code == 201
    heard = await until_state(phone, "laptop", "received")
    assert (heard["text"], heard["mine"]) == ("hello", False)
    assert heard["message_id"] == said.json()["message_id"]
    (conversation,) = (await phone.http.get("/v1/chat")).json()["conversations"]
    assert (conversation["unread"], conversation["contact"]["name"]) == (1, "laptop")

    read = await phone.http.post("/v1/chat/laptop/read", json={"through": heard["id"]})
    assert read.json() == {"unread": 0}
    await until_state(laptop, "phone", "seen")
    file = {"name": "a.txt", "size": 3, "transfer": "t1"}
    await phone.http.post("/v1/chat/laptop", json={"text": "a.txt (3 B)", "file": file})
    assert (await until_state(laptop, "phone", "received"))["file"] == file
    page = (await laptop.http.get("/v1/chat/phone", params={"limit": 1})).json()
    assert [entry["kind"] for entry in page["entries"]] == ["file"]
    before = (await laptop.http.get("/v1/chat/phone", params={"before": page["before"]})).json()
    assert [entry["text"] for entry in before["entries"]] == ["hello"]
    assert before["before"] is None
    assert (await laptop.http.delete("/v1/chat/phone")).json() == {"removed": 2}
    await until_state(phone, "laptop", "consumed")
    watching.cancel()
    assert {"chat.message", "chat.read", "chat.receipt"} <= set(events)

    await phone.http.delete("/v1/contacts/laptop")  # nothing is left of it
    rows = await phone.daemon.context.apps.store.query("SELECT * FROM chat_entries")
    assert rows == []


async def test_what_cannot_be_is_refused_in_our_own_form(daemon: RunningDaemon) -> None:
    for method, path, body, status in (
        ("GET", "/v1/chat/nobody", None, 404),
        ("POST", "/v1/chat/nobody", {"text": "hi"}, 404),
        ("GET", "/v1/contacts/nobody/history", None, 404),
    ):
        answer = await daemon.http.request(method, path, json=body)
        assert answer.status_code == status, path
        assert answer.json()["error"]["message"].endswith(".")
    assert (await daemon.http.get("/v1/chat")).json() == {"conversations": []}


async def test_the_history_of_links_is_a_picture(pair: tuple[RunningDaemon, RunningDaemon]) -> None:
    laptop, _ = pair
    picture = (await laptop.http.get("/v1/contacts/phone/history", params={"seconds": 600})).json()
    assert picture["contact"]["name"] == "phone"
    assert picture["outages"] == []
    assert len(picture["runs"]) == 1
    for wrong in (
        "/v1/contacts/phone/history?seconds=1",
        "/v1/chat/phone?before=-1",
        "/v1/chat/phone?limit=0",
    ):
        assert (await laptop.http.get(wrong)).status_code == 422
