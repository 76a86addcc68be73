"""Received messages on their way to applications: any number of them, readers and contacts."""

from __future__ import annotations

import asyncio
import random
import tracemalloc

import pytest
from tests.node.reading_desk import EPOCH, Desk, nothing_comes, take, values

from p4.core import limits
from p4.core.identity import PeerId
from p4.core.session.messages.stored import InboxMessage
from p4.core.session.session_frames import Kind
from p4.errors import FrameError
from p4.node.inbox import Inbox, Message, MessageStream, _Slot
from p4.ports import Store
from p4.testing.virtual_time import run

# --- any number of messages -------------------------------------------------------------------------


async def paged(*, reading_first: bool) -> None:
    desk = await Desk().start()
    alice = desk.senders["alice"]
    await alice.delivers(*range(1000))
    reading = desk.inbox.open("chat")
    found = await take(reading, 10) if reading_first else []
    for number in range(1000, 2000, 100):
        await alice.delivers(*range(number, number + 100))
        found += await take(reading, 70)
        assert desk.largest() <= limits.INBOX_WINDOW
    found += await take(reading, 2000 - len(found))
    assert values(found) == list(range(2000))
    for number in range(50):  # nothing is behind any more: what arrives goes straight through
        await alice.delivers(number)
        assert values(await take(reading, 1)) == [number]
    await nothing_comes(reading)


@pytest.mark.parametrize("reading_first", [False, True])
def test_more_than_fits_into_memory_comes_in_order(reading_first: bool) -> None:
    run(paged(reading_first=reading_first))


@pytest.mark.parametrize("planted", ["skips what is on disk", "forgets what came while it read"])
def test_an_inbox_that_reads_on_from_the_wrong_place_is_found(
    monkeypatch: pytest.MonkeyPatch, planted: str
) -> None:
    honest = _Slot.add

    def careless(self: _Slot, message: InboxMessage) -> None:
        if planted.startswith("skips"):
            self.behind = False
            self._extend([message])
        else:
            honest(self, message)
            self._missed = False
            self._last = max(self._last, message.position)

    monkeypatch.setattr(_Slot, "add", careless)
    with pytest.raises((AssertionError, TimeoutError)):
        run(paged(reading_first=True))


class LongShelf:
    """A disk with very many messages, of which only what is read ever exists."""

    def __init__(self, count: int) -> None:
        self.count = count

    async def read_inbox(
        self, peer_id: PeerId, service: str, *, after: int, limit: int, most_bytes: int
    ) -> list[InboxMessage]:
        await asyncio.sleep(0.001)
        places = range(after + 1, min(after + limit, self.count) + 1)
        body = b"1" * 100
        return [InboxMessage(n, EPOCH, n, service, Kind.JSON, body, "", 0, 0, 0) for n in places]


def test_a_hundred_thousand_messages_wait_without_filling_the_memory() -> None:
    async def scenario() -> None:
        desk = Desk(names=["alice"])
        desk.inbox.start(LongShelf(100_000), desk.clock)  # type: ignore[arg-type] # all that it needs
        reading = desk.inbox.open("chat")
        await anext(reading)
        tracemalloc.start()
        try:
            for number in range(2, 100_001):
                assert (await anext(reading)).number == number
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 1024 * 1024
        assert desk.largest() == 0

    run(scenario())


def test_large_messages_in_memory_are_bounded_by_their_bytes() -> None:
    async def scenario() -> None:
        desk = await Desk().start()
        alice = desk.senders["alice"]
        reading = desk.inbox.open("chat")
        await alice.delivers("small")
        await take(reading, 1)
        for _ in range(20):
            await alice.delivers("large", size=limits.BODY_BYTES)
        assert desk.largest() <= limits.SEND_WINDOW_BYTES // limits.BODY_BYTES
        found = await take(reading, 20)
        assert [message.number for message in found] == list(range(2, 22))

    run(scenario())


