"""What a store in memory keeps, and what the operations of `p4.core.session.messages.stored` do to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from p4.core import limits
from p4.core.identity import PeerId
from p4.core.replay import ReplayWindow
from p4.core.session.messages import stored
from p4.core.session.messages.stored import InboxMessage, OutboxMessage
from p4.errors import StateError
from p4.ports import PeerRecord, StreamRecord

__all__ = ["MemoryDisk", "SpoolBytes"]


@dataclass
class SpoolBytes:
    """The bytes of a stream.

    ``synced`` is what a power failure leaves; only `MemoryDisk.lose_power` looks at it.
    """

    start: int = 0
    data: bytearray = field(default_factory=bytearray)
    synced: int = 0

    @property
    def end(self) -> int:
        """Offset after the newest byte."""
        return self.start + len(self.data)

    def copy(self) -> SpoolBytes:
        """The same bytes, independent of these."""
        return SpoolBytes(self.start, bytearray(self.data), self.synced)


@dataclass
class MemoryDisk:
    """What survives a crash. Give it to one `MemoryStore` after the other.

    ``failure``, while set, is raised by every write instead of writing (a full disk).
    """

    peers: dict[PeerId, PeerRecord] = field(default_factory=dict)
    replay: dict[PeerId, ReplayWindow] = field(default_factory=dict)
    outbox: dict[PeerId, dict[int, OutboxMessage]] = field(default_factory=dict)
    """By contact and number, in order."""
    inbox: dict[PeerId, dict[int, InboxMessage]] = field(default_factory=dict)
    """By contact and position, in order."""
    streams: dict[PeerId, dict[int, StreamRecord]] = field(default_factory=dict)
    """By contact and id."""
    spools: dict[tuple[PeerId, int], SpoolBytes] = field(default_factory=dict)
    last_position: int = 0
    """The highest position of a received message so far."""
    failure: StateError | None = None

    def copy(self) -> MemoryDisk:
        """The disk as it is now: a backup that a test may restore."""
        return MemoryDisk(
            dict(self.peers),
            dict(self.replay),
            {peer: dict(queue) for peer, queue in self.outbox.items()},
            {peer: dict(queue) for peer, queue in self.inbox.items()},
            {peer: dict(records) for peer, records in self.streams.items()},
            {name: spool.copy() for name, spool in self.spools.items()},
            self.last_position,
        )

    def restore(self, backup: MemoryDisk) -> None:
        """Put a backup back: everything that was written since is gone. For a host that is down."""
        earlier = backup.copy()
        self.peers, self.replay = earlier.peers, earlier.replay
        self.outbox, self.inbox = earlier.outbox, earlier.inbox
        self.streams, self.spools = earlier.streams, earlier.spools
        self.last_position = earlier.last_position

    def lose_power(self, *, kept: float = 0.0) -> None:
        """Drop what was not synced: the ends of spools. For a host that is down.

        Args:
            kept: the part of these ends, 0 to 1, that had reached the medium by chance.
        """
        for spool in self.spools.values():
            safe = max(spool.synced, spool.start)
            del spool.data[safe + int((spool.end - safe) * kept) - spool.start :]
            spool.synced = spool.end

    def forget(self, peer_id: PeerId) -> None:
        """Remove everything about a contact."""
        for part in (self.peers, self.replay, self.outbox, self.inbox, self.streams):
            part.pop(peer_id, None)
        for name in [name for name in self.spools if name[0] == peer_id]:
            del self.spools[name]

    def record(self, peer_id: PeerId) -> PeerRecord:
        """What is known of a contact, with the counters as they are."""
        return self.peers.get(peer_id, PeerRecord())

    def perform(self, peer_id: PeerId, operation: stored.Operation) -> Any:
        """Do it, wholly or not at all. Raises StateError ``outbox-full``."""
        return _PERFORM[type(operation)](self, peer_id, operation)

    def read_inbox(
        self, peer_id: PeerId, service: str, after: int, limit: int, most_bytes: int
    ) -> list[InboxMessage]:
        """See `p4.ports.Store`."""
        waiting = self.inbox.get(peer_id, {}).values()
        found = [one for one in waiting if one.service == service and one.position > after]
        return _within(found, limit, most_bytes)

    def put_outbox(self, peer_id: PeerId, queue: Iterable[OutboxMessage], record: PeerRecord) -> PeerRecord:
        """Replace a contact's outbox and record, the counters brought up to date."""
        kept = self.outbox[peer_id] = {message.number: message for message in queue}
        record = replace(record, out_waiting=len(kept))
        self.peers[peer_id] = record
        return record

    def put_inbox(self, peer_id: PeerId, queue: Iterable[InboxMessage], record: PeerRecord) -> PeerRecord:
        """Replace a contact's inbox and record, the counters brought up to date."""
        kept = self.inbox[peer_id] = {message.position: message for message in queue}
        record = replace(record, in_waiting=len(kept), in_waiting_bytes=_bytes(kept.values()))
        self.peers[peer_id] = record
        return record


