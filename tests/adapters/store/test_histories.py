"""Whatever happens in whatever order, every store gives the answers of the reference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import Phase
from tests.adapters.store import test_sqlite_mutants as planted
from tests.adapters.store.histories import MakeStore, agree, memory_stores, sqlite_stores
from tests.counts import HISTORIES_OF_DATABASES, HISTORIES_OF_MEMORY, explored
from tests.testing.test_store_mutants import BeginsWithWhatWaits, ClosesHolesOfARenewedOutbox

from p4.core import limits
from p4.testing.memory_store import MemoryDisk, MemoryStore

MOST = 600
"""Histories in which a mistake has to be found: several times as many as the rarest one needs."""

Stores = Callable[[Path], MakeStore]


@pytest.fixture(autouse=True)
def _short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Epochs are forgotten after two more, so that short histories have forgotten ones come back."""
    monkeypatch.setattr(limits, "RETIRED_EPOCHS", 2)


@pytest.mark.parametrize(("stores", "examples"), [(sqlite_stores, 10), (memory_stores, 20)])
def test_a_store_answers_as_the_reference(stores: Stores, examples: int) -> None:
    agree(stores, examples)


@explored(HISTORIES_OF_DATABASES)
def test_a_database_answers_as_the_reference_in_many_histories(count: int) -> None:
    agree(sqlite_stores, count)


@explored(HISTORIES_OF_MEMORY)
def test_a_store_in_memory_answers_as_the_reference_in_many_histories(count: int) -> None:
    agree(memory_stores, count)


@pytest.mark.parametrize("mutant", planted.MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_mistake_of_the_database_is_found(
    monkeypatch: pytest.MonkeyPatch, mutant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        agree(sqlite_stores, MOST, [Phase.generate])


@pytest.mark.parametrize("kind", [BeginsWithWhatWaits, ClosesHolesOfARenewedOutbox])
def test_a_mistake_of_the_memory_store_is_found(kind: type[MemoryStore]) -> None:
    def stores(_: Path) -> MakeStore:
        disk = MemoryDisk()
        return lambda: kind(disk)

    with pytest.raises(AssertionError):
        agree(stores, MOST, [Phase.generate])
