"""Forms of the database: every earlier one opens with all it held, and a later one is left alone."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.store_calls import ALICE, BOB, EPOCH, accept, append, waiting

from p4.adapters.store import database, schema
from p4.adapters.store.sqlite import SqliteStore
from p4.core.identity import PeerId
from p4.core.replay import ReplayWindow
from p4.core.session.messages.stored import InboxMessage, OutboxMessage, ReadOutbox
from p4.errors import StateError
from p4.ports import PeerRecord, StreamRecord

FIXTURES = Path(__file__).parent / "fixtures"


async def run(store: SqliteStore, statement: str) -> list[tuple[Any, ...]]:
    return await store._read(lambda relations: relations.connection.execute(statement).fetchall())


def restore(path: Path, dump: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))
    path.chmod(0o600)


SINCE: dict[str, dict[str, Any]] = {
    # What was sent was not recorded: all of it may have been. What was confirmed shows in what waits.
    "schema-1": {"out_first": 2, "out_offered": 4},
    "schema-2": {
        "out_first": 2,
        "out_offered": 3,
        "out_retired": (b"p" * 16,),
        "in_retired": ((b"j" * 16, 5), (b"h" * 16, 6)),
    },
    "schema-3": {
        "out_first": 1,  # dropped, not confirmed
        "out_offered": 3,
        "out_retired": (b"p" * 16,),
        "in_retired": ((b"j" * 16, 5), (b"h" * 16, 6)),
        "grants": ("chat", "files"),
    },
    "schema-4": {
        "out_first": 1,
        "out_offered": 3,
        "out_retired": (b"p" * 16,),
        "in_retired": ((b"j" * 16, 5), (b"h" * 16, 6)),
        "grants": ("chat", "files"),
        "reach": '{"v":1}',
        "policy": "relay-only",
    },
    "schema-5": {
        "out_first": 1,
        "out_offered": 3,
        "out_retired": (b"p" * 16,),
        "in_retired": ((b"j" * 16, 5), (b"h" * 16, 6)),
        "grants": ("chat", "files"),
        "reach": '{"v":1}',
        "policy": "relay-only",
        "gate": '{"confirmed":"x"}',
    },
}
"""What later forms know beyond the first, as each fixture has it."""


UNFINISHED = StreamRecord(2**64 - 1, "files", "a file", opened_here=True, consumed=9, created_ms=5)
STREAMS = {
    "schema-3": [UNFINISHED],
    "schema-4": [UNFINISHED, replace(UNFINISHED, id=7, final=True, closed=True)],
    "schema-5": [UNFINISHED, replace(UNFINISHED, id=7, final=True, closed=True)],
}


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
            ALICE: PeerRecord(
                2,
                b"o" * 16,
                4,
                b"i" * 16,
                8,
                1_700_000_000_000,
                out_waiting=2,
                in_waiting=1,
                in_waiting_bytes=len(b'"seventh"'),
                **SINCE[dump.stem],
            ),
            PeerId("b" * 24): PeerRecord(protocol=1),
        }
        assert await store.perform(ALICE, ReadOutbox(0, 9, 1000)) == (
            OutboxMessage(2, "chat", 1, b'"second"', "", 20, 0),
            OutboxMessage(3, "chat", 1, '"third ✓"'.encode(), "", 30, 0),
        )
        assert await waiting(store) == [InboxMessage(5, b"i" * 16, 7, "chat", 1, b'"seventh"', "", 70, 70, 0)]
        assert await store.load_streams() == ({ALICE: STREAMS[dump.stem]} if dump.stem in STREAMS else {})
        assert await store.load_replay(ALICE) == ReplayWindow(
            floor_ms=100, entries=((110, b"1" * 16), (120, b"2" * 16))
        )
        assert await run(store, "PRAGMA user_version") == [(len(schema.MIGRATIONS),)]
    finally:
        await store.close()


TEXTS = [
    "",
    "\0 in the middle \0",
    'quotes " and \\ \n\t',
    "\ud7ff😀 \u2028",
    "'; DROP TABLE inbox; --",
    "x" * 32_768,
]


@pytest.mark.parametrize("version", [1, 2])
async def test_every_text_of_an_older_version_becomes_a_message(tmp_path: Path, version: int) -> None:
    path = tmp_path / "p4.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        schema.migrate(connection, path, schema.MIGRATIONS[:version])
        for number, peer in enumerate((ALICE, BOB), 1):
            connection.execute(
                "INSERT INTO relation (id, peer_id, out_epoch, out_next, in_epoch, in_next) "
                "VALUES (?, ?, ?, 107, ?, 7)",
                (number, peer, EPOCH, EPOCH),
            )
            for place, text in enumerate(TEXTS, 1):
                connection.execute("INSERT INTO outbox VALUES (?, ?, ?, 5)", (number, 100 + place, text))
                connection.execute(
                    "INSERT INTO inbox (relation, epoch, number, text, received_ms) VALUES (?, ?, ?, ?, 6)",
                    (number, EPOCH, place, text),
                )
        connection.execute("DELETE FROM inbox WHERE position > 9")
    path.chmod(0o600)
    store = SqliteStore(path)
    await store.open()
    try:
        for peer, kept in ((ALICE, TEXTS), (BOB, TEXTS[:3])):
            record = (await store.load_peers())[peer]
            found = await store.perform(peer, ReadOutbox(0, 99, 2**40))
            assert [json.loads(message.body) for message in found] == TEXTS
            assert [message.number for message in found] == list(range(101, 107))
            arrived_texts = await waiting(store, peer)
            assert [json.loads(message.body) for message in arrived_texts] == kept
            assert {(one.service, one.kind, one.key, one.expires_ms) for one in (*found, *arrived_texts)} == {
                ("chat", 1, "", 0)
            }
            assert (record.out_first, record.out_waiting, record.in_waiting) == (101, 6, len(kept))
            assert record.in_waiting_bytes == sum(len(message.body) for message in arrived_texts)
            assert record.grants == ("chat", "ping")
            assert record.out_offered == (107 if version == 1 else 1)
        # Positions of messages that are gone are not given again; numbers go on.
        (message,) = (await accept(store, (7, "new"))).messages
        assert message.position == 13
        assert (await accept(store, (6, "again"))).messages == ()
        assert (await append(store, "next")).first == 107
        assert (await run(store, "PRAGMA integrity_check")) == [("ok",)]
        assert (await run(store, "PRAGMA foreign_key_check")) == []
    finally:
        await store.close()


@pytest.mark.parametrize(
    ("opened_here", "final", "closed"), [(1, 1, True), (1, 0, False), (0, 1, False), (0, 0, False)]
)
async def test_nobody_comes_back_to_what_an_older_version_would_not_have_opened_again(
    tmp_path: Path, opened_here: int, final: int, closed: bool
) -> None:
    path = tmp_path / "p4.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        schema.migrate(connection, path, schema.MIGRATIONS[:3])
        connection.execute("INSERT INTO relation (id, peer_id) VALUES (1, ?)", (ALICE,))
        connection.execute(
            "INSERT INTO stream (relation, id, service, name, opened_here, accepted, consumed, final, reset, "
            "reset_text, done, created_ms, floor) VALUES (1, ?, 's', '', ?, 1, 0, ?, -1, '', 0, 0, -1)",
            (bytes(8), opened_here, final),
        )
    path.chmod(0o600)
    store = SqliteStore(path)
    await store.open()
    try:
        ((record,),) = (await store.load_streams()).values()
        assert record.closed is closed
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
