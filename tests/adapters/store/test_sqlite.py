"""The database: the contract of every store, group commit, migrations."""

from __future__ import annotations

import asyncio
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.adapters.message_store_contract import InboxContract, OutboxContract
from tests.adapters.restored_store_contract import RestoredStoreContract
from tests.adapters.spool_contract import SpoolContract
from tests.adapters.store_calls import EPOCH, accept, arrived, draft, inbox, queued, received
from tests.adapters.store_calls import append as append_all
from tests.adapters.store_contract import StoreContract

from p4.adapters.store import commits, relations
from p4.adapters.store.relations import Relations
from p4.adapters.store.sqlite import SqliteStore
from p4.core import limits
from p4.core.identity import PeerId
from p4.core.replay import ReplayWindow
from p4.core.session.messages.stored import (
    AcceptInbox,
    AcknowledgeOutbox,
    ConsumeInbox,
    DropOutbox,
    Quota,
    ReadOutbox,
    ReadWaiting,
    RenewOutbox,
)
from p4.errors import StateError
from p4.ports import Store

ALICE, BOB = PeerId("a" * 24), PeerId("b" * 24)


class TestSqliteStore(StoreContract, OutboxContract, InboxContract, RestoredStoreContract, SpoolContract):
    """The shared suite on a real file; a lost process leaves its log unfolded behind."""

    @pytest.fixture(autouse=True)
    async def _lost(self) -> AsyncIterator[None]:
        self.lost: list[Store] = []
        yield
        for store in self.lost:
            await store.close()

    def make_store(self, place: Path) -> SqliteStore:
        return SqliteStore(place / "p4.sqlite3")

    async def abandon(self, store: Store) -> None:
        self.lost.append(store)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "p4.sqlite3")
    await opened.open()
    yield opened
    await opened.close()


async def append(store: SqliteStore, text: str = "text") -> int:
    return (await append_all(store, text)).first


async def pragma(store: SqliteStore, name: str) -> object:
    # Not in a transaction, where some of them mean nothing.
    (row,) = await store._read(lambda relations: relations.connection.execute(f"PRAGMA {name}").fetchall())
    return row[0]


@pytest.mark.parametrize(
    ("name", "value"),
    # synchronous 2 is FULL: sqlite.org/pragma.html#pragma_synchronous
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("fullfsync", 1)],
)
async def test_settings_that_durability_hangs_on(store: SqliteStore, name: str, value: object) -> None:
    assert await pragma(store, name) == value


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mode bits")
async def test_the_database_and_its_log_are_private(store: SqliteStore, tmp_path: Path) -> None:
    await append(store)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("p4.sqlite3", "p4.sqlite3-wal", "p4.sqlite3-shm"), 0o600)


async def test_callers_that_wait_together_share_a_transaction(store: SqliteStore) -> None:
    statements: list[str] = []
    await store._read(lambda relations: relations.connection.set_trace_callback(statements.append))
    numbers = await asyncio.gather(*(append(store) for _ in range(64)))
    assert numbers == list(range(1, 65))
    # The first of them may be on its way before the others arrive.
    assert 1 <= statements.count("COMMIT") <= 4


