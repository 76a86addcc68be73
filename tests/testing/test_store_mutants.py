"""The store contract can fail: each planted mistake is found by the test that is there for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.adapters.restored_store_contract import RestoredStoreContract

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


class KeepsTheNumbersOfARenewedOutbox(MemoryStore):
    async def renew_outbox(self, peer_id: PeerId, *, new_epoch: bytes, known_as: bytes = b"") -> PeerRecord:
        before = list(self.disk.outbox.get(peer_id, []))
        record = await super().renew_outbox(peer_id, new_epoch=new_epoch, known_as=known_as)
        self.disk.outbox[peer_id] = before
        return record


class ForgetsWhatItSent(MemoryStore):
    async def offer_outbox(self, peer_id: PeerId) -> None:
        pass


class ForgetsRetiredEpochs(MemoryStore):
    async def accept_inbox(
        self, peer_id: PeerId, *, epoch: bytes, messages: Iterable[tuple[int, str]], now_ms: int
    ) -> list[InboxMessage]:
        new = await super().accept_inbox(peer_id, epoch=epoch, messages=messages, now_ms=now_ms)
        self.disk.peers[peer_id] = replace(self.disk.peers[peer_id], in_retired=())
        return new


class ContractFor(RestoredStoreContract):
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
        (
            KeepsTheNumbersOfARenewedOutbox,
            "test_a_renewed_outbox_has_a_new_name_and_the_same_texts_numbered_from_one",
        ),
        (ForgetsWhatItSent, "test_what_may_have_been_sent_is_known_after_reopening"),
        (ForgetsRetiredEpochs, "test_duplicates_stay_duplicates_when_an_epoch_comes_back"),
        (ReturnsBeforeItIsDurable, "test_what_has_returned_survives_the_loss_of_the_process"),
    ],
)
async def test_each_mutant_is_found(kind: type[MemoryStore], test: str, tmp_path: Path) -> None:
    await getattr(ContractFor(MemoryStore), test)(tmp_path)
    with pytest.raises(AssertionError):
        await getattr(ContractFor(kind), test)(tmp_path)
