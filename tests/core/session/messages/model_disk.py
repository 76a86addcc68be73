"""What `p4.core.session.messages.stored` promises, in the plainest way: the reference for every store.

One contact, one dictionary of messages each way; an operation happens wholly or raises `RefusalError`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from p4.core import limits
from p4.core.session.messages.relation import RelationState
from p4.core.session.messages.stored import (
    AcceptInbox,
    AcknowledgeOutbox,
    Appended,
    AppendOutbox,
    ConsumeInbox,
    DropOutbox,
    InboxMessage,
    Kept,
    OfferOutbox,
    Operation,
    OutboxMessage,
    ReadOutbox,
    ReadWaiting,
    RenewOutbox,
    SkipInbox,
    Waiting,
)


class RefusalError(Exception):
    """The disk did nothing of it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class ModelDisk:
    """Messages of one contact."""

    record: RelationState = field(default_factory=RelationState)
    outbox: dict[int, OutboxMessage] = field(default_factory=dict)
    inbox: dict[int, InboxMessage] = field(default_factory=dict)
    positions: int = 0

    def copy(self) -> ModelDisk:
        return ModelDisk(self.record, dict(self.outbox), dict(self.inbox), self.positions)

    def load(self) -> RelationState:
        """The record as a starting process finds it."""
        return replace(
            self.record,
            out_waiting=len(self.outbox),
            in_waiting=len(self.inbox),
            in_waiting_bytes=sum(len(m.body) for m in self.inbox.values()),
        )

    def expected(self, epoch: bytes) -> int | None:
        if epoch == self.record.in_epoch:
            return self.record.in_next
        return dict(self.record.in_retired).get(epoch)

    def _change(self, **fields: Any) -> None:
        self.record = replace(self.record, **fields)

    def perform(self, operation: Operation) -> Any:
        """Do it. Raises RefusalError: ``outbox-full``."""
        match operation:
            case AppendOutbox():
                return self._append(operation)
            case ReadOutbox():
                return self._read(operation)
            case DropOutbox(numbers):
                for number in numbers:
                    self.outbox.pop(number, None)
            case AcknowledgeOutbox(through):
                for number in [n for n in self.outbox if n <= through]:
                    del self.outbox[number]
                self._change(out_first=max(self.record.out_first, through + 1))
            case OfferOutbox():
                self._change(out_offered=self.record.out_next)
            case RenewOutbox():
                return self._renew(operation)
            case AcceptInbox():
                return self._accept(operation)
            case SkipInbox(epoch, to):
                self._skip(epoch, to)
            case ConsumeInbox(positions, services, epoch):
                for position in positions:
                    self.inbox.pop(position, None)
                return self._waiting(services, epoch)
            case ReadWaiting(epoch):
                return self._waiting({m.service for m in self.inbox.values()}, epoch)
        return None

    # --- outbox -----------------------------------------------------------------------------------------

    def _append(self, operation: AppendOutbox) -> Appended:
        outbox, removed = dict(self.outbox), []
        first = number = self.record.out_next
        for draft in operation.drafts:
            if draft.key:
                older = [n for n, m in outbox.items() if (m.service, m.key) == (draft.service, draft.key)]
                for old in older:
                    del outbox[old]
                    removed.append(old)
            outbox[number] = OutboxMessage(number, *draft)
            number += 1
        size = sum(len(m.body) for m in outbox.values())
        if len(outbox) > operation.quota.messages or size > operation.quota.bytes:
            raise RefusalError("outbox-full")
        self.outbox = outbox
        self._change(
            out_epoch=self.record.out_epoch or operation.new_epoch,
            out_next=number,
            out_offered=number if operation.offered else self.record.out_offered,
        )
        return Appended(first, tuple(removed))

    def _read(self, operation: ReadOutbox) -> tuple[OutboxMessage, ...]:
        found: list[OutboxMessage] = []
        size = 0
        for number in sorted(n for n in self.outbox if n > operation.after)[: operation.limit]:
            size += len(self.outbox[number].body)
            if found and size > operation.most_bytes:
                break
            found.append(self.outbox[number])
        return tuple(found)

    def _renew(self, operation: RenewOutbox) -> RelationState:
        shift = min(self.outbox, default=self.record.out_next) - 1
        self.outbox = {n - shift: m._replace(number=n - shift) for n, m in self.outbox.items()}
        retired = list(self.record.out_retired)
        for name in (self.record.out_epoch, operation.known_as):
            if name:
                retired = [other for other in retired if other != name] + [name]
        self._change(
            out_epoch=operation.new_epoch,
            out_first=1,
            out_next=self.record.out_next - shift,
            out_offered=1,
            out_retired=tuple(retired[-limits.RETIRED_EPOCHS :]),
        )
        return self.load()

    # --- inbox ------------------------------------------------------------------------------------------

    def _accept(self, operation: AcceptInbox) -> Kept:
        expected = self.expected(operation.epoch) or 1
        kept: list[InboxMessage] = []
        removed: list[int] = []
        for message in operation.messages:
            if message.number < expected:
                continue
            if message.expires_ms and message.expires_ms <= operation.received_ms:
                continue
            if message.key:
                for position, older in list(self.inbox.items()):
                    same = (older.service, older.key) == (message.service, message.key)
                    if same and position not in operation.held:
                        del self.inbox[position]
                        removed.append(position)
            self.positions += 1
            self.inbox[self.positions] = InboxMessage(
                self.positions,
                operation.epoch,
                message.number,
                message.service,
                message.kind,
                message.body,
                message.key,
                message.sent_ms,
                operation.received_ms,
                message.expires_ms,
            )
            kept.append(self.inbox[self.positions])
        if operation.through >= expected:
            self._turn_to(operation.epoch, operation.through + 1)
        own = {message.position for message in kept}
        return Kept(
            tuple(message for message in kept if message.position in self.inbox),
            tuple(position for position in removed if position not in own),
            len(self.inbox),
            sum(len(m.body) for m in self.inbox.values()),
        )

    def _turn_to(self, epoch: bytes, following: int) -> None:
        retired = dict(self.record.in_retired)
        if epoch != self.record.in_epoch:
            retired.pop(epoch, None)
            if self.record.in_epoch:
                retired[self.record.in_epoch] = self.record.in_next
        self._change(
            in_epoch=epoch,
            in_next=following,
            in_retired=tuple(list(retired.items())[-limits.RETIRED_EPOCHS :]),
        )

    def _skip(self, epoch: bytes, to: int) -> None:
        if epoch == self.record.in_epoch:
            self._change(in_next=max(self.record.in_next, to))
        elif epoch in dict(self.record.in_retired):
            retired = ((e, max(n, to) if e == epoch else n) for e, n in self.record.in_retired)
            self._change(in_retired=tuple(retired))

    def _waiting(self, services: Iterable[str], epoch: bytes) -> Waiting:
        first: dict[str, int] = {}
        for service in services:
            numbers = [m.number for m in self.inbox.values() if (m.service, m.epoch) == (service, epoch)]
            first[service] = min(numbers, default=0)
        return Waiting(first, len(self.inbox), sum(len(m.body) for m in self.inbox.values()))
