"""What the daemon's apps keep: together in one file, and each for itself."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from pathlib import Path

import pytest

from p4.apps.store import AppStore
from p4.errors import LocalError, StateError

NOTES = ["CREATE TABLE notes_texts (number INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT"]
SEEN = "ALTER TABLE notes_texts ADD COLUMN seen INTEGER NOT NULL DEFAULT 0"
LATER = [*NOTES, f"{SEEN}; CREATE INDEX notes_seen ON notes_texts (seen)"]


@pytest.fixture(params=["file", "memory"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "apps.db" if request.param == "file" else None


async def opened(path: Path | None) -> AppStore:
    store = AppStore(path)
    await store.open()
    return store


async def test_rows_are_there_after_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "apps.db"
    store = await opened(path)
    await store.migrate("notes", NOTES)
    assert await store.execute("INSERT INTO notes_texts (text) VALUES (?)", ("bread",)) == 1
    await store.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    store = await opened(path)
    await store.migrate("notes", LATER)
    rows = await store.query("SELECT text, seen FROM notes_texts")
    assert [(row["text"], row["seen"]) for row in rows] == [("bread", 0)]
    await store.migrate("notes", LATER)
    with pytest.raises(StateError) as newer:
        await store.migrate("notes", NOTES)
    assert newer.value.code == "newer"
    await store.close()


async def test_a_failed_step_leaves_no_half_of_it(path: Path | None) -> None:
    store = await opened(path)
    broken = ["CREATE TABLE notes_a (x); CREATE TABLE notes_a (x)"]
    with pytest.raises(StateError):
        await store.migrate("notes", broken)
    assert await store.query("SELECT name FROM sqlite_schema WHERE name LIKE 'notes%'") == []
    await store.migrate("notes", NOTES)
    await store.close()


async def test_a_transaction_is_done_wholly_or_not_at_all(path: Path | None) -> None:
    store = await opened(path)
    await store.migrate("notes", NOTES)

    def fails(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO notes_texts (text) VALUES ('milk')")
        raise LookupError

    with pytest.raises(LookupError):
        await store.transaction(fails)
    assert await store.query("SELECT * FROM notes_texts") == []
    with pytest.raises(sqlite3.IntegrityError):
        await store.execute("INSERT INTO notes_texts (text) VALUES (NULL)")
    await store.close()


async def test_a_cancelled_caller_undoes_nothing(tmp_path: Path) -> None:
    store = await opened(tmp_path / "apps.db")
    await store.migrate("notes", NOTES)
    writing = asyncio.create_task(store.execute("INSERT INTO notes_texts (text) VALUES ('tea')"))
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    assert len(await store.query("SELECT * FROM notes_texts")) == 1
    await store.close()


async def test_a_closed_store_says_so(path: Path | None) -> None:
    store = await opened(path)
    await store.close()
    await store.close()
    with pytest.raises(LocalError):
        await store.query("SELECT 1")


async def test_a_file_that_cannot_be_made_is_told_as_the_system_says(tmp_path: Path) -> None:
    with pytest.raises(StateError):
        await opened(tmp_path / "missing" / "apps.db")
