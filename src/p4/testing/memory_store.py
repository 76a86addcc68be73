"""A store in memory with the semantics of `p4.ports.Store` and the ways in which disks fail.

The disk outlives the process: `MemoryDisk` is what is durable, `MemoryStore` is one process working on
it. An operation becomes durable a while after it was called and returns a while after that, so a crash
may lose it, or may keep it although nobody was told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from p4.core import limits
from p4.core.identity import PeerId
from p4.core.replay import ReplayWindow
from p4.errors import StateError
from p4.ports import InboxMessage, OutboxMessage, PeerRecord

__all__ = ["MemoryDisk", "MemoryStore"]

T = TypeVar("T")


@dataclass
class MemoryDisk:
    """What survives a crash. Give it to one `MemoryStore` after the other.

    ``failure``, while set, is raised by every write instead of writing (a full disk).
    """

    peers: dict[PeerId, PeerRecord] = field(default_factory=dict)
    replay: dict[PeerId, ReplayWindow] = field(default_factory=dict)
    outbox: dict[PeerId, list[OutboxMessage]] = field(default_factory=dict)
    inbox: list[InboxMessage] = field(default_factory=list)
    failure: StateError | None = None

    def copy(self) -> MemoryDisk:
        """The disk as it is now: a backup that a test may restore."""
        return MemoryDisk(
            dict(self.peers),
            dict(self.replay),
            {peer: list(queue) for peer, queue in self.outbox.items()},
            list(self.inbox),
        )

    def restore(self, backup: MemoryDisk) -> None:
        """Put a backup back: everything that was written since is gone. For a host that is down."""
        earlier = backup.copy()
        self.peers, self.replay = earlier.peers, earlier.replay
        self.outbox, self.inbox = earlier.outbox, earlier.inbox


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
        """Make it usable."""
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
        if self._crashed:
            raise asyncio.CancelledError
        if not self._open:
            raise StateError("The store is not open.", path="(memory)", code="closed")
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

        def operation() -> None:
            self.disk.peers[peer_id] = replace(
                self._record(peer_id), protocol=record.protocol, last_seen_ms=record.last_seen_ms
            )

        await self._write(operation)

    async def forget_peer(self, peer_id: PeerId) -> None:
        """Remove everything about a contact."""

        def operation() -> None:
            self.disk.peers.pop(peer_id, None)
            self.disk.replay.pop(peer_id, None)
            self.disk.outbox.pop(peer_id, None)
            self.disk.inbox = [message for message in self.disk.inbox if message.peer_id != peer_id]

        await self._write(operation)

    async def load_replay(self, peer_id: PeerId) -> ReplayWindow:
        """The window of this sender; an empty one if there is none."""
        return await self._perform(lambda: self.disk.replay.get(peer_id, ReplayWindow()))

    async def save_replay(self, peer_id: PeerId, window: ReplayWindow) -> None:
        """Replace it."""

        def operation() -> None:
            self.disk.replay[peer_id] = window

        await self._write(operation)

    async def append_outbox(
        self, peer_id: PeerId, text: str, *, now_ms: int, new_epoch: bytes, offered: bool = False
    ) -> int:
        """Give the message the next number and keep it."""

        def operation() -> int:
            queue = self.disk.outbox.setdefault(peer_id, [])
            if len(queue) >= limits.OUTBOX_MESSAGES:
                raise StateError(
                    f"{limits.OUTBOX_MESSAGES} messages wait for this contact already. The message was not "
                    "accepted; those that wait are kept. Try again when the contact was online.",
                    path="(memory)",
                    code="outbox-full",
                )
            record = self._record(peer_id)
            number = record.out_next
            queue.append(OutboxMessage(number, text, now_ms))
            self.disk.peers[peer_id] = replace(
                record,
                out_epoch=record.out_epoch or new_epoch,
                out_next=number + 1,
                out_offered=number + 1 if offered else record.out_offered,
            )
            return number

        return await self._write(operation)

    async def read_outbox(self, peer_id: PeerId, *, after: int, limit: int) -> list[OutboxMessage]:
        """Unacknowledged messages with a number above ``after``, in order."""

        def operation() -> list[OutboxMessage]:
            queue = self.disk.outbox.get(peer_id, [])
            return [message for message in queue if message.number > after][:limit]

        return await self._perform(operation)

    async def acknowledge_outbox(self, peer_id: PeerId, *, through: int) -> None:
        """Forget the messages up to and including ``through``."""

        def operation() -> None:
            queue = self.disk.outbox.get(peer_id, [])
            self.disk.outbox[peer_id] = [message for message in queue if message.number > through]

        await self._write(operation)

    async def offer_outbox(self, peer_id: PeerId) -> None:
        """Whatever is in the outbox may be sent from now on."""

        def operation() -> None:
            if (record := self.disk.peers.get(peer_id)) is not None:
                self.disk.peers[peer_id] = replace(record, out_offered=record.out_next)

        await self._write(operation)

    async def renew_outbox(self, peer_id: PeerId, *, new_epoch: bytes, known_as: bytes = b"") -> PeerRecord:
        """Name the outbox anew and number what waits in it from 1, in the same order."""

        def operation() -> PeerRecord:
            record = self._record(peer_id)
            queue = self.disk.outbox.get(peer_id, [])
            self.disk.outbox[peer_id] = [
                replace(message, number=number) for number, message in enumerate(queue, 1)
            ]
            names = [name for name in dict.fromkeys((record.out_epoch, known_as)) if name]
            kept = [name for name in record.out_retired if name not in names]
            record = self.disk.peers[peer_id] = replace(
                record,
                out_epoch=new_epoch,
                out_next=len(queue) + 1,
                out_offered=1,
                out_retired=tuple([*kept, *names][-limits.RETIRED_EPOCHS :]),
            )
            return record

        return await self._write(operation)

    async def accept_inbox(
        self, peer_id: PeerId, *, epoch: bytes, messages: Iterable[tuple[int, str]], now_ms: int
    ) -> list[InboxMessage]:
        """Keep received messages, each exactly once, together with ``in_epoch`` and ``in_next``."""
        received = list(messages)

        def operation() -> list[InboxMessage]:
            record = self._record(peer_id)
            retired = dict(record.in_retired)
            new = []
            for number, text in received:
                expected = record.in_next if epoch == record.in_epoch else retired.get(epoch, 1)
                if number < expected:
                    continue
                new.append(InboxMessage(peer_id, epoch, number, text, now_ms))
                if record.in_epoch not in (b"", epoch):
                    retired.pop(epoch, None)
                    retired[record.in_epoch] = record.in_next
                kept = tuple(retired.items())[-limits.RETIRED_EPOCHS :]
                record = replace(record, in_epoch=epoch, in_next=number + 1, in_retired=kept)
            if new:
                self.disk.inbox.extend(new)
                self.disk.peers[peer_id] = record
            return new

        return await self._write(operation)

    async def skip_inbox(self, peer_id: PeerId, *, epoch: bytes, to: int) -> None:
        """Expect ``to`` next in a known epoch, if less was expected."""

        def operation() -> None:
            record = self._record(peer_id)
            if epoch == record.in_epoch:
                record = replace(record, in_next=max(record.in_next, to))
            retired = tuple(
                (name, max(number, to) if name == epoch else number) for name, number in record.in_retired
            )
            self.disk.peers[peer_id] = replace(record, in_retired=retired)

        await self._write(operation)

    async def read_inbox(self) -> list[InboxMessage]:
        """Everything not yet confirmed by the application, oldest first."""
        return await self._perform(lambda: list(self.disk.inbox))

    async def consume_inbox(self, message: InboxMessage) -> None:
        """Forget the message's text."""
        key = (message.peer_id, message.epoch, message.number)

        def operation() -> None:
            self.disk.inbox = [
                kept for kept in self.disk.inbox if (kept.peer_id, kept.epoch, kept.number) != key
            ]

        await self._write(operation)

    def _record(self, peer_id: PeerId) -> PeerRecord:
        return self.disk.peers.get(peer_id, PeerRecord())
