"""What every `p4.ports.Store` must do: one suite, run against each implementation.

How to use it, in ``test_<your store>.py``::

    from tests.adapters.store_contract import StoreContract

    class TestMyStore(StoreContract):
        def make_store(self, place: Path) -> Store:
            return MyStore(place / "p4.sqlite3")      # not yet opened; same place, same memory

        async def abandon(self, store: Store) -> None:
            ...                                       # optional: lose the process without close()

``place`` is a fresh directory for each test. ``make_store`` is called again with the same place to see
what survived. Without ``abandon`` a store is closed before it is opened again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from p4.core import limits
from p4.core.identity import PeerId
from p4.core.replay import ReplayWindow
from p4.errors import StateError
from p4.ports import InboxMessage, OutboxMessage, PeerRecord, Store

ALICE = PeerId("a" * 24)
BOB = PeerId("b" * 24)
EPOCH = b"E" * 16
OTHER_EPOCH = b"F" * 16


class StoreContract:
    """Derive from it and give `make_store`."""

    def make_store(self, place: Path) -> Store:
        raise NotImplementedError

    async def abandon(self, store: Store) -> None:
        await store.close()

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        return tmp_path

    @asynccontextmanager
    async def opened(self, place: Path) -> AsyncIterator[Store]:
        store = self.make_store(place)
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    async def append(self, store: Store, text: str, peer: PeerId = ALICE, *, epoch: bytes = EPOCH) -> int:
        return await store.append_outbox(peer, text, now_ms=1_000, new_epoch=epoch)

    async def accept(
        self, store: Store, *messages: tuple[int, str], peer: PeerId = ALICE, epoch: bytes = EPOCH
    ) -> list[int]:
        new = await store.accept_inbox(peer, epoch=epoch, messages=messages, now_ms=2_000)
        return [message.number for message in new]

    async def queued(self, store: Store, peer: PeerId = ALICE) -> list[tuple[int, str]]:
        messages = await store.read_outbox(peer, after=0, limit=1_000_000)
        return [(message.number, message.text) for message in messages]

    # --- an empty store -------------------------------------------------------------------------------

    async def test_a_new_store_is_empty(self, place: Path) -> None:
        async with self.opened(place) as store:
            assert await store.load_peers() == {}
            assert await store.load_replay(ALICE) == ReplayWindow()
            assert await store.read_outbox(ALICE, after=0, limit=10) == []
            assert await store.read_inbox() == []

    async def test_what_is_not_there_can_be_forgotten_acknowledged_and_consumed(self, place: Path) -> None:
        async with self.opened(place) as store:
            await store.forget_peer(ALICE)
            await store.acknowledge_outbox(ALICE, through=7)
            await store.consume_inbox(InboxMessage(ALICE, EPOCH, 1, "x", 0))
            assert await store.read_inbox() == []

    # --- peers ------------------------------------------------------------------------------------------

    async def test_saving_a_peer_leaves_numbers_and_epochs_alone(self, place: Path) -> None:
        async with self.opened(place) as store:
            await self.append(store, "one")
            await self.accept(store, (1, "x"))
            stale = PeerRecord(2, OTHER_EPOCH, 99, OTHER_EPOCH, 99, 123)
            await store.save_peer(ALICE, stale)
            assert (await store.load_peers())[ALICE] == PeerRecord(2, EPOCH, 2, EPOCH, 2, 123)

    async def test_a_saved_peer_is_there_after_reopening(self, place: Path) -> None:
        async with self.opened(place) as store:
            await store.save_peer(ALICE, PeerRecord(protocol=1, last_seen_ms=2**52))
        async with self.opened(place) as store:
            assert await store.load_peers() == {ALICE: PeerRecord(protocol=1, last_seen_ms=2**52)}

    async def test_forgetting_a_peer_removes_everything_of_it_and_nothing_else(self, place: Path) -> None:
        async with self.opened(place) as store:
            for peer in (ALICE, BOB):
                await store.save_peer(peer, PeerRecord(protocol=2))
                await store.save_replay(peer, ReplayWindow(floor_ms=5, entries=()))
                await self.append(store, "out", peer)
                await self.accept(store, (1, "in"), peer=peer)
            await store.forget_peer(ALICE)
        async with self.opened(place) as store:
            assert set(await store.load_peers()) == {BOB}
            assert await store.load_replay(ALICE) == ReplayWindow()
            assert await self.queued(store, ALICE) == []
            assert [message.peer_id for message in await store.read_inbox()] == [BOB]
            assert await self.queued(store, BOB) == [(1, "out")]
            assert await store.load_replay(BOB) == ReplayWindow(floor_ms=5, entries=())
            # A contact that comes back begins anew, with the new epoch.
            assert await self.append(store, "again", ALICE, epoch=OTHER_EPOCH) == 1
            assert (await store.load_peers())[ALICE].out_epoch == OTHER_EPOCH

    # --- replay -----------------------------------------------------------------------------------------

    async def test_the_replay_window_survives_as_it_was(self, place: Path) -> None:
        entries = tuple((1_000 + number, bytes([number]) * 16) for number in range(50))
        window = ReplayWindow(floor_ms=900, entries=entries)
        async with self.opened(place) as store:
            await store.save_replay(ALICE, ReplayWindow(floor_ms=1, entries=((2, b"old" * 4),)))
            await store.save_replay(ALICE, window)
            await store.save_replay(BOB, ReplayWindow(floor_ms=3, entries=()))
        async with self.opened(place) as store:
            assert await store.load_replay(ALICE) == window
            assert await store.load_replay(BOB) == ReplayWindow(floor_ms=3, entries=())

    # --- outbox -----------------------------------------------------------------------------------------

    async def test_numbers_count_from_one_for_each_contact(self, place: Path) -> None:
        async with self.opened(place) as store:
            assert [await self.append(store, "a"), await self.append(store, "b")] == [1, 2]
            assert await self.append(store, "c", BOB) == 1
            assert await store.read_outbox(ALICE, after=0, limit=10) == [
                OutboxMessage(1, "a", 1_000),
                OutboxMessage(2, "b", 1_000),
            ]

    async def test_the_epoch_is_chosen_once(self, place: Path) -> None:
        async with self.opened(place) as store:
            await self.append(store, "a", epoch=EPOCH)
        async with self.opened(place) as store:
            await self.append(store, "b", epoch=OTHER_EPOCH)
            record = (await store.load_peers())[ALICE]
            assert (record.out_epoch, record.out_next) == (EPOCH, 3)

    async def test_reading_starts_after_a_number_and_stops_at_the_limit(self, place: Path) -> None:
        async with self.opened(place) as store:
            for number in range(1, 8):
                await self.append(store, f"text {number}")
            found = await store.read_outbox(ALICE, after=2, limit=3)
            assert [message.number for message in found] == [3, 4, 5]

    async def test_acknowledged_messages_are_gone_and_their_numbers_are_never_used_again(
        self, place: Path
    ) -> None:
        async with self.opened(place) as store:
            for text in "abc":
                await self.append(store, text)
            await store.acknowledge_outbox(ALICE, through=2)
            assert await self.queued(store) == [(3, "c")]
            await store.acknowledge_outbox(ALICE, through=1)  # a late, lower one changes nothing
            assert await self.queued(store) == [(3, "c")]
            await store.acknowledge_outbox(ALICE, through=3)
        async with self.opened(place) as store:
            assert await self.queued(store) == []
            assert await self.append(store, "d") == 4

    async def test_acknowledging_one_contact_leaves_the_other(self, place: Path) -> None:
        async with self.opened(place) as store:
            await self.append(store, "a", ALICE)
            await self.append(store, "b", BOB)
            await store.acknowledge_outbox(ALICE, through=1)
            assert await self.queued(store, BOB) == [(1, "b")]

    async def test_concurrent_appends_get_different_numbers_in_the_order_of_the_calls(
        self, place: Path
    ) -> None:
        async with self.opened(place) as store:
            numbers = await asyncio.gather(*(self.append(store, f"text {i}") for i in range(100)))
            assert numbers == list(range(1, 101))
            assert await self.queued(store) == [(i + 1, f"text {i}") for i in range(100)]

    async def test_a_full_outbox_refuses_and_keeps_what_it_has(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "OUTBOX_MESSAGES", 3)
        async with self.opened(place) as store:
            for text in "abc":
                await self.append(store, text)
            with pytest.raises(StateError) as refusal:
                await self.append(store, "d")
            assert refusal.value.code == "outbox-full"
            assert await self.append(store, "for another contact", BOB) == 1
            await store.acknowledge_outbox(ALICE, through=1)
            assert await self.append(store, "d") == 4
            assert await self.queued(store) == [(2, "b"), (3, "c"), (4, "d")]

    @pytest.mark.parametrize("text", ["", "\0", "\ud7ff😀 ‮", "'; DROP TABLE outbox; --", "x" * 32_768])
    async def test_texts_come_back_unchanged(self, place: Path, text: str) -> None:
        async with self.opened(place) as store:
            await self.append(store, text)
            await self.accept(store, (1, text))
        async with self.opened(place) as store:
            assert await self.queued(store) == [(1, text)]
            assert [message.text for message in await store.read_inbox()] == [text]

    # --- inbox ------------------------------------------------------------------------------------------

    async def test_each_message_is_kept_once(self, place: Path) -> None:
        async with self.opened(place) as store:
            assert await self.accept(store, (1, "a"), (2, "b")) == [1, 2]
            assert await self.accept(store, (1, "a"), (2, "b"), (3, "c")) == [3]
            assert await self.accept(store, (3, "c")) == []
            kept = await store.read_inbox()
            assert kept == [
                InboxMessage(ALICE, EPOCH, number, text, 2_000)
                for number, text in ((1, "a"), (2, "b"), (3, "c"))
            ]

    async def test_a_duplicate_inside_one_call_is_dropped(self, place: Path) -> None:
        async with self.opened(place) as store:
            assert await self.accept(store, (1, "a"), (1, "a"), (2, "b")) == [1, 2]

    async def test_duplicates_are_known_after_reopening_and_after_consuming(self, place: Path) -> None:
        async with self.opened(place) as store:
            await self.accept(store, (1, "a"))
            (message,) = await store.read_inbox()
            await store.consume_inbox(message)
        async with self.opened(place) as store:
            assert await store.read_inbox() == []
            assert await self.accept(store, (1, "a")) == []
            assert await store.read_inbox() == []
            assert (await store.load_peers())[ALICE].in_next == 2

    async def test_a_gap_is_accepted_and_moves_the_expected_number(self, place: Path) -> None:
        async with self.opened(place) as store:
            assert await self.accept(store, (5, "e")) == [5]
            assert await self.accept(store, (4, "d"), (6, "f")) == [6]
            assert (await store.load_peers())[ALICE].in_next == 7

    async def test_a_new_epoch_counts_anew(self, place: Path) -> None:
        async with self.opened(place) as store:
            await self.accept(store, (1, "a"), (2, "b"))
            assert await self.accept(store, (1, "first of the new"), epoch=OTHER_EPOCH) == [1]
            record = (await store.load_peers())[ALICE]
            assert (record.in_epoch, record.in_next) == (OTHER_EPOCH, 2)
            assert [message.text for message in await store.read_inbox()] == ["a", "b", "first of the new"]

    async def test_consuming_removes_exactly_that_message(self, place: Path) -> None:
        async with self.opened(place) as store:
            await self.accept(store, (1, "a"), epoch=EPOCH)
            await self.accept(store, (1, "b"), epoch=OTHER_EPOCH)
            await self.accept(store, (1, "c"), peer=BOB)
            await store.consume_inbox((await store.read_inbox())[1])
            assert [message.text for message in await store.read_inbox()] == ["a", "c"]

    async def test_accepting_nothing_changes_nothing(self, place: Path) -> None:
        async with self.opened(place) as store:
            await self.accept(store, (1, "a"))
            before = await store.load_peers()
            assert await self.accept(store, epoch=EPOCH) == []
            assert await store.load_peers() == before

    # --- durability -------------------------------------------------------------------------------------

    async def test_what_has_returned_survives_the_loss_of_the_process(self, place: Path) -> None:
        store = self.make_store(place)
        await store.open()
        number = await self.append(store, "kept")
        await self.accept(store, (1, "received"))
        await store.save_replay(BOB, ReplayWindow(floor_ms=9, entries=()))
        await self.abandon(store)
        async with self.opened(place) as reopened:
            assert await self.queued(reopened) == [(number, "kept")]
            assert [message.text for message in await reopened.read_inbox()] == ["received"]
            assert await reopened.load_replay(BOB) == ReplayWindow(floor_ms=9, entries=())

    async def test_closing_finishes_what_is_queued(self, place: Path) -> None:
        store = self.make_store(place)
        await store.open()
        appends = [asyncio.create_task(self.append(store, f"text {i}")) for i in range(20)]
        await asyncio.sleep(0)
        await store.close()
        assert await asyncio.gather(*appends) == list(range(1, 21))
        async with self.opened(place) as reopened:
            assert len(await self.queued(reopened)) == 20

    async def test_a_cancelled_caller_leaves_the_store_usable_and_whole(self, place: Path) -> None:
        async with self.opened(place) as store:
            cancelled = asyncio.create_task(self.append(store, "perhaps"))
            await asyncio.sleep(0)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            number = await self.append(store, "surely")
            # Kept or not, both are right; the same number for two messages is not.
            assert await self.queued(store) in (
                [(1, "surely")],
                [(1, "perhaps"), (2, "surely")],
            )
            assert number in (1, 2)
