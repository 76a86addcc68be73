"""Stores with one mistake each, which the contract must find."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.message_store_contract import InboxContract, OutboxContract
from tests.adapters.restored_store_contract import RestoredStoreContract
from tests.adapters.store.test_sqlite import TestSqliteStore as Contract
from tests.adapters.store_calls import ALICE, append, queued
from tests.adapters.store_contract import StoreContract

from p4.adapters.store import commits, inbox, outbox, peers, rows
from p4.adapters.store.relations import Relations
from p4.adapters.store.sqlite import SqliteStore

Patch = pytest.MonkeyPatch


def positions_from_what_is_there(patch: Patch) -> None:
    def take(self: Relations, count: int) -> int:
        (last,) = self.connection.execute("SELECT ifnull(max(position), 0) FROM inbox").fetchone()
        return int(last) + 1

    patch.setattr(Relations, "take_positions", take)


def counters_not_written(patch: Patch) -> None:
    patch.setattr(Relations, "write", lambda self: self._changed.clear())


def forgotten_contact_remembered(patch: Patch) -> None:
    patch.setattr(Relations, "forget", lambda self, peer_id: None)


def bytes_not_counted(patch: Patch) -> None:
    delete = rows.delete_where_in
    patch.setattr(rows, "delete_where_in", lambda *arguments: (delete(*arguments)[0], 0))


def epochs_not_retired(patch: Patch) -> None:
    patch.setattr(peers, "retire_inbox", lambda *_: None)


def expired_kept(patch: Patch) -> None:
    fresh = inbox._fresh
    patch.setattr(
        inbox, "_fresh", lambda operation, expected: fresh(replace(operation, received_ms=0), expected)
    )


def keys_of_other_services(patch: Patch) -> None:
    search = rows._key_search
    patch.setattr(
        rows,
        "_key_search",
        lambda *arguments: search(*arguments).replace("kept.service = wanted.service", "1"),
    )


def keys_not_replaced(patch: Patch) -> None:
    patch.setattr(rows, "select_keys", lambda *_: [])


def one_row_missing_of_many(patch: Patch) -> None:
    blocks = rows.blocks
    patch.setattr(
        rows, "blocks", lambda items: (block for block in blocks(items[: len(items) // 8 * 8 or 1]))
    )


def others_consumed(patch: Patch) -> None:
    delete = rows.delete_where_in

    def wide(connection: Any, table: str, column: str, relation: int, values: Any) -> Any:
        numbers = sorted(set(values))
        everything = range(numbers[0], min(numbers[-1], 10_000) + 1) if numbers else ()
        return delete(connection, table, column, relation, everything)

    patch.setattr(rows, "delete_where_in", wide)


def acknowledgements_not_counted(patch: Patch) -> None:
    patch.setattr(outbox, "_removed", lambda *_: None)


MUTANTS: list[Callable[[Patch], None]] = [
    positions_from_what_is_there,
    counters_not_written,
    forgotten_contact_remembered,
    bytes_not_counted,
    epochs_not_retired,
    expired_kept,
    keys_of_other_services,
    keys_not_replaced,
    one_row_missing_of_many,
    others_consumed,
    acknowledgements_not_counted,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
async def test_the_contract_finds_a_mutant(
    tmp_path: Path, monkeypatch: Patch, mutant: Callable[[Patch], None]
) -> None:
    mutant(monkeypatch)
    for number, (name, test) in enumerate(plain_tests()):
        place = tmp_path / str(number)
        place.mkdir()
        contract = Contract()
        contract.lost = []
        try:
            await test(contract, place)
        except Exception as found:  # noqa: BLE001 - whatever a test fails with
            print(f"{name}: {type(found).__name__}")
            return
        finally:
            for store in contract.lost:
                await store.close()
    pytest.fail("no test of the contract failed")


def plain_tests() -> list[tuple[str, Callable[..., Any]]]:
    """Those that need nothing but a place."""
    return [
        (name, test)
        for suite in (OutboxContract, InboxContract, RestoredStoreContract, StoreContract)
        for name, test in vars(suite).items()
        if name.startswith("test_") and set(inspect.signature(test).parameters) == {"self", "place"}
    ]


async def neighbours(path: Path) -> None:
    """An operation that fails after its first change, between two that succeed."""
    store = SqliteStore(path)
    await store.open()

    def fails(relations: Relations) -> None:
        relations.connection.execute("INSERT INTO replay SELECT id, 1, x'00' FROM relation")
        relation = relations.get(ALICE)
        relation.out_next += 1000
        relations.changed(relation)
        raise LookupError("a bug of ours")

    await append(store, "first")
    await asyncio.gather(
        append(store, "before"), store._write(fails), append(store, "after"), return_exceptions=True
    )
    assert await queued(store) == [(1, "first"), (2, "before"), (3, "after")]
    assert (await store.load_replay(ALICE)).entries == ()
    await store.close()


async def test_neighbours_are_not_harmed(tmp_path: Path) -> None:
    await neighbours(tmp_path / "p4.sqlite3")


def no_savepoint(patch: Patch) -> None:
    def attempt(relations: Relations, operation: commits._Operation) -> commits._Outcome:
        try:
            return commits._Outcome(operation.run(relations))
        except Exception as error:  # noqa: BLE001 - as the real one
            return commits._Outcome(error=error)

    patch.setattr(commits, "_attempt", attempt)


def memory_not_undone(patch: Patch) -> None:
    patch.setattr(Relations, "drop", lambda self: None)


@pytest.mark.parametrize("mutant", [no_savepoint, memory_not_undone], ids=lambda mutant: mutant.__name__)
async def test_an_operation_that_is_not_undone_is_found(
    tmp_path: Path, monkeypatch: Patch, mutant: Callable[[Patch], None]
) -> None:
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        await neighbours(tmp_path / "p4.sqlite3")
