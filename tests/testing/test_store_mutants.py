"""The store contract can fail: each planted mistake is found by the test that is there for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.adapters.store_contract import StoreContract

from p4.core.identity import PeerId
from p4.core.replay import ReplayWindow
from p4.ports import InboxMessage, PeerRecord, Store
from p4.testing.memory_store import MemoryDisk, MemoryStore


class ReusesNumbers(MemoryStore):
    async def acknowledge_outbox(self, peer_id: PeerId, *, through: int) -> None:
        await super().acknowledge_outbox(peer_id, through=through)
        if not self.disk.outbox.get(peer_id):
            self.disk.peers.pop(peer_id, None)


class ForgetsWhatItReceived(MemoryStore):
    async def consume_inbox(self, message: InboxMessage) -> None:
        await super().consume_inbox(message)
        self.disk.peers.pop(message.peer_id, None)


class OverwritesNumbers(MemoryStore):
    async def save_peer(self, peer_id: PeerId, record: PeerRecord) -> None:
        self.disk.peers[peer_id] = record


class ReturnsBeforeItIsDurable(MemoryStore):
    async def save_replay(self, peer_id: PeerId, window: ReplayWindow) -> None:
        self._late = asyncio.create_task(super().save_replay(peer_id, window))


class ContractFor(StoreContract):
    def __init__(self, kind: type[MemoryStore]) -> None:
        self._kind = kind
        self._disk = MemoryDisk()

    def make_store(self, place: Path) -> Store:
        return self._kind(self._disk)

    async def abandon(self, store: Store) -> None:
        assert isinstance(store, MemoryStore)
        store.crash()


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        (ReusesNumbers, "test_acknowledged_messages_are_gone_and_their_numbers_are_never_used_again"),
        (ForgetsWhatItReceived, "test_duplicates_are_known_after_reopening_and_after_consuming"),
        (OverwritesNumbers, "test_saving_a_peer_leaves_numbers_and_epochs_alone"),
        (ReturnsBeforeItIsDurable, "test_what_has_returned_survives_the_loss_of_the_process"),
    ],
)
async def test_each_mutant_is_found(kind: type[MemoryStore], test: str, tmp_path: Path) -> None:
    await getattr(ContractFor(MemoryStore), test)(tmp_path)
    with pytest.raises(AssertionError):
        await getattr(ContractFor(kind), test)(tmp_path)
