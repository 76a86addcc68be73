"""Records of open streams; their bytes are in files (`p4.adapters.store.spool`)."""

from __future__ import annotations

from p4.adapters.store.relations import Relations
from p4.core.identity import PeerId
from p4.ports import StreamRecord

__all__ = ["forget_stream", "load_streams", "save_stream"]


def load_streams(relations: Relations) -> dict[PeerId, list[StreamRecord]]:
    """Every open stream, by contact, oldest first."""
    streams: dict[PeerId, list[StreamRecord]] = {}
    for (
        peer_id,
        stream_id,
        service,
        name,
        here,
        accepted,
        consumed,
        final,
        reset,
        text,
        done,
        created,
        floor,
        closed,
    ) in relations.connection.execute(
        "SELECT peer_id, stream.id, service, name, opened_here, accepted, consumed, final, reset, "
        "reset_text, done, created_ms, floor, closed FROM stream JOIN relation "
        "ON relation.id = stream.relation ORDER BY created_ms, position"
    ):
        record = StreamRecord(
            int.from_bytes(stream_id, "big"),
            service,
            name,
            bool(here),
            bool(accepted),
            consumed,
            bool(final),
            reset,
            text,
            bool(done),
            created,
            floor,
            bool(closed),
        )
        streams.setdefault(PeerId(peer_id), []).append(record)
    return streams


def save_stream(relations: Relations, peer_id: PeerId, record: StreamRecord) -> None:
    """Write a record, new or known."""
    relations.connection.execute(
        "INSERT INTO stream (relation, id, service, name, opened_here, accepted, consumed, final, reset, "
        "reset_text, done, created_ms, floor, closed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (relation, id) DO UPDATE SET service = excluded.service, name = excluded.name, "
        "opened_here = excluded.opened_here, accepted = excluded.accepted, consumed = excluded.consumed, "
        "final = excluded.final, reset = excluded.reset, reset_text = excluded.reset_text, "
        "done = excluded.done, created_ms = excluded.created_ms, floor = excluded.floor, "
        "closed = excluded.closed",
        (
            relations.get(peer_id).id,
            _id(record.id),
            record.service,
            record.name,
            record.opened_here,
            record.accepted,
            record.consumed,
            record.final,
            int(record.reset),
            record.reset_text,
            record.done,
            record.created_ms,
            record.floor,
            record.closed,
        ),
    )


def forget_stream(relations: Relations, peer_id: PeerId, stream_id: int) -> None:
    """Remove a record; none if it is gone already."""
    relation = relations.find(peer_id)
    if relation is not None:
        relations.connection.execute(
            "DELETE FROM stream WHERE relation = ? AND id = ?", (relation.id, _id(stream_id))
        )


def _id(stream_id: int) -> bytes:
    """64 bits without a sign, which SQLite's integers have."""
    return stream_id.to_bytes(8, "big")