def _bytes(messages: Iterable[OutboxMessage | InboxMessage]) -> int:
    return sum([len(message.body) for message in messages])


def _within(messages: list[Any], limit: int, most_bytes: int) -> list[Any]:
    size = 0
    for place, message in enumerate(messages[: max(0, limit)]):
        size += len(message.body)
        if place and size > most_bytes:
            return messages[:place]
    return messages[: max(0, limit)]


def _append(disk: MemoryDisk, peer_id: PeerId, operation: stored.AppendOutbox) -> stored.Appended:
    record = disk.record(peer_id)
    first = record.out_next
    queue = list(disk.outbox.get(peer_id, {}).values())
    queue += [OutboxMessage(number, *draft) for number, draft in enumerate(operation.drafts, first)]
    # Only drafts replace: two older messages with the same key cannot be.
    latest = {(one.service, one.key): one.number for one in queue if one.key}
    removed = {one.number for one in queue if one.key and latest[one.service, one.key] != one.number}
    queue = [one for one in queue if one.number not in removed]
    size = _bytes(queue)
    if operation.drafts and (len(queue) > operation.quota.messages or size > operation.quota.bytes):
        raise StateError(
            f"With these, {len(queue)} messages of {size} bytes would wait for this contact; at most "
            f"{operation.quota.messages} and {operation.quota.bytes} bytes are kept. These were not queued; "
            "the waiting ones are safe. Try again when the contact has been online.",
            path="(memory)",
            code="outbox-full",
        )
    out_next = first + len(operation.drafts)
    record = replace(
        record,
        out_epoch=record.out_epoch or operation.new_epoch,
        out_next=out_next,
        out_offered=out_next if operation.offered else record.out_offered,
    )
    disk.put_outbox(peer_id, queue, record)
    return stored.Appended(first, tuple(removed))


def _read(disk: MemoryDisk, peer_id: PeerId, operation: stored.ReadOutbox) -> tuple[OutboxMessage, ...]:
    queue = disk.outbox.get(peer_id, {}).values()
    found = [message for message in queue if message.number > operation.after]
    return tuple(_within(found, operation.limit, operation.most_bytes))


def _drop(disk: MemoryDisk, peer_id: PeerId, operation: stored.DropOutbox) -> None:
    if (record := disk.peers.get(peer_id)) is not None:
        gone = set(operation.numbers)
        queue = disk.outbox.get(peer_id, {}).values()
        disk.put_outbox(peer_id, [one for one in queue if one.number not in gone], record)


def _acknowledge(disk: MemoryDisk, peer_id: PeerId, operation: stored.AcknowledgeOutbox) -> None:
    if (record := disk.peers.get(peer_id)) is not None:
        # Numbers never given out change nothing: the contact cannot move our count.
        first = max(record.out_first, min(operation.through + 1, record.out_next))
        queue = disk.outbox.get(peer_id, {}).values()
        disk.put_outbox(
            peer_id, [one for one in queue if one.number >= first], replace(record, out_first=first)
        )


def _offer(disk: MemoryDisk, peer_id: PeerId, _: stored.OfferOutbox) -> None:
    if (record := disk.peers.get(peer_id)) is not None:
        disk.peers[peer_id] = replace(record, out_offered=record.out_next)


def _renew(disk: MemoryDisk, peer_id: PeerId, operation: stored.RenewOutbox) -> PeerRecord:
    record = disk.record(peer_id)
    waiting = disk.outbox.get(peer_id, {})
    shift = next(iter(waiting), record.out_next) - 1
    queue = [message._replace(number=number - shift) for number, message in waiting.items()]
    names = [name for name in dict.fromkeys((record.out_epoch, operation.known_as)) if name]
    kept = [name for name in record.out_retired if name not in names]
    record = replace(
        record,
        out_epoch=operation.new_epoch,
        out_first=1,
        out_next=record.out_next - shift,
        out_offered=1,
        out_retired=tuple([*kept, *names][-limits.RETIRED_EPOCHS :]),
    )
    return disk.put_outbox(peer_id, queue, record)