def test_what_nobody_reads_waits_on_disk_only() -> None:
    async def scenario() -> None:
        desk = await Desk().start()
        alice = desk.senders["alice"]
        reading = desk.inbox.open("chat")
        waiting = asyncio.create_task(take(reading, 1))
        await asyncio.sleep(0)
        await alice.delivers(*range(100), service="notes")
        assert desk.largest() == 0
        await alice.delivers("chat")
        assert [message.service for message in await waiting] == ["chat"]
        assert values(await take(desk.inbox.open("notes", alice), 100)) == list(range(100))

    run(scenario())


# --- several readers, several contacts --------------------------------------------------------------


async def one_shot_readers(seed: int) -> None:
    """Every reader wants a single message, and there are as many of them as messages."""
    chance = random.Random(seed)
    names = ["alice", "bob", "carol"]
    desk = await Desk(names=names).start()
    for name in names:
        await desk.senders[name].delivers(*range(3))
    count = 60

    async def read() -> Message:
        await asyncio.sleep(chance.choice([0.0, chance.uniform(0, 1)]))
        return await anext(desk.inbox.open("chat"))

    readers = [asyncio.create_task(read()) for _ in range(count)]
    sent = 9
    while sent < count:
        name = names[sent % 3]
        burst = chance.choice([1, 3])
        await desk.senders[name].delivers(*range(sent, sent + burst))
        sent += burst
        await asyncio.sleep(chance.choice([0.0, chance.uniform(0, 0.1)]))
    async with asyncio.timeout(60):
        found = await asyncio.gather(*readers)
    assert len({(message.peer.peer_id, message.id) for message in found}) == count


def many_seeds() -> None:
    for seed in range(30):
        run(one_shot_readers(seed))


def test_each_message_goes_to_one_reader_and_none_is_left_while_one_waits() -> None:
    many_seeds()


def test_a_turn_that_is_lost_with_messages_left_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Inbox._from_any

    async def forgetful(self: Inbox, service: str, store: Store) -> Message | None:
        message = await honest(self, service, store)
        if message is not None:
            self._turns[service].pop(message.peer.peer_id, None)
        return message

    monkeypatch.setattr(Inbox, "_from_any", forgetful)
    with pytest.raises(TimeoutError):
        many_seeds()


def test_a_contact_with_many_messages_does_not_keep_others_waiting() -> None:
    async def scenario() -> None:
        desk = await Desk(names=["alice", "bob", "carol"]).start()
        await desk.senders["alice"].delivers(*range(5000))
        reading = desk.inbox.open("chat")
        await take(reading, 500)
        for name in ("bob", "carol"):
            await desk.senders[name].delivers(*range(10))
        names = [message.peer.contact.label for message in await take(reading, 30)]
        assert [names.count(name) for name in ("alice", "bob", "carol")] == [10, 10, 10]

    run(scenario())


def test_a_reader_that_gives_up_takes_nothing_with_it() -> None:
    async def scenario() -> None:
        desk = await Desk().start()
        alice = desk.senders["alice"]
        await alice.delivers(*range(10))
        reading, found = desk.inbox.open("chat"), []
        for delay in (0.0, 0.01, 0.015, 0.01):  # the disk takes 0.03
            hasty = asyncio.create_task(take(reading, 1))
            await asyncio.sleep(delay)
            if not hasty.cancel():
                found += hasty.result()
            await asyncio.gather(hasty, return_exceptions=True)
        assert values(found + await take(reading, 10 - len(found))) == list(range(10))

    run(scenario())


# --- once and for all -------------------------------------------------------------------------------


def test_what_was_not_done_comes_again_after_a_restart_under_the_same_name() -> None:
    async def scenario() -> None:
        desk = await Desk().start()
        await desk.senders["alice"].delivers(*range(600))
        found = await take(desk.inbox.open("chat"), 600)
        await asyncio.gather(*(message.done() for message in found if message.number % 3))
        desk.store.crash()
        again = await Desk(desk.store.disk).start()
        repeated = await take(again.inbox.open("chat"), 200)
        assert [(message.id, message.value) for message in repeated] == [
            (message.id, message.value) for message in found if message.number % 3 == 0
        ]
        await nothing_comes(again.inbox.open("chat"))

    run(scenario())


