"""What the store does when the disk, the file or another program fails it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.adapters.store_calls import ALICE, accept, inbox, queued
from tests.adapters.store_calls import append as append_all

from p4.adapters.store import database
from p4.adapters.store.sqlite import SqliteStore
from p4.core.session.messages.stored import AcknowledgeOutbox, ReadOutbox
from p4.errors import CorruptFileError, PermissionsError, StateError
from p4.ports import StreamRecord


async def opened(path: Path) -> SqliteStore:
    store = SqliteStore(path)
    await store.open()
    return store


async def append(store: SqliteStore, text: str = "text") -> int:
    return (await append_all(store, text)).first


async def texts(store: SqliteStore) -> list[str]:
    return [text for _, text in await queued(store)]


async def filled(path: Path, messages: int = 400) -> list[str]:
    """A database with messages in it, closed; returns their texts."""
    store = await opened(path)
    expected = [f"message {number} " + "x" * 200 for number in range(messages)]
    await asyncio.gather(*(append(store, text) for text in expected))
    await store.close()
    return expected


# --- a disk that is full or read-only ---------------------------------------------------------------------


async def test_a_full_disk_refuses_the_message_keeps_the_others_and_recovers(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(200 * 1024))
    store = await opened(small_disk / "p4.sqlite3")
    kept: list[str] = []

    async def fill() -> None:
        for number in range(10_000):
            text = f"{number} " + "x" * 10_000
            await append(store, text)
            kept.append(text)

    with pytest.raises(StateError, match=r"the disk is full.*unchanged.*Free some space") as caught:
        await fill()
    assert caught.value.code == "disk-full"
    assert len(kept) > 5
    assert await texts(store) == kept
    ballast.unlink()
    await store.perform(ALICE, AcknowledgeOutbox(len(kept) - 2))
    await store.close()
    store = await opened(small_disk / "p4.sqlite3")
    assert await texts(store) == kept[-2:]
    assert await append(store, "again") == len(kept) + 1
    await store.close()


async def test_a_full_disk_fails_every_caller_of_the_transaction_and_no_earlier_one(tmp_path: Path) -> None:
    """Without root too: the database itself is told to grow no further."""
    path = tmp_path / "p4.sqlite3"
    before = await filled(path)
    store = await opened(path)
    await store._read(lambda relations: relations.connection.execute("PRAGMA max_page_count = 1").fetchone())
    results = await asyncio.gather(*(append(store, "y" * 3000) for _ in range(20)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, StateError)]
    assert refused
    assert {error.code for error in refused} == {"disk-full"}
    accepted = [result for result in results if isinstance(result, int)]
    await store.close()
    store = await opened(path)
    assert await texts(store) == before + ["y" * 3000] * len(accepted)
    assert await append(store) == len(before) + len(accepted) + 1
    await store.close()


async def test_creating_on_a_full_disk_leaves_no_half_database(small_disk: Path) -> None:
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="space"):
        filler.write_bytes(bytes(1024 * 1024))
    path = small_disk / "p4.sqlite3"
    with pytest.raises(StateError) as caught:
        await opened(path)
    assert caught.value.code == "disk-full"
    assert not path.exists()
    filler.unlink()
    await (await opened(path)).close()


async def test_a_read_only_disk_is_explained(tmp_path: Path, read_only: Callable[[Path], None]) -> None:
    empty, used = tmp_path / "empty", tmp_path / "used"
    for directory in (empty, used):
        directory.mkdir(mode=0o700)
    await filled(used / "p4.sqlite3", 1)
    before = (used / "p4.sqlite3").read_bytes()
    for directory in (empty, used):
        read_only(directory)
        with pytest.raises(StateError) as caught:
            await opened(directory / "p4.sqlite3")
        assert caught.value.code in {"read-only", "access-denied"}
        assert not isinstance(caught.value, CorruptFileError)
    assert (used / "p4.sqlite3").read_bytes() == before


async def test_another_program_that_holds_the_database_is_waited_for_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p4.sqlite3"
    await filled(path, 1)
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    store = await opened(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match="another program holds it") as caught:
            await append(store)
        assert caught.value.code == "busy"
        assert len(await texts(store)) == 1
        other.execute("ROLLBACK")
    assert await append(store) == 2
    await store.close()


async def test_wide_permissions_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p4.sqlite3"
    await filled(path, 1)
    path.chmod(0o644)
    with pytest.raises(PermissionsError, match="chmod go-rwx"):
        await opened(path)


async def test_a_directory_in_its_place_is_explained(tmp_path: Path) -> None:
    (tmp_path / "p4.sqlite3").mkdir(mode=0o700)
    with pytest.raises(StateError) as caught:
        await opened(tmp_path / "p4.sqlite3")
    assert not isinstance(caught.value, CorruptFileError)
    assert (tmp_path / "p4.sqlite3").is_dir()


async def test_a_missing_directory_is_explained(tmp_path: Path) -> None:
    with pytest.raises(StateError):
        await opened(tmp_path / "nowhere" / "p4.sqlite3")


# --- a file that is damaged --------------------------------------------------------------------------------


def truncate(data: bytes) -> bytes:
    return data[: len(data) // 2]


def truncate_oddly(data: bytes) -> bytes:
    return data[:-1000]


def empty(_: bytes) -> bytes:
    return b""


def zeros(data: bytes) -> bytes:
    return bytes(len(data))


def zero_header(data: bytes) -> bytes:
    return bytes(100) + data[100:]


def another_text(_: bytes) -> bytes:
    return b"This was a database until somebody edited it.\n" * 100


def zero_page(data: bytes) -> bytes:
    middle = len(data) // 2 // 4096 * 4096
    return data[:middle] + bytes(4096) + data[middle + 4096 :]


def noise_in_every_page(data: bytes) -> bytes:
    page = bytearray(data)
    for start in range(4096, len(page), 4096):
        page[start : start + 12] = b"\xa5" * 12
    return bytes(page)


@pytest.mark.parametrize(
    "damage",
    [truncate, truncate_oddly, empty, zeros, zero_header, another_text, zero_page, noise_in_every_page],
)
async def test_a_damaged_database_is_kept_reported_and_not_silently_replaced(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "p4.sqlite3"
    await filled(path)
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(
        CorruptFileError, match=r"waiting to be sent.*identity and contacts.*are safe"
    ) as caught:
        await opened(path)
    kept = Path(caught.value.kept_as)
    assert kept.parent == tmp_path
    assert kept.read_bytes() == damaged
    assert not path.exists()
    # Told once, the user may go on; what was kept stays.
    store = await opened(path)
    assert await append(store) == 1
    await store.close()
    assert kept.read_bytes() == damaged


@pytest.mark.parametrize(
    "junk", [b"", b"junk", b"junk" * 4000, b"SQLite format 3\0", b"SQLite format 3\0\x10\0" + bytes(8000)]
)
async def test_the_log_goes_along_with_a_damaged_database(tmp_path: Path, junk: bytes) -> None:
    """The last commits are only in the log; a rescue needs both under fitting names."""
    path, log = tmp_path / "p4.sqlite3", tmp_path / "p4.sqlite3-wal"
    await filled(path, 1)
    store = await opened(path)
    await append(store, "only in the log")
    log_bytes = log.read_bytes()
    await store.close()
    path.write_bytes(junk)
    log.write_bytes(log_bytes)
    log.chmod(0o600)
    with pytest.raises(CorruptFileError) as caught:
        await opened(path)
    kept = Path(caught.value.kept_as)
    assert b"only in the log" in kept.with_name(f"{kept.name}-wal").read_bytes()
    assert not log.exists()


async def test_the_streams_go_along_with_a_damaged_database(tmp_path: Path) -> None:
    """Without records every spool would be a stray, and be removed at the next start."""
    path = tmp_path / "p4.sqlite3"
    store = await opened(path)
    await store.save_stream(ALICE, StreamRecord(1, "files", "", opened_here=True))
    await store.spool(ALICE, 1).append(b"bytes that were to be sent")
    await store.close()
    path.write_bytes(b"junk")
    with pytest.raises(CorruptFileError, match="streams") as caught:
        await opened(path)
    (kept,) = Path(f"{caught.value.kept_as}-streams").glob("*/*")
    assert b"bytes that were to be sent" in kept.read_bytes()
    store = await opened(path)
    assert store.spool(ALICE, 1).end == 0
    await store.close()
    assert kept.exists()


async def test_a_full_disk_keeps_counters_and_messages_in_step(tmp_path: Path) -> None:
    path = tmp_path / "p4.sqlite3"
    store = await opened(path)
    await store._read(lambda relations: relations.connection.execute("PRAGMA max_page_count = 60").fetchone())
    number, refused = 0, 0
    while refused < 5:
        texts_now = [f"{number + place} " + "z" * 900 for place in range(20)]
        results = await asyncio.gather(
            append_all(store, *texts_now),
            accept(store, *((number + place + 1, text) for place, text in enumerate(texts_now))),
            return_exceptions=True,
        )
        assert all(
            isinstance(one, StateError) and one.code == "disk-full"
            for one in results
            if isinstance(one, Exception)
        )
        refused += sum(isinstance(one, Exception) for one in results)
        number += 20
    for _ in range(2):
        record = (await store.load_peers())[ALICE]
        assert record.out_waiting == len(await queued(store)) == record.out_next - record.out_first
        messages = await inbox(store)
        assert record.in_waiting == len(messages) > 0
        assert record.in_waiting_bytes == sum(len(text) for _, text in messages)
        await store.close()
        store = await opened(path)
    await store.close()


async def test_a_log_without_its_database_is_evidence_of_loss(tmp_path: Path) -> None:
    path, log = tmp_path / "p4.sqlite3", tmp_path / "p4.sqlite3-wal"
    log.write_bytes(b"commits of a database that somebody deleted")
    log.chmod(0o600)
    with pytest.raises(CorruptFileError, match="only its log was left") as caught:
        await opened(path)
    assert Path(f"{caught.value.kept_as}-wal").read_bytes().startswith(b"commits")
    assert not path.exists()


async def test_damage_found_while_running_ends_the_store_and_keeps_the_file(tmp_path: Path) -> None:
    path = tmp_path / "p4.sqlite3"
    await filled(path)
    store = await opened(path)
    # Behind the store's back, as a failing disk would; the first page stays, so that it is found late.
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xa5" * (len(data) - 4096))
    await store._read(lambda relations: relations.connection.execute("PRAGMA shrink_memory").fetchall())
    results = await asyncio.gather(
        store.perform(ALICE, ReadOutbox(0, 1000, 2**40)),
        append(store),
        store.load_peers(),
        return_exceptions=True,
    )
    assert all(isinstance(result, CorruptFileError) for result in results), results
    with pytest.raises(CorruptFileError) as caught:
        await append(store)
    assert Path(caught.value.kept_as).stat().st_size >= len(data)
    assert not path.exists()
    await store.close()
    assert not path.exists()


async def test_a_large_database_is_not_read_whole_at_each_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p4.sqlite3"
    await filled(path, 100)
    real = database._connect
    statements: list[str] = []

    def traced(target: Path) -> sqlite3.Connection:
        connection = real(target)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(database, "_connect", traced)
    await (await opened(path)).close()
    assert any("quick_check" in statement for statement in statements)
    statements.clear()
    monkeypatch.setattr(database, "QUICK_CHECK_BYTES", path.stat().st_size - 1)
    await (await opened(path)).close()
    assert not any("quick_check" in statement for statement in statements)
