"""The store contract can fail: each planted mistake is found by the test that is there for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.message_store_contract import InboxContract, OutboxContract
from tests.adapters.restored_store_contract import RestoredStoreContract
from tests.adapters.store_contract import StoreContract

from p4.core.identity import PeerId
from p4.core.session.messages import stored
from p4.ports import PeerRecord, Store
from p4.testing.memory_store import MemoryDisk, MemoryStore


class ReusesNumbers(MemoryStore):
    async def perform(self, peer_id: PeerId, operation: stored.Operation) -> Any:
        result = await super().perform(peer_id, operation)
        if isinstance(operation, stored.AcknowledgeOutbox) and not self.disk.outbox.get(peer_id):
            self.disk.peers.pop(peer_id, None)
        return result


class ForgetsWhatItReceived(MemoryStore):
    async def perform(self, peer_id: PeerId, operation: stored.Operation) -> Any:
        result = await super().perform(peer_id, operation)
        if isinstance(operation, stored.ConsumeInbox):
            self.disk.peers.pop(peer_id, None)
        return result


class OverwritesNumbers(MemoryStore):
    async def save_peer(self, peer_id: PeerId, record: PeerRecord) -> None:
        self.disk.peers[peer_id] = record


class ReturnsBeforeItIsDurable(MemoryStore):
    async def _write(self, operation: Callable[[], Any]) -> Any:
        self._late = asyncio.create_task(super()._write(operation))


class KeepsTheNumbersOfARenewedOutbox(MemoryStore):
    async def perform(self, peer_id: PeerId, operation: stored.Operation) -> Any:
        before = dict(self.disk.outbox.get(peer_id, {}))
        result = await super().perform(peer_id, operation)
        if isinstance(operation, stored.RenewOutbox):
            self.disk.outbox[peer_id] = before
        return result


class ForgetsWhatItSent(MemoryStore):
    async def perform(self, peer_id: PeerId, operation: stored.Operation) -> Any:
        if not isinstance(operation, stored.OfferOutbox):
            return await super().perform(peer_id, operation)
        return None


class ForgetsRetiredEpochs(MemoryStore):
    async def perform(self, peer_id: PeerId, operation: stored.Operation) -> Any:
        result = await super().perform(peer_id, operation)
        if isinstance(operation, stored.AcceptInbox):
            self.disk.peers[peer_id] = replace(self.disk.peers[peer_id], in_retired=())
        return result


class UsesPositionsTwice(MemoryStore):
    async def perform(self, peer_id: PeerId, operation: stored.Operation) -> Any:
        waiting = [place for inbox in self.disk.inbox.values() for place in inbox]
        self.disk.last_position = max(waiting, default=0)
        return await super().perform(peer_id, operation)


class ReplacesWhatWasHandedOut(MemoryStore):
    async def perform(self, peer_id: PeerId, operation: stored.Operation) -> Any:
        if isinstance(operation, stored.AcceptInbox):
            operation = replace(operation, held=frozenset())
        return await super().perform(peer_id, operation)


class KeepsWhatHasExpired(MemoryStore):
    async def perform(self, peer_id: PeerId, operation: stored.Operation) -> Any:
        if isinstance(operation, stored.AcceptInbox):
            fresh = tuple(message._replace(expires_ms=0) for message in operation.messages)
            operation = replace(operation, messages=fresh)
        return await super().perform(peer_id, operation)


class AcceptsBeyondTheQuota(MemoryStore):
    async def perform(self, peer_id: PeerId, operation: stored.Operation) -> Any:
        if isinstance(operation, stored.AppendOutbox):
            operation = replace(operation, quota=stored.Quota(10**9, 10**12))
        return await super().perform(peer_id, operation)


class BeginsWithWhatWaits(MemoryStore):
    """What was dropped or replaced looks confirmed."""

    async def perform(self, peer_id: PeerId, operation: stored.Operation) -> Any:
        result = await super().perform(peer_id, operation)
        if (record := self.disk.peers.get(peer_id)) is not None:
            first = min(self.disk.outbox.get(peer_id, {}), default=record.out_next)
            self.disk.peers[peer_id] = replace(record, out_first=first)
        return result


class ClosesHolesOfARenewedOutbox(MemoryStore):
    """Handles of the application name other messages."""

    async def perform(self, peer_id: PeerId, operation: stored.Operation) -> Any:
        result = await super().perform(peer_id, operation)
        if isinstance(operation, stored.RenewOutbox):
            waiting = self.disk.outbox.get(peer_id, {}).values()
            queue = [message._replace(number=place) for place, message in enumerate(waiting, 1)]
            return self.disk.put_outbox(peer_id, queue, replace(result, out_next=len(queue) + 1))
        return result


class ContractFor(StoreContract, OutboxContract, InboxContract, RestoredStoreContract):
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
        (OverwritesNumbers, "test_saving_a_peer_leaves_everything_else_alone"),
        (
            KeepsTheNumbersOfARenewedOutbox,
            "test_a_renewed_outbox_has_a_new_name_and_the_same_texts_numbered_from_one",
        ),
        (BeginsWithWhatWaits, "test_only_what_is_confirmed_moves_the_beginning"),
        (ClosesHolesOfARenewedOutbox, "test_a_renewed_outbox_keeps_its_holes"),
        (ForgetsWhatItSent, "test_what_may_have_been_sent_is_known_after_reopening"),
        (ForgetsRetiredEpochs, "test_duplicates_stay_duplicates_when_an_epoch_comes_back"),
        (ReturnsBeforeItIsDurable, "test_what_has_returned_survives_the_loss_of_the_process"),
        (UsesPositionsTwice, "test_positions_are_never_used_twice"),
        (
            ReplacesWhatWasHandedOut,
            "test_the_latest_value_of_a_key_replaces_what_the_application_was_not_given",
        ),
        (KeepsWhatHasExpired, "test_what_has_expired_is_counted_but_not_kept"),
        (
            AcceptsBeyondTheQuota,
            "test_the_quota_of_messages_refuses_all_of_a_call_and_nothing_else",
        ),
    ],
)
async def test_each_mutant_is_found(kind: type[MemoryStore], test: str, tmp_path: Path) -> None:
    await getattr(ContractFor(MemoryStore), test)(tmp_path)
    # `pytest.raises` in a test that gets no error fails with an exception of its own.
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await getattr(ContractFor(kind), test)(tmp_path)
