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
    Received,
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
                # Numbers never given out change nothing: the contact cannot move our count.
                first = min(through + 1, self.record.out_next)
                for number in [n for n in self.outbox if n < first]:
                    del self.outbox[number]
                self._change(out_first=max(self.record.out_first, first))
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
        full = len(outbox) > operation.quota.messages or size > operation.quota.bytes
        if operation.drafts and full:
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
        known = self.expected(operation.epoch)
        # A forgotten epoch that comes back: what still waits under its name must not wait twice.
        waits = [m.number for m in self.inbox.values() if m.epoch == operation.epoch]
        expected = following = known or max(waits, default=0) + 1
        fresh: list[Received] = []
        for message in operation.messages:
            if message.number >= following:
                following = message.number + 1
                if not message.expires_ms or message.expires_ms > operation.received_ms:
                    fresh.append(message)
        latest = {(m.service, m.key): m.number for m in fresh if m.key}
        removed = [
            position
            for position, older in self.inbox.items()
            if (older.service, older.key) in latest and position not in operation.held
        ]
        for position in removed:
            del self.inbox[position]
        kept: list[InboxMessage] = []
        for message in fresh:
            if message.key and latest[message.service, message.key] != message.number:
                continue
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
        if operation.through >= (known or 1):
            self._turn_to(operation.epoch, max(operation.through + 1, expected))
        return Kept(
            tuple(kept),
            tuple(removed),
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
