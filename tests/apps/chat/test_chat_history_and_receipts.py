"""Two devices chat: a history on both sides, in the same order, with what became of each message."""

from __future__ import annotations

from functools import partial

import pytest
from tests.apps.chat.chatting import start_chatter

import p4
from p4.apps.chat import ChatApp, ChatState, FileMention
from p4.apps.chat import history as tables
from p4.apps.chat.entry import ChatKind
from p4.apps.chat.values import Said
from p4.apps.store import AppStore
from p4.core import limits
from p4.ports import PeerRecord
from p4.testing import SimulatedNetwork, simulate, simulated_identity, start_node


def test_a_message_is_queued_then_delivered_then_seen() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_chatter(network, "laptop", "phone")
        said = await laptop.say("phone", "hello")
        assert (said.state, said.mine) == (ChatState.QUEUED, True)

        phone = await start_chatter(network, "phone", "laptop")
        await laptop.until("phone", "hello", ChatState.CONSUMED)
        (heard,) = await phone.history("laptop")
        assert (heard.text, heard.mine, heard.message_id) == ("hello", False, said.message_id)
        assert [(c.unread, c.last) for c in await phone.chat.conversations()] == [(1, heard)]

        assert await phone.chat.mark_read(phone.peer("laptop"), heard.position) == 0
        await laptop.until("phone", "hello", ChatState.SEEN)
        assert [event.kind for event in phone.events] == ["message", "read"]
        assert {event.kind for event in laptop.events} == {"message", "receipt"}
        await phone.say("laptop", "hi")
        await phone.until("laptop", "hi", ChatState.CONSUMED)
        assert await laptop.texts("phone") == await phone.texts("laptop") == ["hello", "hi"]

    simulate(scenario)


def test_what_became_of_messages_is_learned_after_a_restart() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_chatter(network, "laptop", "phone")
        for number in range(40):
            await laptop.say("phone", str(number))
        network.host("laptop").crash()
        phone = await start_chatter(network, "phone", "laptop")

        laptop = await start_chatter(network, "laptop", store=laptop.store)
        await laptop.until("phone", "39", ChatState.CONSUMED)
        assert {entry.state for entry in await laptop.history("phone")} == {ChatState.CONSUMED}
        assert await phone.texts("laptop") == [str(number) for number in range(40)]

    simulate(scenario)


def test_a_message_that_comes_again_after_a_crash_is_in_the_history_once() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_chatter(network, "laptop", "phone")
        await laptop.say("phone", "once")
        store = AppStore(None)
        await store.open()
        node = await start_node(network, "phone", "laptop")
        host = network.host("phone")
        # The history is told of after it is on disk and before done(): the worst moment to die.
        heard: list[object] = []

        def die(event: object) -> None:
            heard.append(event)
            host.crash()

        chat = ChatApp(store, host.clock, die)
        host.spawn(chat.start(node))
        await laptop.until("phone", "once", ChatState.DELIVERED)
        while host.alive:
            await laptop.until("phone", "once", ChatState.DELIVERED)
        assert len(heard) == 1

        phone = await start_chatter(network, "phone", store=store)
        await laptop.until("phone", "once", ChatState.CONSUMED)
        assert await phone.texts("laptop") == ["once"]
        assert not phone.events

    simulate(scenario)


def test_a_refused_message_has_failed_and_says_why() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        phone = await start_chatter(network, "phone", "laptop")
        await phone.peer("laptop").revoke("chat")
        laptop = await start_chatter(network, "laptop", "phone")
        await laptop.say("phone", "hello")
        failed = await laptop.until("phone", "hello", ChatState.FAILED)
        assert "does not let us use the service" in failed.reason
        assert not await phone.history("laptop")

    simulate(scenario)


def test_a_plain_node_gets_texts_and_answers() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_chatter(network, "laptop", "phone")
        phone = await start_node(network, "phone", "laptop")
        await laptop.say("phone", "hello")
        await laptop.chat.send(laptop.peer("phone"), "a.txt (3 B)", FileMention("a.txt", 3, "t1"))
        messages = phone.messages()
        first, second = await anext(messages), await anext(messages)
        assert first.value == "hello"
        assert second.value == {"text": "a.txt (3 B)", "file": {"name": "a.txt", "size": 3, "transfer": "t1"}}
        await laptop.until("phone", "hello", ChatState.DELIVERED)
        first.done()
        await laptop.until("phone", "hello", ChatState.CONSUMED)
        for value in ("hi", b"\x00", {"any": ["thing"]}):
            await phone.peer("laptop").send(value)
        await laptop.until("phone", '{"any": ["thing"]}', ChatState.RECEIVED)
        assert [entry.kind for entry in (await laptop.history("phone"))[2:]] == ["text", "data", "data"]

    simulate(scenario)


