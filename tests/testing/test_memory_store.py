"""The memory store: the contract of every store, and how a crash cuts it short."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.adapters.message_store_contract import InboxContract, OutboxContract
from tests.adapters.restored_store_contract import RestoredStoreContract
from tests.adapters.spool_contract import SpoolContract
from tests.adapters.store_calls import ALICE, append, queued
from tests.adapters.store_contract import StoreContract

from p4.errors import StateError
from p4.ports import Store, StreamRecord
from p4.testing.memory_store import MemoryDisk, MemoryStore
from p4.testing.virtual_time import run


class TestMemoryStore(StoreContract, OutboxContract, InboxContract, RestoredStoreContract, SpoolContract):
    disks: dict[Path, MemoryDisk]

    @pytest.fixture(autouse=True)
    def _fresh_disks(self) -> None:
        self.disks = {}

    def make_store(self, place: Path) -> Store:
        return MemoryStore(self.disks.setdefault(place, MemoryDisk()))

    async def abandon(self, store: Store) -> None:
        assert isinstance(store, MemoryStore)
        store.crash()


@pytest.mark.parametrize(
    ("crash_after", "durable", "told"),
    [(0.5, False, False), (1.5, True, False), (2.5, True, True)],
)
def test_a_crash_loses_a_write_keeps_it_silently_or_comes_too_late(
    crash_after: float, durable: bool, told: bool
) -> None:
    async def scenario() -> None:
        disk = MemoryDisk()
        store = MemoryStore(disk, commit_seconds=1.0, return_seconds=1.0)
        await store.open()
        call = asyncio.create_task(append(store, "text"))
        await asyncio.sleep(crash_after)
        assert call.done() is told
        store.crash()
        await asyncio.wait([call])
        assert call.cancelled() is not told
        await asyncio.sleep(10)
        assert bool(disk.outbox) is durable

    run(scenario())


def test_a_dead_process_cannot_write_any_more() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        await store.open()
        store.crash()
        with pytest.raises(asyncio.CancelledError):
            await append(store, "from the grave")
        assert store.disk.outbox == {}

    run(scenario())


def test_a_failing_disk_fails_writes_not_reads() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        await store.open()
        await append(store, "one")
        store.disk.failure = StateError("The disk is full.", path="(memory)", code="disk-full")
        with pytest.raises(StateError, match="full"):
            await append(store, "two")
        assert await queued(store) == [(1, "one")]
        store.disk.failure = None
        assert (await append(store, "two")).first == 2

    run(scenario())


def test_a_backup_is_independent_of_the_disk() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        await store.open()
        await append(store, "one")
        backup = store.disk.copy()
        await append(store, "two")
        restored = MemoryStore(backup)
        await restored.open()
        assert (await append(restored, "other two")).first == 2
        assert [message.body for message in store.disk.outbox[ALICE].values()] == [b"one", b"two"]

    run(scenario())


def test_a_closed_store_says_so() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        with pytest.raises(StateError) as refusal:
            await append(store, "x")
        assert refusal.value.code == "closed"

    run(scenario())


def test_a_power_failure_takes_what_was_not_synced() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        await store.open()
        await store.save_stream(ALICE, StreamRecord(1, "files", "", opened_here=True))
        spool = store.spool(ALICE, 1)
        await spool.append(b"synced")
        await spool.sync()
        await spool.append(b", not synced")
        store.crash()
        with pytest.raises(asyncio.CancelledError):
            await spool.append(b"from the grave")
        store.disk.lose_power()
        again = MemoryStore(store.disk)
        await again.open()
        assert await again.spool(ALICE, 1).read(0, 99) == b"synced"

    run(scenario())
