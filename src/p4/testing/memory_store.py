"""A store in memory with the semantics of `p4.ports.Store` and the ways in which disks fail.

The disk outlives the process: `MemoryDisk` is what is durable, `MemoryStore` is one process working on
it. An operation becomes durable a while after it was called and returns a while after that, so a crash
may lose it, or may keep it although nobody was told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from p4.core.identity import PeerId
from p4.core.replay import ReplayWindow
from p4.core.session.messages.stored import InboxMessage, Operation, ReadOutbox, ReadWaiting
from p4.errors import StateError
from p4.ports import PeerRecord, StreamRecord
from p4.testing.memory_disk import MemoryDisk
from p4.testing.memory_spool import MemorySpool

__all__ = ["MemoryDisk", "MemoryStore"]

T = TypeVar("T")


class MemoryStore:
    """One process' view of a disk.

    Args:
        disk: what is there already; a new one if None.
        commit_seconds: from a call until its effect is durable.
        return_seconds: from then until the call returns.

    Operations take effect in the order in which they were called. After `crash` nothing of this object
    reaches the disk, and calls on it end as their process did: cancelled.
    """

    def __init__(
        self, disk: MemoryDisk | None = None, *, commit_seconds: float = 0.0, return_seconds: float = 0.0
    ) -> None:
        self.disk = MemoryDisk() if disk is None else disk
        self._commit_seconds = commit_seconds
        self._return_seconds = return_seconds
        self._open = False
        self._crashed = False
        self._pending: list[tuple[Callable[[], None], asyncio.Future[None]]] = []
        self._calls: list[asyncio.Future[None]] = []
        self._commit_due = False

    async def open(self) -> None:
        """Make it usable, and remove spools of streams that nobody remembers."""
        for peer_id, stream_id in list(self.disk.spools):
            if stream_id not in self.disk.streams.get(peer_id, {}):
                del self.disk.spools[peer_id, stream_id]
        self._open = True

    async def close(self) -> None:
        """Finish what is queued, then close."""
        if self._pending:
            await self._perform(lambda: None)
        self._open = False

    def crash(self) -> None:
        """The process dies now: what is not yet durable never will be."""
        self._crashed = True
        self._pending.clear()
        for call in self._calls:
            call.cancel()

    # --- the write queue ------------------------------------------------------------------------------

    async def _write(self, operation: Callable[[], T]) -> T:
        def guarded() -> T:
            if self.disk.failure is not None:
                raise self.disk.failure
            return operation()

        return await self._perform(guarded)

    async def _perform(self, operation: Callable[[], T]) -> T:
        self._check_usable()
        loop = asyncio.get_running_loop()
        outcome: list[T | StateError] = []

        def carry_out() -> None:
            try:
                outcome.append(operation())
            except StateError as error:
                outcome.append(error)

        call: asyncio.Future[None] = loop.create_future()
        self._calls.append(call)
        self._pending.append((carry_out, call))
        if not self._commit_due:
            self._commit_due = True
            loop.call_later(self._commit_seconds, self._commit)
        try:
            # A caller that is cancelled here does not take back what it asked the disk to do.
            await call
        finally:
            self._calls.remove(call)
        if isinstance(outcome[0], StateError):
            raise outcome[0]
        return outcome[0]

    def _commit(self) -> None:
        self._commit_due = False
        batch, self._pending = self._pending, []
        for carry_out, _ in batch:
            carry_out()
        if batch:
            calls = [call for _, call in batch]
            asyncio.get_running_loop().call_later(self._return_seconds, self._report, calls)

    @staticmethod
    def _report(calls: list[asyncio.Future[None]]) -> None:
        for call in calls:
            if not call.done():
                call.set_result(None)

    # --- p4.ports.Store -------------------------------------------------------------------------------

    async def load_peers(self) -> dict[PeerId, PeerRecord]:
        """Every record there is."""
        return await self._perform(lambda: dict(self.disk.peers))

    async def save_peer(self, peer_id: PeerId, record: PeerRecord) -> None:
        """Write ``protocol`` and ``last_seen_ms`` of the record."""
        await self._update(peer_id, protocol=record.protocol, last_seen_ms=record.last_seen_ms)

    async def save_grants(self, peer_id: PeerId, grants: tuple[str, ...]) -> None:
        """Write which services the contact may use."""
        await self._update(peer_id, grants=grants)

    async def save_reach(self, peer_id: PeerId, text: str) -> None:
        """Write what the contact announced about where else it can be reached."""
        await self._update(peer_id, reach=text)

    async def save_policy(self, peer_id: PeerId, policy: str) -> None:
        """Write which paths to the contact may be used."""
        await self._update(peer_id, policy=policy)

    async def save_gate(self, peer_id: PeerId, text: str) -> None:
        """Write the keys and the address of the gates between us."""
        await self._update(peer_id, gate=text)

    async def _update(self, peer_id: PeerId, **fields: Any) -> None:
        def operation() -> None:
            self.disk.peers[peer_id] = replace(self.disk.record(peer_id), **fields)

        await self._write(operation)

    async def forget_peer(self, peer_id: PeerId) -> None:
        """Remove everything about a contact."""
        await self._write(lambda: self.disk.forget(peer_id))

    async def load_replay(self, peer_id: PeerId) -> ReplayWindow:
        """The window of this sender; an empty one if there is none."""
        return await self._perform(lambda: self.disk.replay.get(peer_id, ReplayWindow()))

    async def save_replay(self, peer_id: PeerId, window: ReplayWindow) -> None:
        """Replace it."""

        def operation() -> None:
            self.disk.replay[peer_id] = window
            self.disk.peers.setdefault(peer_id, PeerRecord())

        await self._write(operation)

    async def perform(self, peer_id: PeerId, operation: Operation) -> Any:
        """Do something to a contact's messages, wholly or not at all."""
        carry_out = self._perform if isinstance(operation, ReadOutbox | ReadWaiting) else self._write
        return await carry_out(lambda: self.disk.perform(peer_id, operation))

    async def outbox_bytes(self, peer_id: PeerId) -> int:
        """Bytes of the bodies of all messages that wait for a contact."""

        def operation() -> int:
            return sum(len(message.body) for message in self.disk.outbox.get(peer_id, {}).values())

        return await self._perform(operation)

    async def read_inbox(
        self, peer_id: PeerId, service: str, *, after: int, limit: int, most_bytes: int
    ) -> list[InboxMessage]:
        """Messages for a service that were not taken, in order."""
        return await self._perform(lambda: self.disk.read_inbox(peer_id, service, after, limit, most_bytes))

    async def load_streams(self) -> dict[PeerId, list[StreamRecord]]:
        """Every open stream, by contact, oldest first."""

        def operation() -> dict[PeerId, list[StreamRecord]]:
            return {
                peer_id: sorted(records.values(), key=lambda record: record.created_ms)
                for peer_id, records in self.disk.streams.items()
                if records
            }

        return await self._perform(operation)

    async def save_stream(self, peer_id: PeerId, record: StreamRecord) -> None:
        """Write the record of a stream, new or known by its id."""

        def operation() -> None:
            self.disk.peers.setdefault(peer_id, PeerRecord())
            self.disk.streams.setdefault(peer_id, {})[record.id] = record

        await self._write(operation)

    async def forget_stream(self, peer_id: PeerId, stream_id: int) -> None:
        """Remove the record of a stream."""

        def operation() -> None:
            self.disk.streams.get(peer_id, {}).pop(stream_id, None)

        await self._write(operation)

    def spool(self, peer_id: PeerId, stream_id: int) -> MemorySpool:
        """The bytes of a stream, opened or made."""
        self._check_usable()
        return MemorySpool(self.disk, peer_id, stream_id, self._check_usable)

    def _check_usable(self) -> None:
        if self._crashed:
            raise asyncio.CancelledError
        if not self._open:
            raise StateError("The store is not open.", path="(memory)", code="closed")