def test_to_version_1_go_texts_only() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        network.host("laptop").disk.peers[simulated_identity("phone").peer_id] = PeerRecord(protocol=1)
        laptop = await start_chatter(network, "laptop", "phone")
        await laptop.say("phone", "hello")
        with pytest.raises(p4.InputError) as refused:
            await laptop.chat.send(laptop.peer("phone"), "a file", FileMention("a.txt", 3, "t1"))
        assert refused.value.code == "not-supported"
        assert await laptop.texts("phone") == ["hello"]  # nothing pretends to have been sent

    simulate(scenario)


def test_writing_is_told_of_once_in_a_while() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_chatter(network, "laptop", "phone")
        assert not laptop.chat.typing(laptop.peer("phone"))  # nobody there
        phone = await start_chatter(network, "phone", "laptop")
        await laptop.peer("phone").wait_connected()
        await laptop.peer("phone").ping()
        assert laptop.chat.typing(laptop.peer("phone"))
        assert not laptop.chat.typing(laptop.peer("phone"))
        await laptop.say("phone", "done")
        await phone.until("laptop", "done", ChatState.RECEIVED)
        assert [event.kind for event in phone.events] == ["typing", "message"]

    simulate(scenario)


async def a_history(texts: list[str]) -> AppStore:
    store = AppStore(None)
    await store.open()
    await store.migrate("chat", tables.MIGRATIONS)
    for number, text in enumerate(texts):
        said = Said(ChatKind.TEXT, text)
        add = partial(
            tables.add_theirs, peer="anna", message=f"m-{number}", said=said, sent_ms=1, kept_ms=number
        )
        await store.transaction(add)
    return store


async def test_a_page_ends_early_where_texts_are_long() -> None:
    store = await a_history(["x" * (limits.CHAT_PAGE_BYTES // 2 + 1) for _ in range(3)])
    page = await store.transaction(lambda db: tables.entries_before(db, "anna", None, 50))
    assert [entry.kept_ms for entry in page] == [2]
    await store.close()


def test_all_that_was_said_before_the_line_that_was_seen_was_seen_too() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_chatter(network, "laptop", "phone")
        phone = await start_chatter(network, "phone", "laptop")
        for text in ("one", "two", "three"):
            await laptop.say("phone", text)
        await phone.until("laptop", "three", ChatState.RECEIVED)
        two = (await phone.history("laptop"))[1]
        assert await phone.chat.mark_read(phone.peer("laptop"), two.position) == 1
        await laptop.until("phone", "two", ChatState.SEEN)
        await laptop.until("phone", "three", ChatState.CONSUMED)
        states = [entry.state for entry in await laptop.history("phone")]
        assert states == [ChatState.SEEN, ChatState.SEEN, ChatState.CONSUMED]

    simulate(scenario)


async def test_the_oldest_go_when_a_contact_says_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHAT_HISTORY_BYTES", 1000)
    store = await a_history(["y" * 100 for _ in range(25)])
    kept = await store.transaction(lambda db: tables.entries_before(db, "anna", None, 200))
    assert 9 <= len(kept) <= 10
    assert kept[-1].kept_ms == 24  # the newest is never the one that goes
    await store.close()


async def test_what_was_being_handed_over_when_the_process_died_is_not_called_sent() -> None:
    store = await a_history([])
    await store.transaction(lambda db: tables.add_mine(db, "anna", Said(ChatKind.TEXT, "hm"), now_ms=1))
    await store.transaction(tables.give_up_interrupted)
    (entry,) = await store.transaction(lambda db: tables.entries_before(db, "anna", None, 9))
    assert entry.state is ChatState.FAILED
    assert "Ask whether it arrived" in entry.reason
    await store.close()


def test_pages_follow_each_other_without_gap_or_repetition() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_chatter(network, "laptop", "phone", "tablet")
        for number in range(25):
            await laptop.say("phone", f"p{number}")
            await laptop.say("tablet", f"t{number}")
        seen: list[str] = []
        before: int | None = None
        while True:
            page, before = await laptop.chat.entries(laptop.peer("phone"), before=before, limit=7)
            seen = [entry.text for entry in page] + seen
            if before is None:
                break
        assert seen == [f"p{number}" for number in range(25)]
        assert await laptop.chat.clear(laptop.peer("phone")) == 25
        assert await laptop.texts("phone") == []
        assert len(await laptop.texts("tablet")) == 25

    simulate(scenario)
