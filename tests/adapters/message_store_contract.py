"""What a store does to messages: every operation of `p4.core.session.messages.stored`, and its result."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.store_calls import (
    ALICE,
    BOB,
    EPOCH,
    OTHER_EPOCH,
    RECEIVED_MS,
    SENT_MS,
    accept,
    append,
    arrived,
    consume,
    draft,
    inbox,
    new,
    queued,
    waiting,
)
from tests.adapters.store_contract import StoreFixture

from p4.core.identity import PeerId
from p4.core.session.messages import stored
from p4.errors import StateError
from p4.ports import PeerRecord, Store

BODIES = [b"", b"\0", b"\xff\xfe not text", b"'; DROP TABLE outbox; --", b"x" * 1024 * 1024]


async def record_of(store: Store, peer: PeerId = ALICE) -> PeerRecord:
    return (await store.load_peers()).get(peer, PeerRecord())


async def read(store: Store, after: int, limit: int, most_bytes: int = 2**40) -> list[int]:
    messages = await store.perform(ALICE, stored.ReadOutbox(after, limit, most_bytes))
    assert isinstance(messages, tuple)
    return [message.number for message in messages]


class OutboxContract(StoreFixture):
    """Messages that wait to be sent."""

    async def test_numbers_count_from_one_for_each_contact(self, place: Path) -> None:
        async with self.opened(place) as store:
            assert await append(store, "a", "b") == stored.Appended(1, ())
            assert await append(store, draft("c", service="files.new", expires_ms=77)) == stored.Appended(
                3, ()
            )
            assert await append(store, "d", peer=BOB) == stored.Appended(1, ())
            assert await store.perform(ALICE, stored.ReadOutbox(0, 10, 100)) == (
                stored.OutboxMessage(1, "chat", 1, b"a", "", SENT_MS, 0),
                stored.OutboxMessage(2, "chat", 1, b"b", "", SENT_MS, 0),
                stored.OutboxMessage(3, "files.new", 1, b"c", "", SENT_MS, 77),
            )

    async def test_the_epoch_is_chosen_once(self, place: Path) -> None:
        async with self.opened(place) as store:
            await append(store, "a", epoch=EPOCH)
        async with self.opened(place) as store:
            await append(store, "b", epoch=OTHER_EPOCH)
            record = await record_of(store)
            assert (record.out_epoch, record.out_next) == (EPOCH, 3)

    async def test_reading_starts_after_a_number_and_stops_at_the_limits(self, place: Path) -> None:
        async with self.opened(place) as store:
            await append(store, *("x" * 10 for _ in range(8)))
            assert await read(store, 2, 3) == [3, 4, 5]
            assert await read(store, 7, 3) == [8]
            assert await read(store, 8, 3) == []
            assert await read(store, 0, 0) == []
            assert await read(store, 0, 9, 30) == [1, 2, 3]
            assert await read(store, 0, 9, 29) == [1, 2]
            assert await read(store, 4, 9, 1) == [5]  # at least one
            assert await read(store, -1, 2**70, 2**70) == list(range(1, 9))

    async def test_acknowledged_messages_are_gone_and_their_numbers_are_never_used_again(
        self, place: Path
    ) -> None:
        async with self.opened(place) as store:
            await append(store, "a", "b", "c")
            await store.perform(ALICE, stored.AcknowledgeOutbox(2))
            assert await queued(store) == [(3, "c")]
            await store.perform(ALICE, stored.AcknowledgeOutbox(1))  # a late, lower one changes nothing
            assert await queued(store) == [(3, "c")]
            record = await record_of(store)
            assert (record.out_first, record.out_waiting, record.out_next) == (3, 1, 4)
            # Numbers never given out change nothing: what the contact claims cannot move our own count.
            await store.perform(ALICE, stored.AcknowledgeOutbox(2**70))
        async with self.opened(place) as store:
            assert await queued(store) == []
            record = await record_of(store)
            assert (record.out_first, record.out_waiting, record.out_next) == (4, 0, 4)
            assert (await append(store, "d")).first == 4
            assert (await record_of(store)).out_first == 4

    async def test_acknowledging_one_contact_leaves_the_other(self, place: Path) -> None:
        async with self.opened(place) as store:
            await append(store, "a", peer=ALICE)
            await append(store, "b", peer=BOB)
            await store.perform(ALICE, stored.AcknowledgeOutbox(1))
            assert await queued(store, BOB) == [(1, "b")]

    async def test_dropped_messages_leave_holes_that_stay(self, place: Path) -> None:
        async with self.opened(place) as store:
            await append(store, *"abcdefgh")
            await store.perform(ALICE, stored.DropOutbox((2, 5, 6, 8, 8, 99, -1, 2**70)))
            await store.perform(ALICE, stored.DropOutbox((2,)))
            assert await queued(store) == [(1, "a"), (3, "c"), (4, "d"), (7, "g")]
            assert (await record_of(store)).out_waiting == 4
            await store.perform(ALICE, stored.DropOutbox((1,)))
        async with self.opened(place) as store:
            assert (await append(store, "i")).first == 9
            assert await read(store, 1, 2) == [3, 4]

    async def test_only_what_is_confirmed_moves_the_beginning(self, place: Path) -> None:
        async with self.opened(place) as store:
            await append(store, draft("a", key="k"), "b", "c", "d")
            await append(store, draft("e", key="k"))
            await store.perform(ALICE, stored.DropOutbox((2, 3)))
            assert (await record_of(store)).out_first == 1
        async with self.opened(place) as store:
            record = await record_of(store)
            assert (record.out_first, record.out_waiting, record.out_next) == (1, 2, 6)
            # Into a hole, where nothing waits that could be removed.
            await store.perform(ALICE, stored.AcknowledgeOutbox(2))
            assert (await record_of(store)).out_first == 3
            await store.perform(ALICE, stored.DropOutbox((4, 5)))
        async with self.opened(place) as store:
            record = await record_of(store)
            assert (record.out_first, record.out_waiting, record.out_next) == (3, 0, 6)
            # The end of it was dropped, and is confirmed all the same.
            await store.perform(ALICE, stored.AcknowledgeOutbox(5))
        async with self.opened(place) as store:
            assert (await record_of(store)).out_first == 6

    async def test_many_can_be_appended_and_dropped_at_a_time(self, place: Path) -> None:
        async with self.opened(place) as store:
            texts = [f"text {number}" for number in range(1, 1001)]
            assert (await append(store, *texts)).first == 1
            odd = tuple(range(1, 1001, 2))
            await store.perform(ALICE, stored.DropOutbox(odd))
            assert await queued(store) == [(number, texts[number - 1]) for number in range(2, 1001, 2)]
            await store.perform(ALICE, stored.DropOutbox(tuple(range(100, 900))))
            assert len(await queued(store)) == (await record_of(store)).out_waiting == 100

    async def test_concurrent_appends_get_different_numbers_in_the_order_of_the_calls(
        self, place: Path
    ) -> None:
        async with self.opened(place) as store:
            results = await asyncio.gather(*(append(store, f"text {i}") for i in range(100)))
            assert [result.first for result in results] == list(range(1, 101))
            assert await queued(store) == [(i + 1, f"text {i}") for i in range(100)]

    async def test_the_quota_of_messages_refuses_all_of_a_call_and_nothing_else(self, place: Path) -> None:
        quota = stored.Quota(messages=3, bytes=1000)
        async with self.opened(place) as store:
            await append(store, "a", "b", quota=quota)
            results: Any = await asyncio.gather(
                append(store, "c", "d", quota=quota),
                append(store, "for another contact", peer=BOB, quota=quota),
                append(store, "e", quota=quota),
                append(store, "f", quota=quota),
                return_exceptions=True,
            )
            for refusal in (results[0], results[3]):
                assert isinstance(refusal, StateError)
                assert refusal.code == "outbox-full"
            assert (results[1].first, results[2].first) == (1, 3)
            assert await queued(store) == [(1, "a"), (2, "b"), (3, "e")]
            await store.perform(ALICE, stored.AcknowledgeOutbox(1))
            assert (await append(store, "g", quota=quota)).first == 4

    async def test_the_quota_of_bytes(self, place: Path) -> None:
        quota = stored.Quota(messages=100, bytes=10)
        async with self.opened(place) as store:
            await append(store, "x" * 6, "y" * 4, quota=quota)
            with pytest.raises(StateError) as refusal:
                await append(store, "z", quota=quota)
            assert refusal.value.code == "outbox-full"
            await append(store, "", quota=quota)
            await store.perform(ALICE, stored.DropOutbox((2,)))
        async with self.opened(place) as store:
            assert (await append(store, "z" * 4, quota=quota)).first == 4
            with pytest.raises(StateError):
                await append(store, "z", quota=quota)

    async def test_a_refused_contact_that_was_unknown_stays_unknown(self, place: Path) -> None:
        async with self.opened(place) as store:
            with pytest.raises(StateError):
                await append(store, "a", quota=stored.Quota(0, 0))
            assert await store.load_peers() == {}

    async def test_the_latest_value_of_a_key_replaces_earlier_ones_of_its_service(self, place: Path) -> None:
        async with self.opened(place) as store:
            await append(
                store, draft("a", key="k"), draft("b", key="j"), "c", draft("d", key="k", service="s")
            )
            assert await append(store, draft("e", key="k"), peer=BOB) == stored.Appended(1, ())
            assert await append(store, draft("f", key="k")) == stored.Appended(5, (1,))
            result = await append(store, draft("g", key="k"), draft("h", key="new"), draft("i", key="k"))
            assert result.first == 6
            assert sorted(result.removed) == [5, 6]
            assert await queued(store) == [(2, "b"), (3, "c"), (4, "d"), (7, "h"), (8, "i")]
            assert await queued(store, BOB) == [(1, "e")]
            record = await record_of(store)
            assert (record.out_first, record.out_waiting, record.out_next) == (1, 5, 9)

    async def test_many_keys_at_a_time(self, place: Path) -> None:
        async with self.opened(place) as store:
            keys = [f"key \0 {number} ✓" for number in range(300)]
            await append(store, *(draft("old", key=key) for key in keys))
            result = await append(store, *(draft("new", key=key) for key in keys[:290]))
            assert sorted(result.removed) == list(range(1, 291))
            assert [number for number, _ in await queued(store)] == list(range(291, 591))

    async def test_the_quota_is_counted_after_the_removals(self, place: Path) -> None:
        quota = stored.Quota(messages=2, bytes=10)
        async with self.opened(place) as store:
            await append(store, "x" * 5, draft("y" * 5, key="k"), quota=quota)
            assert (await append(store, draft("z" * 5, key="k"), quota=quota)).removed == (2,)
            with pytest.raises(StateError):
                await append(store, draft("z" * 6, key="k"), quota=quota)
            # Refused, so nothing was replaced.
            assert await queued(store) == [(1, "xxxxx"), (3, "zzzzz")]

    @pytest.mark.parametrize("body", BODIES, ids=lambda body: f"{len(body)} bytes")
    async def test_bodies_and_keys_come_back_unchanged(self, place: Path, body: bytes) -> None:
        key = "\0 naïve ✓ 😀"
        written = stored.Draft("a.b", 0, body, key, 2**53, 2**53)
        arrives = stored.Received(2**53 - 1, "a.b", 0, body, key, 2**53, 2**53)
        async with self.opened(place) as store:
            await append(store, written)
            await accept(store, arrives)
        async with self.opened(place) as store:
            (waits,) = await store.perform(ALICE, stored.ReadOutbox(0, 1, 1))
            assert waits == stored.OutboxMessage(1, *written)
            (kept,) = await waiting(store, service="a.b")
            assert kept[1:] == (EPOCH, *arrives[:-1], RECEIVED_MS, 2**53)
            assert (await append(store, written)).removed == (1,)


class InboxContract(StoreFixture):
    """Messages that were received."""

    async def test_each_message_is_kept_once(self, place: Path) -> None:
        async with self.opened(place) as store:
            kept = await accept(store, (1, "a"), (2, "bc"))
            assert kept == stored.Kept(
                (
                    stored.InboxMessage(1, EPOCH, 1, "chat", 1, b"a", "", SENT_MS, RECEIVED_MS, 0),
                    stored.InboxMessage(2, EPOCH, 2, "chat", 1, b"bc", "", SENT_MS, RECEIVED_MS, 0),
                ),
                (),
                2,
                3,
            )
            assert await new(store, (1, "a"), (2, "bc"), (3, "d")) == [3]
            assert await accept(store, (3, "d")) == stored.Kept((), (), 3, 4)
            assert await inbox(store) == [(1, "a"), (2, "bc"), (3, "d")]

    async def test_a_duplicate_inside_one_call_is_dropped(self, place: Path) -> None:
        async with self.opened(place) as store:
            assert await new(store, (1, "a"), (1, "a"), (2, "b")) == [1, 2]

    async def test_duplicates_are_known_after_reopening_and_after_consuming(self, place: Path) -> None:
        async with self.opened(place) as store:
            (message,) = (await accept(store, (1, "a"))).messages
            await consume(store, message.position)
        async with self.opened(place) as store:
            assert await inbox(store) == []
            assert await new(store, (1, "a")) == []
            assert await inbox(store) == []
            assert (await record_of(store)).in_next == 2

    async def test_what_is_covered_counts_whether_or_not_there_is_a_message(self, place: Path) -> None:
        async with self.opened(place) as store:
            assert await new(store, (5, "e"), through=7) == [5]
            assert (await record_of(store)).in_next == 8
            assert await new(store, (7, "g"), (9, "i")) == [9]
            assert await accept(store, through=12) == stored.Kept((), (), 2, 2)
            assert await accept(store, through=11) == stored.Kept((), (), 2, 2)
            assert (await record_of(store)).in_next == 13

    async def test_a_new_epoch_counts_anew(self, place: Path) -> None:
        async with self.opened(place) as store:
            await accept(store, (1, "a"), (2, "b"))
            assert await new(store, (1, "first of the new"), epoch=OTHER_EPOCH) == [1]
            record = await record_of(store)
            assert (record.in_epoch, record.in_next) == (OTHER_EPOCH, 2)
            assert await inbox(store) == [(1, "a"), (2, "b"), (1, "first of the new")]

    async def test_an_epoch_of_which_nothing_is_kept_counts_too(self, place: Path) -> None:
        async with self.opened(place) as store:
            await accept(store, (1, "a"))
            await accept(store, through=4, epoch=OTHER_EPOCH)
            record = await record_of(store)
            assert (record.in_epoch, record.in_next, record.in_retired) == (OTHER_EPOCH, 5, ((EPOCH, 2),))

    async def test_positions_are_never_used_twice(self, place: Path) -> None:
        async with self.opened(place) as store:
            first = (await accept(store, (1, "a"), (2, "b"))).messages
            other = (await accept(store, (1, "c"), peer=BOB)).messages
            assert [message.position for message in (*first, *other)] == [1, 2, 3]
            await consume(store, 1, 2)
            await consume(store, 3, peer=BOB)
        async with self.opened(place) as store:
            await store.forget_peer(BOB)
            (message,) = (await accept(store, (3, "d"))).messages
            assert message.position > 3

    async def test_what_has_expired_is_counted_but_not_kept(self, place: Path) -> None:
        async with self.opened(place) as store:
            await accept(store, arrived(1, "kept", key="k"))
            assert await new(
                store,
                arrived(2, "too late", expires_ms=RECEIVED_MS, key="k"),
                arrived(3, "in time", expires_ms=RECEIVED_MS + 1),
            ) == [3]
            assert await inbox(store) == [(1, "kept"), (3, "in time")]
            assert (await record_of(store)).in_next == 4

    async def test_the_latest_value_of_a_key_replaces_what_the_application_was_not_given(
        self, place: Path
    ) -> None:
        async with self.opened(place) as store:
            await accept(store, arrived(1, "a", key="k"), arrived(2, "b", key="k", service="s"), (3, "c"))
            await accept(store, arrived(1, "d", key="k"), peer=BOB)
            kept = await accept(
                store, arrived(4, "ee", key="k"), arrived(5, "f", key="j"), arrived(6, "gg", key="k")
            )
            assert ([message.number for message in kept.messages], kept.removed) == ([5, 6], (1,))
            assert (kept.waiting, kept.waiting_bytes) == (4, 5)
            given = kept.messages[1].position
            kept = await accept(store, arrived(7, "h", key="k"), held=frozenset({given}))
            assert kept.removed == ()
            assert await inbox(store) == [(3, "c"), (5, "f"), (6, "gg"), (7, "h")]
            kept = await accept(store, arrived(8, "i", key="k"))
            assert len(kept.removed) == 2
            assert await inbox(store, service="s") == [(2, "b")]
            assert await inbox(store, BOB) == [(1, "d")]
        async with self.opened(place) as store:
            record = await record_of(store)
            assert (record.in_waiting, record.in_waiting_bytes) == (4, 4)

    async def test_consuming_removes_exactly_those_messages(self, place: Path) -> None:
        async with self.opened(place) as store:
            await accept(store, *((number, f"{number}") for number in range(1, 9)))
            await accept(store, (1, "another contact's"), peer=BOB)
            assert await consume(store, 2, 3, 6, 6, 9, -1, 2**70) == stored.Waiting({"chat": 1}, 5, 5)
            assert await consume(store, 1, 2) == stored.Waiting({"chat": 4}, 4, 4)
            assert [number for number, _ in await inbox(store)] == [4, 5, 7, 8]
            assert await inbox(store, BOB) == [(1, "another contact's")]
        async with self.opened(place) as store:
            record = await record_of(store)
            assert (record.in_waiting, record.in_waiting_bytes, record.in_next) == (4, 4, 9)

    async def test_many_can_be_accepted_and_consumed_at_a_time(self, place: Path) -> None:
        async with self.opened(place) as store:
            kept = await accept(store, *((number, f"text {number}") for number in range(1, 1001)))
            positions = [message.position for message in kept.messages]
            assert (await consume(store, *positions[::2])).first == {"chat": 2}
            assert len(await inbox(store)) == 500
            assert await consume(store, *positions[:600]) == stored.Waiting(
                {"chat": 602}, 200, sum(len(f"text {number}") for number in range(602, 1001, 2))
            )

    async def test_what_waits_is_told_by_service_and_epoch(self, place: Path) -> None:
        async with self.opened(place) as store:
            await accept(store, arrived(1, "a", service="a"), arrived(2, "b", service="b.c"), (3, "c"))
            await accept(
                store, arrived(7, "d", service="b.c"), arrived(8, "e", service="b.c"), epoch=OTHER_EPOCH
            )
            told = await store.perform(ALICE, stored.ReadWaiting(EPOCH))
            assert told == stored.Waiting({"a": 1, "b.c": 2, "chat": 3}, 5, 5)
            told = await store.perform(ALICE, stored.ReadWaiting(OTHER_EPOCH))
            assert told == stored.Waiting({"a": 0, "b.c": 7, "chat": 0}, 5, 5)
            consumed = await consume(store, 4, services="b.c a never", epoch=OTHER_EPOCH)
            assert consumed == stored.Waiting({"b.c": 8, "a": 0, "never": 0}, 4, 4)

    async def test_the_inbox_is_read_in_pages_by_service(self, place: Path) -> None:
        async with self.opened(place) as store:
            await accept(store, *(arrived(n, "x" * 10, service="ab"[n % 2]) for n in range(1, 21)))
            await accept(store, arrived(1, "y", service="a"), peer=BOB)
            page = await store.read_inbox(ALICE, "a", after=0, limit=3, most_bytes=1000)
            assert [message.number for message in page] == [2, 4, 6]
            page = await store.read_inbox(ALICE, "a", after=page[-1].position, limit=100, most_bytes=40)
            assert [message.number for message in page] == [8, 10, 12, 14]
            page = await store.read_inbox(ALICE, "a", after=page[-1].position, limit=100, most_bytes=1)
            assert [message.number for message in page] == [16]
            assert await store.read_inbox(ALICE, "c", after=0, limit=9, most_bytes=9) == []
            assert await store.read_inbox(ALICE, "a", after=0, limit=0, most_bytes=9) == []
            assert await store.read_inbox(ALICE, "a", after=2**70, limit=9, most_bytes=9) == []