async def commits_of_a_dialogue(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> int:
    """Transactions for ten messages, each acknowledged before the next one, with patience without end."""
    monkeypatch.setattr(commits, "PATIENCE_SECONDS", 1000.0)
    statements: list[str] = []
    await store._read(lambda relations: relations.connection.set_trace_callback(statements.append))
    acknowledged: list[asyncio.Task[object]] = []
    for number in range(1, 11):
        assert await append(store) == number
        acknowledged.append(asyncio.create_task(store.perform(ALICE, AcknowledgeOutbox(number))))
        await asyncio.sleep(0.02)  # in which an impatient one would be written
    assert [one.done() for one in acknowledged] == [True] * 9 + [False]
    await store.close()  # and that waits for nothing
    await acknowledged[-1]
    return statements.count("COMMIT")


async def test_what_nobody_waits_for_goes_with_the_next_write(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await commits_of_a_dialogue(store, monkeypatch) == 11


async def test_what_nobody_waits_for_does_not_wait_for_ever(store: SqliteStore) -> None:
    for number in range(1, 4):
        await append(store)
        async with asyncio.timeout(10):
            await store.perform(ALICE, AcknowledgeOutbox(number))
    # The timer of one that went with another finds nothing to do, and does no harm.
    late = asyncio.create_task(store.perform(ALICE, AcknowledgeOutbox(4)))
    await append(store)
    await late
    await asyncio.sleep(2 * commits.PATIENCE_SECONDS)
    assert await append(store) == 5


async def test_a_write_of_its_own_for_each_acknowledgement_is_caught(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = commits.CommitThread.submit
    monkeypatch.setattr(
        commits.CommitThread,
        "submit",
        lambda self, run, *, writes, size=0, patient=False: whole(self, run, writes=writes, size=size),
    )
    with pytest.raises(AssertionError):
        assert await commits_of_a_dialogue(store, monkeypatch) == 11


async def test_one_bad_operation_does_not_harm_its_neighbours(store: SqliteStore) -> None:
    def breaks_a_constraint(relations: Relations) -> None:
        relations.get(PeerId("half done"))
        relations.connection.execute("INSERT INTO replay VALUES (12345, 1, x'00')")
        relations.connection.execute("INSERT INTO replay VALUES (12345, 1, x'00')")

    def breaks_itself(relations: Relations) -> None:
        relation = relations.get(ALICE)
        relation.out_next += 1000
        relations.changed(relation)
        raise LookupError("a bug of ours")

    results = await asyncio.gather(
        append(store, "before"),
        store._write(breaks_a_constraint),
        append(store, "between"),
        store._write(breaks_itself),
        append(store, "after"),
        return_exceptions=True,
    )
    assert isinstance(results[1], StateError)
    assert isinstance(results[3], LookupError)
    assert (results[0], results[2], results[4]) == (1, 2, 3)
    assert await queued(store) == [(1, "before"), (2, "between"), (3, "after")]
    assert set(await store.load_peers()) == {ALICE}


async def test_an_operation_that_is_refused_costs_its_neighbours_no_second_run(store: SqliteStore) -> None:
    """The quota is known before the first change."""
    await append(store)
    statements: list[str] = []
    await store._read(lambda relations: relations.connection.set_trace_callback(statements.append))
    results = await asyncio.gather(
        append(store, "a"),
        append_all(store, draft("b", key="k"), quota=Quota(1, 1)),
        append(store, "c"),
        return_exceptions=True,
    )
    assert [isinstance(result, StateError) for result in results] == [False, True, False]
    assert not any(statement.startswith(("SAVEPOINT", "ROLLBACK")) for statement in statements)


async def test_a_transaction_of_large_bodies_is_cut_short(store: SqliteStore) -> None:
    statements: list[str] = []
    await store._read(lambda relations: relations.connection.set_trace_callback(statements.append))
    await asyncio.gather(*(append(store, "x" * 4 * 1024 * 1024) for _ in range(12)))
    assert statements.count("COMMIT") >= 3


async def test_records_are_loaded_with_few_statements(store: SqliteStore) -> None:
    for number in range(30):
        await append_all(store, "a", peer=PeerId(f"{number:024x}"))
    statements: list[str] = []
    await store._read(lambda relations: relations.connection.set_trace_callback(statements.append))
    assert len(await store.load_peers()) == 30
    assert len(statements) == 3


async def test_many_messages_are_few_statements(store: SqliteStore) -> None:
    """What `p4.adapters.store.rows` is for."""
    await append(store)
    await accept(store, (1, "x"))
    statements: list[str] = []
    await store._read(lambda relations: relations.connection.set_trace_callback(statements.append))
    await append_all(store, *(str(number) for number in range(512)))
    kept = await accept(store, *((number, "x") for number in range(2, 514)))
    await store.perform(ALICE, AcknowledgeOutbox(500))
    positions = tuple(message.position for message in kept.messages)
    await store.perform(ALICE, ConsumeInbox(positions, frozenset({"chat"}), EPOCH))
    # A beginning, the work, the counters of the contact, an end.
    assert len(statements) <= 5 + 5 + 5 + 6, statements


async def test_cancelled_callers_leave_no_hole_and_no_hang(store: SqliteStore) -> None:
    tasks = [asyncio.create_task(append(store, str(index))) for index in range(50)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(result, asyncio.CancelledError) for result in results) == 25
    assert await queued(store) == [(number, str(number - 1)) for number in range(1, 51)]


async def test_after_close_every_call_is_refused_and_close_may_be_repeated(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "p4.sqlite3")
    with pytest.raises(StateError) as caught:
        await append(store)
    assert caught.value.code == "closed"
    await store.close()
    await store.open()
    await append(store)
    await asyncio.gather(store.close(), store.close())
    with pytest.raises(StateError) as caught:
        await append(store)
    assert caught.value.code == "closed"
    assert [path.name for path in tmp_path.iterdir()] == ["p4.sqlite3"]


@pytest.mark.parametrize("number", [0, -1, 2**53, 2**70])
async def test_numbers_that_no_frame_can_carry_are_refused(store: SqliteStore, number: int) -> None:
    for messages, through in (([(1, "a"), (number, "b")], 9), ([(1, "a")], number)):
        with pytest.raises(ValueError, match="out of range"):
            await store.perform(ALICE, AcceptInbox(EPOCH, received(*messages), through, 1, frozenset()))
    assert await inbox(store) == []


async def test_the_largest_number_is_accepted(store: SqliteStore) -> None:
    largest = limits.SAFE_INTEGER
    assert len((await accept(store, (largest, "a"))).messages) == 1
    assert (await store.load_peers())[ALICE].in_next == largest + 1


async def test_many_contacts_are_remembered_no_longer_than_memory_allows(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relations, "_MOST_REMEMBERED", 3)
    peers = [PeerId(f"{number:024x}") for number in range(20)]
    for _ in range(2):
        await asyncio.gather(*(append_all(store, "a", peer=peer) for peer in peers))
    found = await store._read(lambda relations: len(relations._known))
    assert found <= 3
    assert [record.out_next for record in (await store.load_peers()).values()] == [3] * 20


async def test_a_full_replay_window_is_written_by_its_difference(store: SqliteStore) -> None:
    window = ReplayWindow(entries=tuple((number, number.to_bytes(16)) for number in range(1, 4097)))
    await store.save_replay(ALICE, window)
    changes = await store._read(lambda relations: relations.connection.total_changes)
    window = window.accept(bytes(16), 5000)
    await store.save_replay(ALICE, window)
    assert await store._read(lambda relations: relations.connection.total_changes) - changes <= 5
    assert await store.load_replay(ALICE) == window


@pytest.fixture
async def crowded(store: SqliteStore) -> SqliteStore:
    """A hundred thousand messages wait on both sides, every tenth with a key."""
    numbers = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000) "
    key = "iif(n % 10, '', 'key ' || n)"

    def fill(relations: Relations) -> None:
        relations.connection.execute(
            "INSERT INTO relation (peer_id, out_epoch, out_next, out_waiting, out_bytes, in_epoch, in_next, "
            "in_waiting, in_waiting_bytes) "
            "VALUES (?1, ?2, 100001, 100000, 100000, ?2, 100001, 100000, 100000)",
            (ALICE, EPOCH),
        )
        relations.connection.execute(
            f"{numbers} INSERT INTO outbox "  # noqa: S608 - our own words
            f"SELECT 1, n, 'chat', 1, x'61', {key}, 0, 0 FROM numbers"
        )
        relations.connection.execute(
            f"{numbers} INSERT INTO inbox "  # noqa: S608 - our own words
            f"SELECT n, 1, ?, n, iif(n % 2, 'chat', 'files'), 1, x'61', {key}, 0, 0, 0 FROM numbers",
            (EPOCH,),
        )

    await store._write(fill)
    return store


async def test_no_operation_walks_over_all_that_waits(crowded: SqliteStore) -> None:
    store, steps = crowded, 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    await store._read(lambda relations: relations.connection.set_progress_handler(count, 1000))
    found = await store.perform(ALICE, ReadOutbox(99_000, 3, 100))
    assert [message.number for message in found] == [99_001, 99_002, 99_003]
    assert await append(store) == 100_001
    assert (await append_all(store, draft("new", key="key 50000"))).removed == (50_000,)
    await store.perform(ALICE, AcknowledgeOutbox(1))
    await store.perform(ALICE, DropOutbox((3, 4, 500, 99_999)))
    assert (await store.load_peers())[ALICE].out_first == 2
    kept = await accept(store, arrived(100_001, "new", key="key 50000", service="files"))
    assert kept.removed == (50_000,)
    page = await store.read_inbox(ALICE, "files", after=90_000, limit=3, most_bytes=100)
    assert [message.number for message in page] == [90_002, 90_004, 90_006]
    consumed = await store.perform(ALICE, ConsumeInbox((1, 2, 777), frozenset({"chat", "files"}), EPOCH))
    assert consumed.first == {"chat": 3, "files": 4}
    assert (await store.perform(ALICE, ReadWaiting(EPOCH))).first == consumed.first
    # Thousands of the machine's steps, not the hundreds of thousands that a walk over a table takes.
    assert steps <= 5


async def test_a_crowded_outbox_can_be_renewed(crowded: SqliteStore) -> None:
    await crowded.perform(ALICE, AcknowledgeOutbox(3))
    await crowded.perform(ALICE, DropOutbox((7,)))
    record = await crowded.perform(ALICE, RenewOutbox(bytes(16), b""))
    assert (record.out_next, record.out_offered, record.out_waiting) == (99_998, 1, 99_996)
    found = await crowded.perform(ALICE, ReadOutbox(2, 99_999, 10_000_000))
    assert [message.number for message in found] == [3, *range(5, 99_998)]
