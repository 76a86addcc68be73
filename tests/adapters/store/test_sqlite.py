"""The database: the contract of every store, group commit, migrations."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.message_store_contract import InboxContract, OutboxContract
from tests.adapters.restored_store_contract import RestoredStoreContract
from tests.adapters.spool_contract import SpoolContract
from tests.adapters.store_contract import StoreContract

from p4.adapters.store import database, schema
from p4.adapters.store.sqlite import SqliteStore
from p4.core import limits
from p4.core.identity import PeerId
from p4.core.replay import ReplayWindow
from p4.core.session.messages.stored import InboxMessage, OutboxMessage
from p4.errors import InputError, StateError
from p4.ports import PeerRecord, Store

ALICE = PeerId("a" * 24)
EPOCH = bytes(range(16))
FIXTURES = Path(__file__).parent / "fixtures"


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
    return await store.append_outbox(ALICE, text, now_ms=1, new_epoch=EPOCH)


async def pragma(store: SqliteStore, name: str) -> object:
    return await store._read(lambda connection: connection.execute(f"PRAGMA {name}").fetchone()[0])


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
    await store._read(lambda connection: connection.set_trace_callback(statements.append))
    numbers = await asyncio.gather(*(append(store) for _ in range(64)))
    commits = statements.count("COMMIT")
    assert numbers == list(range(1, 65))
    # The first of them may be on its way before the others arrive.
    assert 1 <= commits <= 4


async def test_one_bad_operation_does_not_harm_its_neighbours(store: SqliteStore) -> None:
    def breaks_a_constraint(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO relation (peer_id) VALUES ('half done')")
        connection.execute("INSERT INTO outbox VALUES (12345, 1, 'no such relation', 0)")
        connection.execute("INSERT INTO outbox VALUES (12345, 1, 'twice', 0)")

    def breaks_itself(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO relation (peer_id) VALUES ('half done')")
        raise LookupError("a bug of ours")

    results = await asyncio.gather(
        append(store, "before"),
        store._write(breaks_a_constraint),
        store._write(breaks_itself),
        append(store, "after"),
        return_exceptions=True,
    )
    assert isinstance(results[1], StateError)
    assert isinstance(results[2], LookupError)
    assert (results[0], results[3]) == (1, 2)
    assert [message.text for message in await store.read_outbox(ALICE, after=0, limit=9)] == [
        "before",
        "after",
    ]
    assert set(await store.load_peers()) == {ALICE}


async def test_cancelled_callers_leave_no_hole_and_no_hang(store: SqliteStore) -> None:
    tasks = [asyncio.create_task(append(store, str(index))) for index in range(50)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(result, asyncio.CancelledError) for result in results) == 25
    waiting = await store.read_outbox(ALICE, after=0, limit=100)
    assert [message.number for message in waiting] == list(range(1, len(waiting) + 1))
    assert {str(index) for index in range(1, 50, 2)} <= {message.text for message in waiting}


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


async def test_an_acknowledgement_of_numbers_never_given_moves_nothing(store: SqliteStore) -> None:
    await append(store)
    await store.acknowledge_outbox(ALICE, through=2**70)
    assert (await store.load_peers())[ALICE].out_next == 2
    assert await append(store) == 2
    await store.acknowledge_outbox(ALICE, through=-5)
    assert [message.number for message in await store.read_outbox(ALICE, after=-1, limit=2**70)] == [2]


@pytest.mark.parametrize("number", [0, -1, 2**53, 2**70])
async def test_numbers_that_no_frame_can_carry_are_refused(store: SqliteStore, number: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        await store.accept_inbox(ALICE, epoch=EPOCH, messages=[(1, "a"), (number, "b")], now_ms=1)
    assert await store.read_inbox() == []


async def test_the_largest_number_is_accepted(store: SqliteStore) -> None:
    largest = limits.SAFE_INTEGER
    assert len(await store.accept_inbox(ALICE, epoch=EPOCH, messages=[(largest, "a")], now_ms=1)) == 1
    assert (await store.load_peers())[ALICE].in_next == largest + 1


async def test_a_text_without_encoding_is_refused(store: SqliteStore) -> None:
    with pytest.raises(InputError) as caught:
        await append(store, "half \ud800")
    assert caught.value.code == "not-unicode"
    assert await append(store) == 1


async def test_a_forgotten_epoch_that_comes_back_does_not_wait_twice(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RETIRED_EPOCHS", 0)
    other = bytes(16)
    await store.accept_inbox(ALICE, epoch=EPOCH, messages=[(1, "a"), (2, "b")], now_ms=1)
    await store.accept_inbox(ALICE, epoch=other, messages=[(1, "c")], now_ms=1)
    again = await store.accept_inbox(ALICE, epoch=EPOCH, messages=[(2, "b"), (3, "d")], now_ms=1)
    assert [message.number for message in again] == [3]
    assert [message.text for message in await store.read_inbox()] == ["a", "b", "c", "d"]


async def test_a_full_replay_window_is_written_by_its_difference(store: SqliteStore) -> None:
    window = ReplayWindow(entries=tuple((number, number.to_bytes(16)) for number in range(1, 4097)))
    await store.save_replay(ALICE, window)
    changes = await store._read(lambda connection: connection.total_changes)
    window = window.accept(bytes(16), 5000)
    await store.save_replay(ALICE, window)
    assert await store._read(lambda connection: connection.total_changes) - changes <= 5
    assert await store.load_replay(ALICE) == window


async def test_a_long_outbox_is_read_in_stretches(store: SqliteStore) -> None:
    """A hundred thousand messages wait; what is asked for is what is read, and the limit holds."""

    def fill(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO relation (peer_id, out_next) VALUES (?, 100001)", (ALICE,))
        connection.execute(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000) "
            "INSERT INTO outbox SELECT 1, n, 'message ' || n, 0 FROM numbers"
        )

    await store._write(fill)
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    await store._read(lambda connection: connection.set_progress_handler(count, 1000))
    assert [message.number for message in await store.read_outbox(ALICE, after=99_000, limit=3)] == [
        99_001,
        99_002,
        99_003,
    ]
    with pytest.raises(StateError) as caught:
        await append(store)
    assert caught.value.code == "outbox-full"
    await store.acknowledge_outbox(ALICE, through=1)
    assert await append(store) == 100_001
    # Thousands of the machine's steps, not the hundreds of thousands that a walk over the table takes.
    assert steps <= 3
    record = await store.renew_outbox(ALICE, new_epoch=bytes(16))
    assert (record.out_next, record.out_offered) == (100_001, 1)
    assert await store.read_outbox(ALICE, after=99_999, limit=3) == [
        OutboxMessage(100_000, "text", 1),
    ]


# --- versions ---------------------------------------------------------------------------------------------


def restore(path: Path, dump: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))
    path.chmod(0o600)


SINCE: dict[str, dict[str, Any]] = {
    # What was sent was not recorded: all of it may have been.
    "schema-1": {"out_offered": 4},
    "schema-2": {
        "out_offered": 3,
        "out_retired": (b"p" * 16,),
        "in_retired": ((b"j" * 16, 5), (b"h" * 16, 6)),
    },
}
"""What later forms know beyond the first, as each fixture has it."""


@pytest.mark.parametrize("dump", sorted(FIXTURES.glob("schema-*.sql")), ids=lambda dump: dump.stem)
async def test_a_database_of_every_released_version_opens_with_all_it_held(
    tmp_path: Path, dump: Path
) -> None:
    path = tmp_path / "p4.sqlite3"
    restore(path, dump)
    store = SqliteStore(path)
    await store.open()
    try:
        peers = await store.load_peers()
        assert peers == {
            ALICE: PeerRecord(2, b"o" * 16, 4, b"i" * 16, 8, 1_700_000_000_000, **SINCE[dump.stem]),
            PeerId("b" * 24): PeerRecord(protocol=1),
        }
        assert await store.read_outbox(ALICE, after=0, limit=9) == [
            OutboxMessage(2, "second", 20),
            OutboxMessage(3, "third ✓", 30),
        ]
        assert await store.read_inbox() == [InboxMessage(ALICE, b"i" * 16, 7, "seventh", 70)]
        assert await store.load_replay(ALICE) == ReplayWindow(
            floor_ms=100, entries=((110, b"1" * 16), (120, b"2" * 16))
        )
        assert await pragma(store, "user_version") == len(schema.MIGRATIONS)
    finally:
        await store.close()


def test_every_version_has_its_fixture() -> None:
    """A new migration needs a dump of the version before it, or upgrades go untested."""
    numbers = sorted(int(dump.stem.removeprefix("schema-")) for dump in FIXTURES.glob("schema-*.sql"))
    assert numbers == list(range(1, len(schema.MIGRATIONS) + 1))


SECOND = (
    "ALTER TABLE relation ADD COLUMN note TEXT NOT NULL DEFAULT 'new'",
    "CREATE INDEX i ON relation (note)",
)
BROKEN = (SECOND[0], "CREATE TABLE relation (already INTEGER)")


def columns(path: Path) -> tuple[int, list[str]]:
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        return version, [row[1] for row in connection.execute("PRAGMA table_info(relation)")]


def test_a_migration_happens_wholly_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "p4.sqlite3"
    restore(path, FIXTURES / "schema-1.sql")
    before = columns(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.Error):
            schema.migrate(connection, path, (*schema.MIGRATIONS[:1], BROKEN))
        assert columns(path) == before
        schema.migrate(connection, path, (*schema.MIGRATIONS[:1], SECOND))
        schema.migrate(connection, path, (*schema.MIGRATIONS[:1], SECOND))
    assert columns(path) == (2, [*before[1], "note"])


async def test_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "p4.sqlite3"
    restore(path, FIXTURES / "schema-1.sql")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")
    before = path.read_bytes()
    with pytest.raises(StateError, match=r"newer version of P4.*left as it is.*Update P4") as caught:
        await SqliteStore(path).open()
    assert caught.value.code == "newer-version"
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["p4.sqlite3"]


async def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "p4.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    path.chmod(0o600)
    before = path.read_bytes()
    with pytest.raises(StateError) as caught:
        await SqliteStore(path).open()
    assert caught.value.code == "not-ours"
    assert path.read_bytes() == before


async def test_an_old_sqlite_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(StateError, match=r"needs 3\.37\.0 or newer"):
        await SqliteStore(tmp_path / "p4.sqlite3").open()
    assert not list(tmp_path.iterdir())


def test_a_creation_that_was_killed_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    for name in (".p4.sqlite3.new", ".p4.sqlite3.new-wal", ".p4.sqlite3.new-shm"):
        (tmp_path / name).write_bytes(b"half")
    database.open_database(tmp_path / "p4.sqlite3").close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["p4.sqlite3"]