def test_a_newer_value_takes_the_place_of_one_that_nobody_has_seen() -> None:
    async def scenario() -> None:
        desk = await Desk().start()
        alice = desk.senders["alice"]
        reading = desk.inbox.open("chat")
        await alice.delivers("begin")
        await take(reading, 1)
        for number in range(3):
            await alice.delivers(number, key="level")
        given = (await take(reading, 1))[0]
        assert given.value == 2
        for number in range(3, 6):
            await alice.delivers(number, key="level")
        assert values(await take(reading, 1)) == [5]
        await given.done()
        await nothing_comes(reading)

    run(scenario())


def test_a_value_that_was_replaced_while_the_disk_was_read_is_not_shown() -> None:
    async def scenario() -> None:
        desk = await Desk().start()
        alice = desk.senders["alice"]
        await alice.delivers("old", key="level")
        reading = asyncio.create_task(take(desk.inbox.open("chat"), 1))
        await asyncio.sleep(0.005)  # the disk is asked; its answer will have the old one
        replacing = asyncio.create_task(alice.delivers("new", key="level"))
        assert values(await reading) == ["new"]
        await replacing

    run(scenario())


def test_what_expires_while_it_waits_is_not_shown_and_leaves_the_disk() -> None:
    async def scenario() -> None:
        desk = await Desk().start()
        alice = desk.senders["alice"]
        reading = desk.inbox.open("chat")
        await alice.delivers("begin")
        await (await take(reading, 1))[0].done()
        soon = desk.clock.wall_ms() + 5000
        await alice.delivers("in memory", expires_ms=soon)
        await alice.delivers("for ever")
        await asyncio.sleep(6)
        assert values(await take(reading, 1)) == ["for ever"]
        await asyncio.sleep(1)
        assert desk.on_disk() == 1

    run(scenario())


def test_a_message_that_is_no_json_says_so_and_can_be_done() -> None:
    async def scenario() -> None:
        desk = await Desk().start()
        alice = desk.senders["alice"]
        await alice.delivers("x")
        (message,) = await take(desk.inbox.open("chat"), 1)
        message = Message(message._stored._replace(body=b"{"), alice)
        with pytest.raises(FrameError) as caught:
            _ = message.value
        assert caught.value.code == "bad-body"
        await message.done()
        assert desk.on_disk() == 0

    run(scenario())


# --- ends -------------------------------------------------------------------------------------------


def test_readers_end_with_the_node_and_with_their_contact() -> None:
    async def scenario() -> None:
        desk = Desk()
        alice, bob = desk.senders.values()

        async def all_of(stream: MessageStream) -> list[object]:
            return [message.value async for message in stream]

        readers = [
            asyncio.create_task(all_of(desk.inbox.open("chat", one))) for one in (None, alice, bob)
        ]  # before the disk can be read
        await asyncio.sleep(1)
        await desk.start()
        await alice.delivers(1)
        await bob.delivers(2)
        await asyncio.sleep(1)
        alice.ended = True
        desk.inbox.forget(alice)
        desk.inbox.arrived(alice, [InboxMessage(99, EPOCH, 9, "chat", Kind.JSON, b"9", "", 0, 0, 0)])
        await asyncio.sleep(1)
        assert [reader.done() for reader in readers] == [False, True, False]
        await bob.delivers(3)
        await asyncio.sleep(1)
        desk.inbox.close()
        async with asyncio.timeout(1):
            found = await asyncio.gather(*readers)
        assert sorted(value for one in found for value in one) == [1, 2, 3]  # type: ignore[type-var]
        assert await all_of(desk.inbox.open("chat")) == []

    run(scenario())
