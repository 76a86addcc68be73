"""Records of contacts, their grants, the names of epochs that ended, and replay windows."""

from __future__ import annotations

import sqlite3
from typing import Any

from p4.adapters.store.relations import Relations
from p4.core import limits
from p4.core.identity import PeerId
from p4.core.replay import ReplayWindow
from p4.ports import PeerRecord

__all__ = [
    "forget_peer",
    "load_peer",
    "load_peers",
    "load_replay",
    "retire_inbox",
    "retire_outbox",
    "save_gate",
    "save_grants",
    "save_peer",
    "save_policy",
    "save_reach",
    "save_replay",
]

_RECORD = (
    "SELECT id, peer_id, protocol, out_epoch, out_next, in_epoch, in_next, last_seen_ms, out_offered, "
    "out_first, out_waiting, in_waiting, in_waiting_bytes, grants, reach, policy, gate FROM relation"
)


def load_peers(relations: Relations) -> dict[PeerId, PeerRecord]:
    """Every record there is, with three statements for all of them."""
    return _load(relations, "", ())


def load_peer(relations: Relations, peer_id: PeerId) -> PeerRecord:
    """The record of a contact that there is."""
    relation = relations.get(peer_id)
    return _load(relations, "WHERE {} = ?", (relation.id,))[peer_id]


def _load(relations: Relations, which: str, parameters: tuple[int, ...]) -> dict[PeerId, PeerRecord]:
    relations.write()
    connection = relations.connection
    ours: dict[int, list[bytes]] = {}
    for relation, epoch in connection.execute(
        f"SELECT relation, epoch FROM retired_outbox {which.format('relation')} ORDER BY position",  # noqa: S608
        parameters,
    ):
        ours.setdefault(relation, []).append(epoch)
    theirs: dict[int, list[tuple[bytes, int]]] = {}
    for relation, epoch, expected in connection.execute(
        f"SELECT relation, epoch, expected FROM retired_inbox {which.format('relation')} "  # noqa: S608
        "ORDER BY position",
        parameters,
    ):
        theirs.setdefault(relation, []).append((epoch, expected))
    peers: dict[PeerId, PeerRecord] = {}
    for row in connection.execute(f"{_RECORD} {which.format('id')}", parameters):
        relation, peer_id, protocol, out_epoch, out_next, in_epoch, in_next, last_seen_ms, offered = row[:9]
        first, waiting, in_waiting, in_bytes, grants, reach, policy, gate = row[9:]
        peers[PeerId(peer_id)] = PeerRecord(
            protocol,
            out_epoch,
            out_next,
            in_epoch,
            in_next,
            last_seen_ms,
            offered,
            out_retired=tuple(ours.get(relation, ())),
            in_retired=tuple(theirs.get(relation, ())),
            out_first=first,
            out_waiting=waiting,
            in_waiting=in_waiting,
            in_waiting_bytes=in_bytes,
            grants=tuple(grants.split()),
            reach=reach,
            policy=policy,
            gate=gate,
        )
    return peers


def save_peer(relations: Relations, peer_id: PeerId, record: PeerRecord) -> None:
    """Write ``protocol`` and ``last_seen_ms``, and only these."""
    relations.connection.execute(
        "UPDATE relation SET protocol = ?, last_seen_ms = ? WHERE id = ?",
        (record.protocol, record.last_seen_ms, relations.get(peer_id).id),
    )


def save_grants(relations: Relations, peer_id: PeerId, grants: tuple[str, ...]) -> None:
    """Write which services the contact may use."""
    relations.connection.execute(
        "UPDATE relation SET grants = ? WHERE id = ?", (" ".join(grants), relations.get(peer_id).id)
    )


def save_reach(relations: Relations, peer_id: PeerId, text: str) -> None:
    """Write what the contact announced about where else it can be reached."""
    relations.connection.execute(
        "UPDATE relation SET reach = ? WHERE id = ?", (text, relations.get(peer_id).id)
    )


def save_policy(relations: Relations, peer_id: PeerId, policy: str) -> None:
    """Write which paths to the contact may be used."""
    relations.connection.execute(
        "UPDATE relation SET policy = ? WHERE id = ?", (policy, relations.get(peer_id).id)
    )


def save_gate(relations: Relations, peer_id: PeerId, text: str) -> None:
    """Write the keys and the address of the gates between us."""
    relations.connection.execute(
        "UPDATE relation SET gate = ? WHERE id = ?", (text, relations.get(peer_id).id)
    )


def forget_peer(relations: Relations, peer_id: PeerId) -> None:
    """Remove the relation; foreign keys take everything that hangs on it along."""
    relations.forget(peer_id)
    relations.connection.execute("DELETE FROM relation WHERE peer_id = ?", (peer_id,))


def retire_outbox(connection: sqlite3.Connection, relation: int, epoch: bytes) -> None:
    """Remember a name of our outbox as the latest that ended."""
    _retire(connection, "retired_outbox", relation, {"epoch": epoch})


def retire_inbox(connection: sqlite3.Connection, relation: int, epoch: bytes, expected: int) -> None:
    """Remember a name of the contact's outbox, and the number expected in it, as the latest that ended."""
    _retire(connection, "retired_inbox", relation, {"epoch": epoch, "expected": expected})


def _retire(connection: sqlite3.Connection, table: str, relation: int, row: dict[str, Any]) -> None:
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


def load_replay(relations: Relations, peer_id: PeerId) -> ReplayWindow:
    """The stored window, its entries by time and nonce."""
    floor = relations.connection.execute(
        "SELECT replay_floor_ms FROM relation WHERE peer_id = ?", (peer_id,)
    ).fetchone()
    if floor is None:
        return ReplayWindow()
    rows = relations.connection.execute(
        "SELECT timestamp_ms, nonce FROM replay JOIN relation ON relation.id = replay.relation "
        "WHERE peer_id = ? ORDER BY timestamp_ms, nonce",
        (peer_id,),
    )
    return ReplayWindow(floor_ms=floor[0], entries=tuple((moment, nonce) for moment, nonce in rows))


def save_replay(relations: Relations, peer_id: PeerId, window: ReplayWindow) -> None:
    """Replace the window, touching only the rows that differ: usually one in, none or a few out."""
    relation = relations.get(peer_id).id
    connection = relations.connection
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
