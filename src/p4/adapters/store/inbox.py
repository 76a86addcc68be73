"""Operations on messages that were received (`p4.core.session.messages.stored`)."""

from __future__ import annotations

from collections.abc import Iterable

from p4.adapters.store import peers, rows
from p4.adapters.store.relations import Relation, Relations
from p4.core import limits
from p4.core.identity import PeerId
from p4.core.session.messages.stored import (
    AcceptInbox,
    ConsumeInbox,
    InboxMessage,
    Kept,
    ReadWaiting,
    Received,
    SkipInbox,
    Waiting,
)

__all__ = ["accept", "consume", "read", "read_waiting", "skip"]

_COLUMNS = "relation, position, epoch, number, service, kind, body, key, sent_ms, received_ms, expires_ms"

_LARGEST_INTEGER = 2**63 - 1


def accept(relations: Relations, peer_id: PeerId, operation: AcceptInbox) -> Kept:
    """Keep what is new, and count it."""
    relation = relations.get(peer_id)
    known = _expected(relations, relation, operation.epoch)
    if operation.through < (known or 1):
        return Kept((), (), relation.in_waiting, relation.in_waiting_bytes)
    # An epoch may come back after it was forgotten (older than the retired ones). What still waits under its
    # name must not wait twice, and tells how far we were.
    expected = known or _highest(relations, relation, operation.epoch) + 1
    fresh = _fresh(operation, expected)
    removed: list[int] = []
    keys = {(message.service, message.key): message.number for message in fresh if message.key}
    if keys:
        fresh = [one for one in fresh if not one.key or keys[one.service, one.key] == one.number]
        found = rows.select_keys(relations.connection, "inbox", "position", relation.id, list(keys))
        removed = [position for (position,) in found if position not in operation.held]
        count, size = rows.delete_where_in(relations.connection, "inbox", "position", relation.id, removed)
        relation.in_waiting -= count
        relation.in_waiting_bytes -= size
    kept: tuple[InboxMessage, ...] = ()
    if fresh:
        first = relations.take_positions(len(fresh))
        epoch, now_ms = operation.epoch, operation.received_ms
        kept = tuple(
            [
                InboxMessage(position, epoch, number, service, kind, body, key, sent_ms, now_ms, expires_ms)
                for position, (number, service, kind, body, key, sent_ms, expires_ms) in enumerate(
                    fresh, first
                )
            ]
        )
        rows.insert(relations.connection, "inbox", _COLUMNS, relation.id, kept)
        relation.in_waiting += len(kept)
        relation.in_waiting_bytes += sum([len(message.body) for message in kept])
    if relation.in_epoch != operation.epoch:
        # First, because what is present takes no room among the retired.
        relations.connection.execute(
            "DELETE FROM retired_inbox WHERE relation = ? AND epoch = ?", (relation.id, operation.epoch)
        ).close()
        if relation.in_epoch:
            peers.retire_inbox(relations.connection, relation.id, relation.in_epoch, relation.in_next)
    relation.in_epoch, relation.in_next = operation.epoch, max(operation.through + 1, expected)
    relations.changed(relation)
    return Kept(kept, tuple(removed), relation.in_waiting, relation.in_waiting_bytes)


def _fresh(operation: AcceptInbox, expected: int) -> list[Received]:
    """Messages that were not received before and whose time has not passed."""
    fresh: list[Received] = []
    for message in operation.messages:
        if message.number >= expected:
            expected = message.number + 1
            if not 0 < message.expires_ms <= operation.received_ms:
                fresh.append(message)
    return fresh


def _expected(relations: Relations, relation: Relation, epoch: bytes) -> int | None:
    """The number expected next in an epoch; None if it is not known."""
    if epoch == relation.in_epoch:
        return relation.in_next
    row = relations.connection.execute(
        "SELECT expected FROM retired_inbox WHERE relation = ? AND epoch = ?", (relation.id, epoch)
    ).fetchone()
    return int(row[0]) if row else None


def _highest(relations: Relations, relation: Relation, epoch: bytes) -> int:
    """The highest number that waits under the name of an epoch; 0 if none does."""
    if not relation.in_waiting:
        return 0
    (highest,) = relations.connection.execute(
        "SELECT max(number) FROM inbox WHERE relation = ? AND epoch = ?", (relation.id, epoch)
    ).fetchone()
    return int(highest or 0)


def skip(relations: Relations, peer_id: PeerId, operation: SkipInbox) -> None:
    """Expect a higher number in an epoch that is known."""
    relation = relations.find(peer_id)
    if relation is None:
        return
    to = min(operation.to, limits.SAFE_INTEGER + 1)
    if operation.epoch and operation.epoch == relation.in_epoch:
        if to > relation.in_next:
            relation.in_next = to
            relations.changed(relation)
        return
    relations.connection.execute(
        "UPDATE retired_inbox SET expected = max(expected, ?) WHERE relation = ? AND epoch = ?",
        (to, relation.id, operation.epoch),
    ).close()


def consume(relations: Relations, peer_id: PeerId, operation: ConsumeInbox) -> Waiting:
    """Remove messages; those that are not there any more are no error."""
    relation = relations.find(peer_id)
    if relation is None:
        return Waiting(dict.fromkeys(operation.services, 0), 0, 0)
    positions = [position for position in operation.positions if 0 < position <= _LARGEST_INTEGER]
    count, size = rows.delete_where_in(relations.connection, "inbox", "position", relation.id, positions)
    if count:
        relation.in_waiting -= count
        relation.in_waiting_bytes -= size
        relations.changed(relation)
    return _waiting(relations, relation, operation.services, operation.epoch)


def read_waiting(relations: Relations, peer_id: PeerId, operation: ReadWaiting) -> Waiting:
    """Which services have something waiting. Walks from service to service, not from message to message."""
    relation = relations.find(peer_id)
    if relation is None:
        return Waiting({}, 0, 0)
    services: list[str] = []
    latest = ""
    while row := relations.connection.execute(
        "SELECT service FROM inbox WHERE relation = ? AND service > ? ORDER BY service LIMIT 1",
        (relation.id, latest),
    ).fetchone():
        latest = row[0]
        services.append(latest)
    return _waiting(relations, relation, services, operation.epoch)


def _waiting(relations: Relations, relation: Relation, services: Iterable[str], epoch: bytes) -> Waiting:
    first = dict.fromkeys(services, 0)
    for service in first if relation.in_waiting else ():
        (lowest,) = relations.connection.execute(
            "SELECT min(number) FROM inbox WHERE relation = ? AND service = ? AND epoch = ?",
            (relation.id, service, epoch),
        ).fetchone()
        first[service] = lowest or 0
    return Waiting(first, relation.in_waiting, relation.in_waiting_bytes)


def read(
    relations: Relations, peer_id: PeerId, service: str, after: int, limit: int, most_bytes: int
) -> list[InboxMessage]:
    """A stretch of what waits for a service, in the order of its arrival."""
    relation = relations.find(peer_id)
    if relation is None or limit <= 0:
        return []
    found = relations.connection.execute(
        "SELECT position, epoch, number, service, kind, body, key, sent_ms, received_ms, expires_ms "
        "FROM inbox INDEXED BY inbox_service "
        "WHERE relation = ? AND service = ? AND position > ? ORDER BY position LIMIT ?",
        (relation.id, service, min(after, _LARGEST_INTEGER), min(limit, _LARGEST_INTEGER)),
    )
    return [InboxMessage(*row) for row in rows.within(found, 5, most_bytes)]
