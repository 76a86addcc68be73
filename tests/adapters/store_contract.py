"""What every `p4.ports.Store` must do: suites, run against each implementation.

How to use them, in ``test_<your store>.py``::

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
from tests.adapters.store_calls import (
    ALICE,
    BOB,
    EPOCH,
    OTHER_EPOCH,
    accept,
    append,
    drafts,
    inbox,
    queued,
    received,
)

from p4.core.replay import ReplayWindow
from p4.core.session.messages import stored
from p4.ports import PeerRecord, Store, StreamRecord

STREAM = StreamRecord(
    2**64 - 1,
    "files",
    "naïve \0 name",
    True,
    accepted=True,
    consumed=2**53 - 1,
    final=True,
    reset=5,
    reset_text="lost ✗",
    done=True,
    created_ms=20,
    floor=2**53 - 2,
    closed=True,
)


class StoreFixture:
    """What all suites need. Derive from one of them and give `make_store`."""

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


class StoreContract(StoreFixture):
    """Records of contacts and streams, replay windows, durability."""

    # --- an empty store -------------------------------------------------------------------------------

    async def test_a_new_store_is_empty(self, place: Path) -> None:
        async with self.opened(place) as store:
            assert await store.load_peers() == {}
            assert await store.load_streams() == {}
            assert await store.load_replay(ALICE) == ReplayWindow()
            assert await queued(store) == []
            assert await inbox(store) == []
            waiting = await store.perform(ALICE, stored.ReadWaiting(EPOCH))
            assert waiting == stored.Waiting({}, 0, 0)

    async def test_what_is_not_there_can_be_forgotten_acknowledged_and_consumed(self, place: Path) -> None:
        async with self.opened(place) as store:
            await store.forget_peer(ALICE)
            await store.forget_stream(ALICE, 1)
            for operation in (
                stored.AcknowledgeOutbox(7),
                stored.DropOutbox((1, 2)),
                stored.OfferOutbox(),
                stored.SkipInbox(EPOCH, 5),
            ):
                assert await store.perform(ALICE, operation) is None
            consumed = await store.perform(ALICE, stored.ConsumeInbox((1,), frozenset({"chat"}), EPOCH))
            assert consumed == stored.Waiting({"chat": 0}, 0, 0)
            assert await store.load_peers() == {}

    # --- peers ------------------------------------------------------------------------------------------

    async def test_saving_a_peer_leaves_everything_else_alone(self, place: Path) -> None:
        async with self.opened(place) as store:
            await append(store, "one")
            await accept(store, (1, "x"))
            await store.save_grants(ALICE, ("a.b", "*"))
            await store.save_reach(ALICE, "[1]")
            await store.save_policy(ALICE, "lan-only")
            await store.save_gate(ALICE, "{}")
            stale = PeerRecord(2, OTHER_EPOCH, 99, OTHER_EPOCH, 99, 123, out_waiting=9, grants=())
            await store.save_peer(ALICE, stale)
        async with self.opened(place) as store:
            assert (await store.load_peers())[ALICE] == PeerRecord(
                2,
                EPOCH,
                2,
                EPOCH,
                2,
                123,
                out_first=1,
                out_waiting=1,
                in_waiting=1,
                in_waiting_bytes=1,
                grants=("a.b", "*"),
                reach="[1]",
                policy="lan-only",
                gate="{}",
            )

    async def test_a_saved_peer_is_there_after_reopening(self, place: Path) -> None:
        async with self.opened(place) as store:
            await store.save_peer(ALICE, PeerRecord(protocol=1, last_seen_ms=2**52))
        async with self.opened(place) as store:
            assert await store.load_peers() == {ALICE: PeerRecord(protocol=1, last_seen_ms=2**52)}

    @pytest.mark.parametrize("grants", [(), ("*",), ("a", "b.c-d_e", "z.9")])
    async def test_grants_are_kept(self, place: Path, grants: tuple[str, ...]) -> None:
        async with self.opened(place) as store:
            await store.save_grants(ALICE, grants)
        async with self.opened(place) as store:
            assert await store.load_peers() == {ALICE: PeerRecord(grants=grants)}

    async def test_where_a_contact_is_reached_and_how_are_kept_apart(self, place: Path) -> None:
        reach = '{"v": "naïve \0 \\u0000 ✓"}' + "x" * 40_000
        async with self.opened(place) as store:
            await store.save_reach(ALICE, reach)
            await store.save_policy(BOB, "relay-only")
            await store.save_gate(BOB, '{"own_key_b64": "✓"}')
        async with self.opened(place) as store:
            assert await store.load_peers() == {
                ALICE: PeerRecord(reach=reach),
                BOB: PeerRecord(policy="relay-only", gate='{"own_key_b64": "✓"}'),
            }
            await store.save_reach(ALICE, "")
            await store.save_policy(ALICE, "lan-only")
            await store.save_policy(BOB, "direct")
            await store.save_gate(BOB, "")
        async with self.opened(place) as store:
            assert await store.load_peers() == {ALICE: PeerRecord(policy="lan-only"), BOB: PeerRecord()}

    async def test_forgetting_a_peer_removes_everything_of_it_and_nothing_else(self, place: Path) -> None:
        async with self.opened(place) as store:
            for peer in (ALICE, BOB):
                await store.save_peer(peer, PeerRecord(protocol=2))
                await store.save_grants(peer, ("files",))
                await store.save_reach(peer, "[]")
                await store.save_policy(peer, "lan-only")
                await store.save_gate(peer, "{}")
                await store.save_replay(peer, ReplayWindow(floor_ms=5, entries=()))
                await store.save_stream(peer, STREAM)
                await store.spool(peer, STREAM.id).append(b"bytes")
                await append(store, "out", peer=peer)
                await accept(store, (1, "in"), peer=peer)
            await store.forget_peer(ALICE)
            assert store.spool(ALICE, STREAM.id).end == 0
            assert store.spool(BOB, STREAM.id).end == 5
        async with self.opened(place) as store:
            assert set(await store.load_peers()) == {BOB}
            assert await store.load_streams() == {BOB: [STREAM]}
            assert await store.load_replay(ALICE) == ReplayWindow()
            assert await queued(store, ALICE) == []
            assert await inbox(store, ALICE) == []
            assert await inbox(store, BOB) == [(1, "in")]
            assert await queued(store, BOB) == [(1, "out")]
            assert await store.load_replay(BOB) == ReplayWindow(floor_ms=5, entries=())
            assert await store.spool(BOB, STREAM.id).read(0, 9) == b"bytes"
            # A contact that comes back begins anew, with the new epoch.
            assert (await append(store, "again", epoch=OTHER_EPOCH)).first == 1
            record = (await store.load_peers())[ALICE]
            assert (record.out_epoch, record.grants) == (OTHER_EPOCH, PeerRecord().grants)
            assert (record.reach, record.policy, record.gate) == ("", "direct", "")

    async def test_a_contact_that_comes_back_at_once_begins_anew(self, place: Path) -> None:
        async with self.opened(place) as store:
            await append(store, "a", "b")
            await accept(store, (1, "x"), (2, "y"))
            forgotten = store.forget_peer(ALICE)
            results = await asyncio.gather(
                forgotten, append(store, "c", epoch=OTHER_EPOCH), accept(store, (1, "z"))
            )
            assert results[1].first == 1
            assert [message.number for message in results[2].messages] == [1]
        async with self.opened(place) as store:
            assert await queued(store) == [(1, "c")]
            assert await inbox(store) == [(1, "z")]
            record = (await store.load_peers())[ALICE]
            assert (record.out_epoch, record.out_next, record.in_next) == (OTHER_EPOCH, 2, 2)

    # --- replay -----------------------------------------------------------------------------------------

    async def test_the_bytes_that_wait_are_known(self, place: Path) -> None:
        async with self.opened(place) as store:
            assert await store.outbox_bytes(ALICE) == 0
            await append(store, "x" * 6, "y" * 40, "")
            await append(store, "z" * 500, peer=BOB)
            assert await store.outbox_bytes(ALICE) == 46
            await store.perform(ALICE, stored.DropOutbox((2,)))
        async with self.opened(place) as store:
            assert await store.outbox_bytes(ALICE) == 6
            assert await store.outbox_bytes(BOB) == 500

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

    # --- streams ----------------------------------------------------------------------------------------

    async def test_records_of_streams_are_kept_replaced_and_forgotten(self, place: Path) -> None:
        earlier = StreamRecord(3, "chat", "", opened_here=False, created_ms=10)
        later = StreamRecord(1, "chat", "later", opened_here=False, created_ms=30)
        async with self.opened(place) as store:
            for record in (STREAM, later, earlier):
                await store.save_stream(ALICE, record)
            await store.save_stream(BOB, earlier)
        changed = StreamRecord(3, "chat", "", opened_here=False, accepted=True, consumed=7, created_ms=10)
        async with self.opened(place) as store:
            assert await store.load_streams() == {ALICE: [earlier, STREAM, later], BOB: [earlier]}
            await store.save_stream(ALICE, changed)
            await store.forget_stream(ALICE, STREAM.id)
            await store.forget_stream(BOB, earlier.id)
        async with self.opened(place) as store:
            assert await store.load_streams() == {ALICE: [changed, later]}

    # --- durability -------------------------------------------------------------------------------------

    async def test_what_has_returned_survives_the_loss_of_the_process(self, place: Path) -> None:
        store = self.make_store(place)
        await store.open()
        await append(store, "kept")
        await accept(store, (1, "received"))
        await store.save_replay(BOB, ReplayWindow(floor_ms=9, entries=()))
        await store.save_stream(BOB, STREAM)
        await store.spool(BOB, STREAM.id).append(b"written")
        await self.abandon(store)
        async with self.opened(place) as reopened:
            assert await queued(reopened) == [(1, "kept")]
            assert await inbox(reopened) == [(1, "received")]
            assert await reopened.load_replay(BOB) == ReplayWindow(floor_ms=9, entries=())
            assert await reopened.spool(BOB, STREAM.id).read(0, 9) == b"written"

    async def test_closing_finishes_what_is_queued(self, place: Path) -> None:
        store = self.make_store(place)
        await store.open()
        appends = [asyncio.create_task(append(store, f"text {i}")) for i in range(20)]
        await asyncio.sleep(0)
        await store.close()
        assert [result.first for result in await asyncio.gather(*appends)] == list(range(1, 21))
        async with self.opened(place) as reopened:
            assert len(await queued(reopened)) == 20

    async def test_a_cancelled_caller_leaves_its_operation_to_be_performed(self, place: Path) -> None:
        async with self.opened(place) as store:
            cancelled = asyncio.create_task(append(store, "whether or not anybody waits"))
            await asyncio.sleep(0)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            assert (await append(store, "surely")).first == 2
            assert await queued(store) == [(1, "whether or not anybody waits"), (2, "surely")]

    async def test_operations_are_performed_in_the_order_of_the_calls(self, place: Path) -> None:
        async with self.opened(place) as store:
            results = await asyncio.gather(
                append(store, "a", "b"),
                store.perform(ALICE, stored.AcknowledgeOutbox(1)),
                append(store, "c"),
                store.perform(ALICE, stored.ReadOutbox(0, 9, 9)),
                store.perform(ALICE, stored.DropOutbox((3,))),
                store.load_peers(),
                store.perform(ALICE, stored.RenewOutbox(OTHER_EPOCH, b"")),
                append(store, "d"),
                store.perform(ALICE, stored.AcceptInbox(EPOCH, received((1, "x")), 1, 5, frozenset())),
                store.perform(ALICE, stored.ReadWaiting(EPOCH)),
            )
            assert [result.first for result in (results[0], results[2], results[7])] == [1, 3, 3]
            assert [message.number for message in results[3]] == [2, 3]
            assert (results[5][ALICE].out_first, results[5][ALICE].out_next) == (2, 4)
            assert results[9] == stored.Waiting({"chat": 1}, 1, 1)
            # The dropped message leaves its hole in the renewed outbox, too.
            assert await queued(store) == [(1, "b"), (3, "d")]

    async def test_nothing_is_done_for_an_empty_call(self, place: Path) -> None:
        async with self.opened(place) as store:
            await append(store, "a")
            before = await store.load_peers()
            empty = stored.AppendOutbox(drafts(), OTHER_EPOCH, False, stored.Quota(0, 0))
            assert await store.perform(ALICE, empty) == stored.Appended(2, ())
            assert await store.perform(ALICE, stored.DropOutbox(())) is None
            assert await store.load_peers() == before
