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

from p4.adapters.store import commits, inbox, outbox, peers, rows, sqlite
from p4.adapters.store.relations import Relation, Relations
from p4.adapters.store.sqlite import SqliteStore
from p4.core.identity import PeerId
from p4.core.session.messages import stored
from p4.ports import PeerRecord

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


def beginning_is_what_waits_first(patch: Patch) -> None:
    """What was dropped or replaced looks confirmed."""
    write = Relations.write

    def wrong(self: Relations) -> None:
        for relation in self._changed.values():
            relation.out_first = oldest(self, relation) or relation.out_next
        write(self)

    patch.setattr(Relations, "write", wrong)


def oldest(relations: Relations, relation: Relation) -> int | None:
    (number,) = relations.connection.execute(
        "SELECT min(number) FROM outbox WHERE relation = ?", (relation.id,)
    ).fetchone()
    return None if number is None else int(number)


def confirmed_only_if_something_waits(patch: Patch) -> None:
    def wrong(relations: Relations, peer_id: PeerId, operation: stored.AcknowledgeOutbox) -> None:
        relation = relations.find(peer_id)
        if relation is not None and (oldest(relations, relation) or relation.out_next) <= operation.through:
            outbox.acknowledge(relations, peer_id, operation)

    patch.setitem(sqlite._PERFORM, stored.AcknowledgeOutbox, wrong)


def holes_closed_when_renewed(patch: Patch) -> None:
    """Handles of the application name other messages."""

    def wrong(relations: Relations, peer_id: PeerId, operation: stored.RenewOutbox) -> PeerRecord:
        outbox.renew(relations, peer_id, operation)
        relation = relations.get(peer_id)
        numbers = relations.connection.execute(
            "SELECT number FROM outbox WHERE relation = ? ORDER BY number", (relation.id,)
        ).fetchall()
        for place, (number,) in enumerate(numbers, 1):
            relations.connection.execute(
                "UPDATE outbox SET number = ? WHERE relation = ? AND number = ?", (place, relation.id, number)
            )
        relation.out_next = len(numbers) + 1
        relations.changed(relation)
        return peers.load_peer(relations, peer_id)

    patch.setitem(sqlite._PERFORM, stored.RenewOutbox, wrong)


def next_number_stays_when_renewed(patch: Patch) -> None:
    def wrong(relations: Relations, peer_id: PeerId, operation: stored.RenewOutbox) -> PeerRecord:
        following = relations.get(peer_id).out_next
        outbox.renew(relations, peer_id, operation)
        relation = relations.get(peer_id)
        relation.out_next = following
        relations.changed(relation)
        return peers.load_peer(relations, peer_id)

    patch.setitem(sqlite._PERFORM, stored.RenewOutbox, wrong)


def forgotten_epoch_begins_with_one(patch: Patch) -> None:
    patch.setattr(inbox, "_highest", lambda *_: 0)


def reach_and_policy_in_one_column(patch: Patch) -> None:
    patch.setattr(peers, "save_policy", peers.save_reach)


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
    beginning_is_what_waits_first,
    confirmed_only_if_something_waits,
    holes_closed_when_renewed,
    next_number_stays_when_renewed,
    forgotten_epoch_begins_with_one,
]
"""Of messages: also for histories of operations."""


@pytest.mark.parametrize(
    "mutant", [*MUTANTS, reach_and_policy_in_one_column], ids=lambda mutant: mutant.__name__
)
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