def _accept(disk: MemoryDisk, peer_id: PeerId, operation: stored.AcceptInbox) -> stored.Kept:
    record, epoch = disk.record(peer_id), operation.epoch
    waiting = list(disk.inbox.get(peer_id, {}).values())
    retired = dict(record.in_retired)
    known = record.in_next if epoch == record.in_epoch else retired.get(epoch)
    if operation.through < (known or 1):
        return stored.Kept((), (), record.in_waiting, record.in_waiting_bytes)
    # What waits under the name of an epoch that was forgotten and comes back must not wait twice.
    expected = known or 1 + max((one.number for one in waiting if one.epoch == epoch), default=0)
    in_next = max(operation.through + 1, expected)
    new: list[InboxMessage] = []
    for number, service, kind, body, key, sent_ms, expires_ms in operation.messages:
        if number < expected:
            continue
        expected = number + 1
        if 0 < expires_ms <= operation.received_ms:
            continue
        if key:
            new = [one for one in new if (one.service, one.key) != (service, key)]
        now_ms = operation.received_ms
        new.append(InboxMessage(0, epoch, number, service, kind, body, key, sent_ms, now_ms, expires_ms))
    new = [one._replace(position=place) for place, one in enumerate(new, disk.last_position + 1)]
    disk.last_position += len(new)
    keys = {(one.service, one.key) for one in new if one.key}
    removed = {
        one.position
        for one in waiting
        if (one.service, one.key) in keys and one.position not in operation.held
    }
    if epoch != record.in_epoch:
        retired.pop(epoch, None)
        if record.in_epoch:
            retired[record.in_epoch] = record.in_next
    record = replace(
        record,
        in_epoch=epoch,
        in_next=in_next,
        in_retired=tuple(retired.items())[-limits.RETIRED_EPOCHS :] if limits.RETIRED_EPOCHS else (),
    )
    queue = [one for one in waiting if one.position not in removed] + new
    record = disk.put_inbox(peer_id, queue, record)
    return stored.Kept(tuple(new), tuple(removed), record.in_waiting, record.in_waiting_bytes)


def _skip(disk: MemoryDisk, peer_id: PeerId, operation: stored.SkipInbox) -> None:
    if (record := disk.peers.get(peer_id)) is None:
        return
    epoch, to = operation.epoch, min(operation.to, limits.SAFE_INTEGER + 1)
    if epoch == record.in_epoch:
        record = replace(record, in_next=max(record.in_next, to))
    retired = tuple(
        (name, max(number, to) if name == epoch else number) for name, number in record.in_retired
    )
    disk.peers[peer_id] = replace(record, in_retired=retired)


def _consume(disk: MemoryDisk, peer_id: PeerId, operation: stored.ConsumeInbox) -> stored.Waiting:
    if peer_id in disk.peers:
        gone = set(operation.positions)
        waiting = disk.inbox.get(peer_id, {}).values()
        disk.put_inbox(peer_id, [one for one in waiting if one.position not in gone], disk.record(peer_id))
    return _waiting(disk, peer_id, operation.services, operation.epoch)


def _read_waiting(disk: MemoryDisk, peer_id: PeerId, operation: stored.ReadWaiting) -> stored.Waiting:
    services = {message.service for message in disk.inbox.get(peer_id, {}).values()}
    return _waiting(disk, peer_id, services, operation.epoch)


def _waiting(disk: MemoryDisk, peer_id: PeerId, services: Iterable[str], epoch: bytes) -> stored.Waiting:
    waiting = disk.inbox.get(peer_id, {}).values()
    first = {
        service: min(
            (one.number for one in waiting if (one.service, one.epoch) == (service, epoch)), default=0
        )
        for service in services
    }
    record = disk.record(peer_id)
    return stored.Waiting(first, record.in_waiting, record.in_waiting_bytes)


_PERFORM: dict[type[stored.Operation], Callable[[MemoryDisk, PeerId, Any], Any]] = {
    stored.AppendOutbox: _append,
    stored.ReadOutbox: _read,
    stored.DropOutbox: _drop,
    stored.AcknowledgeOutbox: _acknowledge,
    stored.OfferOutbox: _offer,
    stored.RenewOutbox: _renew,
    stored.AcceptInbox: _accept,
    stored.SkipInbox: _skip,
    stored.ConsumeInbox: _consume,
    stored.ReadWaiting: _read_waiting,
}
