"""The SQL behind each method of the store. Each runs inside a transaction that its caller commits."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from p4.core import limits
from p4.core.identity import PeerId
from p4.core.replay import ReplayWindow
from p4.ports import InboxMessage, OutboxMessage, PeerRecord

__all__ = [
    "accept_inbox",
    "acknowledge_outbox",
    "append_outbox",
    "consume_inbox",
    "forget_peer",
    "load_peers",
    "load_replay",
    "offer_outbox",
    "read_inbox",
    "read_outbox",
    "renew_outbox",
    "save_peer",
    "save_replay",
    "skip_inbox",
]

_FAR = 2**60
"""Beyond every number: where messages are numbered while they change places."""


def load_peers(connection: sqlite3.Connection) -> dict[PeerId, PeerRecord]:
    """Every record there is."""
    rows = connection.execute("SELECT peer_id FROM relation").fetchall()
    return {PeerId(peer_id): _record(connection, peer_id) for (peer_id,) in rows}


def _record(connection: sqlite3.Connection, peer_id: str) -> PeerRecord:
    relation, protocol, out_epoch, out_next, in_epoch, in_next, last_seen_ms, out_offered = (
        connection.execute(
            "SELECT id, protocol, out_epoch, out_next, in_epoch, in_next, last_seen_ms, out_offered "
            "FROM relation WHERE peer_id = ?",
            (peer_id,),
        ).fetchone()
    )
    ours = connection.execute(
        "SELECT epoch FROM retired_outbox WHERE relation = ? ORDER BY position", (relation,)
    )
    theirs = connection.execute(
        "SELECT epoch, expected FROM retired_inbox WHERE relation = ? ORDER BY position", (relation,)
    )
    return PeerRecord(
        protocol,
        out_epoch,
        out_next,
        in_epoch,
        in_next,
        last_seen_ms,
        out_offered,
        out_retired=tuple(epoch for (epoch,) in ours),
        in_retired=tuple((epoch, expected) for epoch, expected in theirs),
    )


def save_peer(connection: sqlite3.Connection, peer_id: PeerId, record: PeerRecord) -> None:
    """Write ``protocol`` and ``last_seen_ms``, and only these."""
    connection.execute(
        "UPDATE relation SET protocol = ?, last_seen_ms = ? WHERE id = ?",
        (record.protocol, record.last_seen_ms, _relation(connection, peer_id)),
    )


def forget_peer(connection: sqlite3.Connection, peer_id: PeerId) -> None:
    """Remove the relation; foreign keys take everything that hangs on it along."""
    connection.execute("DELETE FROM relation WHERE peer_id = ?", (peer_id,))


def load_replay(connection: sqlite3.Connection, peer_id: PeerId) -> ReplayWindow:
    """The stored window, its entries by time and nonce."""
    floor = connection.execute(
        "SELECT replay_floor_ms FROM relation WHERE peer_id = ?", (peer_id,)
    ).fetchone()
    if floor is None:
        return ReplayWindow()
    rows = connection.execute(
        "SELECT timestamp_ms, nonce FROM replay JOIN relation ON relation.id = replay.relation "
        "WHERE peer_id = ? ORDER BY timestamp_ms, nonce",
        (peer_id,),
    )
    return ReplayWindow(floor_ms=floor[0], entries=tuple((moment, nonce) for moment, nonce in rows))


def save_replay(connection: sqlite3.Connection, peer_id: PeerId, window: ReplayWindow) -> None:
    """Replace the window, touching only the rows that differ: usually one in, none or a few out."""
    relation = _relation(connection, peer_id)
    stored = set(connection.execute("SELECT timestamp_ms, nonce FROM replay WHERE relation = ?", (relation,)))
    wanted = set(window.entries)
    connection.executemany(
        "DELETE FROM replay WHERE relation = ? AND timestamp_ms = ? AND nonce = ?",
        [(relation, *entry) for entry in stored - wanted],
    )
    connection.executemany(
        "INSERT INTO replay (relation, timestamp_ms, nonce) VALUES (?, ?, ?)",
        [(relation, *entry) for entry in wanted - stored],
    )
    connection.execute("UPDATE relation SET replay_floor_ms = ? WHERE id = ?", (window.floor_ms, relation))


def append_outbox(
    connection: sqlite3.Connection,
    peer_id: PeerId,
    text: str,
    now_ms: int,
    new_epoch: bytes,
    offered: bool,
) -> int | None:
    """Give the message the next number; None if `limits.OUTBOX_MESSAGES` wait already."""
    relation = _relation(connection, peer_id)
    (number,) = connection.execute("SELECT out_next FROM relation WHERE id = ?", (relation,)).fetchone()
    (oldest,) = connection.execute(
        "SELECT min(number) FROM outbox WHERE relation = ?", (relation,)
    ).fetchone()
    # Numbers in the outbox have no holes, because only its beginning is ever removed.
    if oldest is not None and number - oldest >= limits.OUTBOX_MESSAGES:
        return None
    connection.execute(
        "UPDATE relation SET out_next = ?, out_epoch = iif(length(out_epoch) = 0, ?, out_epoch), "
        "out_offered = iif(?, ?, out_offered) WHERE id = ?",
        (number + 1, new_epoch, offered, number + 1, relation),
    )
    connection.execute(
        "INSERT INTO outbox (relation, number, text, accepted_ms) VALUES (?, ?, ?, ?)",
        (relation, number, text, now_ms),
    )
    return int(number)


def read_outbox(
    connection: sqlite3.Connection, peer_id: PeerId, after: int, limit: int
) -> list[OutboxMessage]:
    """A stretch of the outbox, in order."""
    rows = connection.execute(
        "SELECT number, text, accepted_ms FROM outbox "
        "WHERE relation = (SELECT id FROM relation WHERE peer_id = ?) AND number > ? ORDER BY number LIMIT ?",
        (peer_id, after, limit),
    )
    return [OutboxMessage(*row) for row in rows]


def acknowledge_outbox(connection: sqlite3.Connection, peer_id: PeerId, through: int) -> None:
    """Remove the confirmed beginning of the outbox."""
    connection.execute(
        "DELETE FROM outbox WHERE relation = (SELECT id FROM relation WHERE peer_id = ?) AND number <= ?",
        (peer_id, through),
    )


def offer_outbox(connection: sqlite3.Connection, peer_id: PeerId) -> None:
    """Whatever has a number may have been sent from now on."""
    connection.execute("UPDATE relation SET out_offered = out_next WHERE peer_id = ?", (peer_id,))


def renew_outbox(
    connection: sqlite3.Connection, peer_id: PeerId, new_epoch: bytes, known_as: bytes
) -> PeerRecord:
    """Retire the present name, and number what waits from 1."""
    relation = _relation(connection, peer_id)
    (old_epoch,) = connection.execute("SELECT out_epoch FROM relation WHERE id = ?", (relation,)).fetchone()
    for epoch in (old_epoch, known_as):
        if epoch:
            _retire(connection, "retired_outbox", relation, {"epoch": epoch})
    oldest, waiting = connection.execute(
        "SELECT min(number), count(*) FROM outbox WHERE relation = ?", (relation,)
    ).fetchone()
    if waiting:
        # In two steps, so that whatever the order of the rows no two have the same number on the way.
        for shift in (_FAR, 1 - oldest - _FAR):
            connection.execute("UPDATE outbox SET number = number + ? WHERE relation = ?", (shift, relation))
    connection.execute(
        "UPDATE relation SET out_epoch = ?, out_next = ?, out_offered = 1 WHERE id = ?",
        (new_epoch, waiting + 1, relation),
    )
    return _record(connection, peer_id)


def accept_inbox(
    connection: sqlite3.Connection,
    peer_id: PeerId,
    epoch: bytes,
    messages: Sequence[tuple[int, str]],
    now_ms: int,
) -> list[InboxMessage]:
    """Keep what is new, count it, and return it."""
    relation = _relation(connection, peer_id)
    present, in_next = connection.execute(
        "SELECT in_epoch, in_next FROM relation WHERE id = ?", (relation,)
    ).fetchone()
    expected = in_next if epoch == present else _retired_expected(connection, relation, epoch) or 1
    new: list[InboxMessage] = []
    moved = False
    for number, text in messages:
        if number < expected:
            continue
        expected, moved = number + 1, True
        # An epoch may come back after it was forgotten (older than the retired ones). What still waits
        # under this name is the same message and must not wait twice.
        inserted = connection.execute(
            "INSERT INTO inbox (relation, epoch, number, text, received_ms) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (relation, epoch, number) DO NOTHING",
            (relation, epoch, number, text, now_ms),
        ).rowcount
        if inserted:
            new.append(InboxMessage(peer_id, epoch, number, text, now_ms))
    if moved:
        if present not in (b"", epoch):
            _retire(connection, "retired_inbox", relation, {"epoch": present, "expected": in_next})
        connection.execute("DELETE FROM retired_inbox WHERE relation = ? AND epoch = ?", (relation, epoch))
        connection.execute(
            "UPDATE relation SET in_epoch = ?, in_next = ? WHERE id = ?", (epoch, expected, relation)
        )
    return new


def skip_inbox(connection: sqlite3.Connection, peer_id: PeerId, epoch: bytes, to: int) -> None:
    """Expect a higher number in an epoch that is known."""
    relation = _relation(connection, peer_id)
    connection.execute(
        "UPDATE relation SET in_next = max(in_next, ?) WHERE id = ? AND in_epoch = ?", (to, relation, epoch)
    )
    connection.execute(
        "UPDATE retired_inbox SET expected = max(expected, ?) WHERE relation = ? AND epoch = ?",
        (to, relation, epoch),
    )


def read_inbox(connection: sqlite3.Connection) -> list[InboxMessage]:
    """Everything unconfirmed, in the order of its arrival."""
    rows = connection.execute(
        "SELECT peer_id, epoch, number, text, received_ms FROM inbox "
        "JOIN relation ON relation.id = inbox.relation ORDER BY position"
    )
    return [InboxMessage(PeerId(peer_id), *fields) for peer_id, *fields in rows]


def consume_inbox(connection: sqlite3.Connection, message: InboxMessage) -> None:
    """Remove one message; none if it was removed already."""
    connection.execute(
        "DELETE FROM inbox WHERE relation = (SELECT id FROM relation WHERE peer_id = ?) "
        "AND epoch = ? AND number = ?",
        (message.peer_id, message.epoch, message.number),
    )


def _relation(connection: sqlite3.Connection, peer_id: PeerId) -> int:
    """The row of a contact, made if it is not there yet."""
    row = connection.execute("SELECT id FROM relation WHERE peer_id = ?", (peer_id,)).fetchone()
    if row is None:
        row = connection.execute(
            "INSERT INTO relation (peer_id) VALUES (?) RETURNING id", (peer_id,)
        ).fetchone()
    return int(row[0])


def _retired_expected(connection: sqlite3.Connection, relation: int, epoch: bytes) -> int | None:
    row = connection.execute(
        "SELECT expected FROM retired_inbox WHERE relation = ? AND epoch = ?", (relation, epoch)
    ).fetchone()
    return int(row[0]) if row else None


def _retire(connection: sqlite3.Connection, table: str, relation: int, row: dict[str, bytes | int]) -> None:
    """Remember a name as the latest of its kind and forget the oldest beyond ``limits.RETIRED_EPOCHS``."""
    # The table and its columns are our own words; only values come from outside.
    marks = ", ".join("?" for _ in row)
    connection.execute(
        f"INSERT OR REPLACE INTO {table} (relation, {', '.join(row)}) VALUES (?, {marks})",  # noqa: S608
        (relation, *row.values()),
    )
    connection.execute(
        f"DELETE FROM {table} WHERE relation = ? AND position NOT IN "  # noqa: S608
        f"(SELECT position FROM {table} WHERE relation = ? ORDER BY position DESC LIMIT ?)",
        (relation, relation, limits.RETIRED_EPOCHS),
    )
