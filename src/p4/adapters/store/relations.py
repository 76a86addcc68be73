"""The rows of contacts, remembered between operations and written once per transaction.

Every operation on messages reads and changes the counters of its contact. They are kept here while a
transaction runs and between transactions; nobody else writes the database of a running node, whose state
directory is locked.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from p4.core.identity import PeerId

__all__ = ["Relation", "Relations"]

_MOST_REMEMBERED = 4096
"""Beyond it all are forgotten and read again: a bound on memory that ordinary use does not meet."""


@dataclass(slots=True)
class Relation:
    """The counters of one contact. Whoever changes one says so with `Relations.changed`."""

    id: int
    out_epoch: bytes
    out_first: int
    out_next: int
    out_offered: int
    out_waiting: int
    out_bytes: int
    in_epoch: bytes
    in_next: int
    in_waiting: int
    in_waiting_bytes: int


class Relations:
    """The connection, and what is remembered of the contacts' rows.

    Args:
        connection: everything is done on it, in its thread.
        path: of the database, for errors.
    """

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self.connection = connection
        self.path = path
        self.changes = 0
        """Grows with each change that is not written yet."""
        self._known: dict[PeerId, Relation] = {}
        self._changed: dict[int, Relation] = {}
        self._last_position: int | None = None

    def find(self, peer_id: PeerId) -> Relation | None:
        """The row of a contact, if there is one."""
        relation = self._known.get(peer_id)
        if relation is None:
            row = self.connection.execute(
                "SELECT id, out_epoch, out_first, out_next, out_offered, out_waiting, out_bytes, in_epoch, "
                "in_next, in_waiting, in_waiting_bytes FROM relation WHERE peer_id = ?",
                (peer_id,),
            ).fetchone()
            if row is not None:
                relation = self._known[peer_id] = Relation(*row)
        return relation

    def get(self, peer_id: PeerId) -> Relation:
        """The row of a contact, made if it is not there yet."""
        relation = self.find(peer_id)
        if relation is None:
            self.connection.execute("INSERT INTO relation (peer_id) VALUES (?)", (peer_id,)).close()
            relation = self.find(peer_id)
            assert relation is not None  # noqa: S101 - inserted a line above
        return relation

    def changed(self, relation: Relation) -> None:
        """The row has to be written before the transaction ends."""
        self._changed[relation.id] = relation
        self.changes += 1

    def take_positions(self, count: int) -> int:
        """The first of so many positions of the inbox that nobody had before.

        SQLite notes the highest in ``sqlite_sequence`` when the rows are inserted
        (https://sqlite.org/autoinc.html), so they stay used when the rows are gone.
        """
        if self._last_position is None:
            row = self.connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'inbox'").fetchone()
            self._last_position = row[0] if row else 0
        first = self._last_position + 1
        self._last_position += count
        return first

    def write(self) -> None:
        """Bring the rows up to date: before the transaction ends, or before they are read with SQL."""
        for relation in self._changed.values():
            self.connection.execute(
                "UPDATE relation SET out_epoch = ?, out_first = ?, out_next = ?, out_offered = ?, "
                "out_waiting = ?, out_bytes = ?, in_epoch = ?, in_next = ?, in_waiting = ?, "
                "in_waiting_bytes = ? WHERE id = ?",
                (
                    relation.out_epoch,
                    relation.out_first,
                    relation.out_next,
                    relation.out_offered,
                    relation.out_waiting,
                    relation.out_bytes,
                    relation.in_epoch,
                    relation.in_next,
                    relation.in_waiting,
                    relation.in_waiting_bytes,
                    relation.id,
                ),
            ).close()
        self._changed.clear()
        if len(self._known) > _MOST_REMEMBERED:
            self._known.clear()

    def drop(self) -> None:
        """Forget everything, also what was not written: the transaction was rolled back."""
        self._known.clear()
        self._changed.clear()
        self._last_position = None

    def forget(self, peer_id: PeerId) -> None:
        """The row is about to be deleted."""
        relation = self._known.pop(peer_id, None)
        if relation is not None:
            self._changed.pop(relation.id, None)
