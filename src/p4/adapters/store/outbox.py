"""Operations on messages that wait to be sent (`p4.core.session.messages.stored`)."""

from __future__ import annotations

from p4.adapters.store import peers, rows
from p4.adapters.store.relations import Relation, Relations
from p4.core.identity import PeerId
from p4.core.session.messages.stored import (
    AcknowledgeOutbox,
    Appended,
    AppendOutbox,
    DropOutbox,
    OfferOutbox,
    OutboxMessage,
    ReadOutbox,
    RenewOutbox,
)
from p4.errors import StateError
from p4.ports import PeerRecord

__all__ = ["acknowledge", "append", "drop", "offer", "read", "renew", "size"]

_COLUMNS = "relation, number, service, kind, body, key, accepted_ms, expires_ms"

_FAR = 2**60
"""Beyond every number: where messages are numbered while they change places."""

_LARGEST_INTEGER = 2**63 - 1


def append(relations: Relations, peer_id: PeerId, operation: AppendOutbox) -> Appended:
    """Give the messages the next numbers. Everything that may be refused is before the first change."""
    relation = relations.get(peer_id)
    first = relation.out_next
    messages = [OutboxMessage(number, *draft) for number, draft in enumerate(operation.drafts, first)]
    latest = {(message.service, message.key): message.number for message in messages if message.key}
    removed: list[int] = []
    older: list[int] = []
    waiting, size = relation.out_waiting, relation.out_bytes
    if latest:
        removed = [one.number for one in messages if one.key and latest[one.service, one.key] != one.number]
        gone = set(removed)
        messages = [one for one in messages if one.number not in gone]
        for number, length in _same_keys(relations, relation, list(latest)):
            older.append(number)
            waiting, size = waiting - 1, size - length
    waiting += len(messages)
    size += sum([len(message.body) for message in messages])
    quota = operation.quota
    if operation.drafts and (waiting > quota.messages or size > quota.bytes):
        raise StateError(
            f"With these, {waiting} messages of {size} bytes would wait for {peer_id}; at most "
            f"{quota.messages} and {quota.bytes} bytes are kept. These were not queued; the waiting ones are "
            "safe. Try again when the contact has been online.",
            path=relations.path,
            code="outbox-full",
        )
    if older:
        rows.delete_where_in(relations.connection, "outbox", "number", relation.id, older)
    rows.insert(relations.connection, "outbox", _COLUMNS, relation.id, messages)
    relation.out_next += len(operation.drafts)
    relation.out_waiting, relation.out_bytes = waiting, size
    relation.out_epoch = relation.out_epoch or operation.new_epoch
    if operation.offered:
        relation.out_offered = relation.out_next
    relations.changed(relation)
    return Appended(first, tuple(older + removed))


def size(relations: Relations, peer_id: PeerId) -> int:
    """Bytes of the bodies of all messages that wait."""
    relation = relations.find(peer_id)
    return 0 if relation is None else relation.out_bytes


def _same_keys(
    relations: Relations, relation: Relation, keys: list[tuple[str, str]]
) -> list[tuple[int, int]]:
    """Number and length of each waiting message with one of these services and keys."""
    return rows.select_keys(relations.connection, "outbox", "number, length(body)", relation.id, keys)


def read(relations: Relations, peer_id: PeerId, operation: ReadOutbox) -> tuple[OutboxMessage, ...]:
    """A stretch of the outbox, in order."""
    relation = relations.find(peer_id)
    if relation is None or operation.limit <= 0:
        return ()
    found = relations.connection.execute(
        "SELECT number, service, kind, body, key, accepted_ms, expires_ms FROM outbox "
        "WHERE relation = ? AND number > ? ORDER BY number LIMIT ?",
        (relation.id, min(max(operation.after, 0), _LARGEST_INTEGER), min(operation.limit, _LARGEST_INTEGER)),
    )
    return tuple(OutboxMessage(*row) for row in rows.within(found, 3, operation.most_bytes))


def drop(relations: Relations, peer_id: PeerId, operation: DropOutbox) -> None:
    """Remove single messages."""
    relation = relations.find(peer_id)
    if relation is not None and operation.numbers:
        numbers = [number for number in operation.numbers if 0 < number < relation.out_next]
        count, size = rows.delete_where_in(relations.connection, "outbox", "number", relation.id, numbers)
        _removed(relations, relation, count, size)


def acknowledge(relations: Relations, peer_id: PeerId, operation: AcknowledgeOutbox) -> None:
    """Remove the beginning. Numbers never given out change nothing: the contact cannot move our count."""
    relation = relations.find(peer_id)
    if relation is None:
        return
    first = min(operation.through + 1, relation.out_next)
    if first <= relation.out_first:
        return
    relation.out_first = first
    relations.changed(relation)
    if not relation.out_waiting:
        return
    if first == relation.out_next:
        relations.connection.execute("DELETE FROM outbox WHERE relation = ?", (relation.id,)).close()
        _removed(relations, relation, relation.out_waiting, relation.out_bytes)
        return
    where = "FROM outbox WHERE relation = ? AND number <= ?"
    count, size = relations.connection.execute(
        f"SELECT count(*), ifnull(sum(length(body)), 0) {where}",
        (relation.id, operation.through),
    ).fetchone()
    if count:
        relations.connection.execute(f"DELETE {where}", (relation.id, operation.through)).close()
        _removed(relations, relation, count, size)


def _removed(relations: Relations, relation: Relation, count: int, size: int) -> None:
    if count:
        relation.out_waiting -= count
        relation.out_bytes -= size
        relations.changed(relation)


def offer(relations: Relations, peer_id: PeerId, _: OfferOutbox) -> None:
    """Whatever has a number may have been sent from now on."""
    relation = relations.find(peer_id)
    if relation is not None and relation.out_offered != relation.out_next:
        relation.out_offered = relation.out_next
        relations.changed(relation)


def renew(relations: Relations, peer_id: PeerId, operation: RenewOutbox) -> PeerRecord:
    """Retire the present name, and let every number fall by as much, so that the oldest becomes 1."""
    relation = relations.get(peer_id)
    for epoch in (relation.out_epoch, operation.known_as):
        if epoch:
            peers.retire_outbox(relations.connection, relation.id, epoch)
    (oldest,) = relations.connection.execute(
        "SELECT min(number) FROM outbox WHERE relation = ?", (relation.id,)
    ).fetchone()
    shift = (oldest or relation.out_next) - 1
    if oldest and shift:
        # In two steps, so that whatever the order of the rows no two have the same number on the way.
        for change in (_FAR, -_FAR - shift):
            relations.connection.execute(
                "UPDATE outbox SET number = number + ? WHERE relation = ?", (change, relation.id)
            ).close()
    relation.out_epoch = operation.new_epoch
    relation.out_next -= shift
    relation.out_first = relation.out_offered = 1
    relations.changed(relation)
    return peers.load_peer(relations, peer_id)
