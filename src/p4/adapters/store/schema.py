"""The form of the database and how older forms become the current one.

``PRAGMA user_version`` counts migrations. Each one is a list of statements run in one transaction together
with its number, so a crash leaves the database in the form before or after it. Migrations are never
edited once released: a database of any earlier release must take the same steps.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from p4.errors import StateError

__all__ = ["APPLICATION_ID", "MIGRATIONS", "OLDEST_SQLITE", "migrate", "refuse_unknown"]

APPLICATION_ID = 0x50345331
"""``PRAGMA application_id`` of our databases: the bytes "P4S1". Another program's database is refused."""

OLDEST_SQLITE = (3, 37, 0)
"""STRICT tables came with this version."""

_FIRST = (
    """CREATE TABLE relation (
        id INTEGER PRIMARY KEY,
        peer_id TEXT NOT NULL UNIQUE,
        protocol INTEGER NOT NULL DEFAULT 0,
        last_seen_ms INTEGER NOT NULL DEFAULT 0,
        out_epoch BLOB NOT NULL DEFAULT x'',
        out_next INTEGER NOT NULL DEFAULT 1 CHECK (out_next >= 1),
        in_epoch BLOB NOT NULL DEFAULT x'',
        in_next INTEGER NOT NULL DEFAULT 1 CHECK (in_next >= 1),
        replay_floor_ms INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    """CREATE TABLE outbox (
        relation INTEGER NOT NULL REFERENCES relation (id) ON DELETE CASCADE,
        number INTEGER NOT NULL CHECK (number >= 1),
        text TEXT NOT NULL,
        accepted_ms INTEGER NOT NULL,
        PRIMARY KEY (relation, number)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE inbox (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        relation INTEGER NOT NULL REFERENCES relation (id) ON DELETE CASCADE,
        epoch BLOB NOT NULL,
        number INTEGER NOT NULL CHECK (number >= 1),
        text TEXT NOT NULL,
        received_ms INTEGER NOT NULL,
        UNIQUE (relation, epoch, number)
    ) STRICT""",
    """CREATE TABLE replay (
        relation INTEGER NOT NULL REFERENCES relation (id) ON DELETE CASCADE,
        timestamp_ms INTEGER NOT NULL,
        nonce BLOB NOT NULL,
        PRIMARY KEY (relation, timestamp_ms, nonce)
    ) STRICT, WITHOUT ROWID""",
)

_EPOCHS = (
    # Of an older database it is not known what was sent: all of it may have been.
    "ALTER TABLE relation ADD COLUMN out_offered INTEGER NOT NULL DEFAULT 1 CHECK (out_offered >= 1)",
    "UPDATE relation SET out_offered = out_next",
    """CREATE TABLE retired_outbox (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        relation INTEGER NOT NULL REFERENCES relation (id) ON DELETE CASCADE,
        epoch BLOB NOT NULL,
        UNIQUE (relation, epoch)
    ) STRICT""",
    """CREATE TABLE retired_inbox (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        relation INTEGER NOT NULL REFERENCES relation (id) ON DELETE CASCADE,
        epoch BLOB NOT NULL,
        expected INTEGER NOT NULL CHECK (expected >= 1),
        UNIQUE (relation, epoch)
    ) STRICT""",
)

_SESSION = (
    # Kept up to date with the rows, so that a quota needs no walk over them.
    "ALTER TABLE relation ADD COLUMN out_waiting INTEGER NOT NULL DEFAULT 0 CHECK (out_waiting >= 0)",
    "ALTER TABLE relation ADD COLUMN out_bytes INTEGER NOT NULL DEFAULT 0 CHECK (out_bytes >= 0)",
    "ALTER TABLE relation ADD COLUMN in_waiting INTEGER NOT NULL DEFAULT 0 CHECK (in_waiting >= 0)",
    """ALTER TABLE relation ADD COLUMN
        in_waiting_bytes INTEGER NOT NULL DEFAULT 0 CHECK (in_waiting_bytes >= 0)""",
    # Joined by spaces, which no grant has in it.
    "ALTER TABLE relation ADD COLUMN grants TEXT NOT NULL DEFAULT 'chat ping'",
    # The oldest number that is not confirmed: what waited there may be gone, so the rows do not tell.
    "ALTER TABLE relation ADD COLUMN out_first INTEGER NOT NULL DEFAULT 1 CHECK (out_first >= 1)",
    # What a person said becomes a message to the service for that, a JSON string (spec/session.md).
    "ALTER TABLE outbox RENAME TO old_outbox",
    """CREATE TABLE outbox (
        relation INTEGER NOT NULL REFERENCES relation (id) ON DELETE CASCADE,
        number INTEGER NOT NULL CHECK (number >= 1),
        service TEXT NOT NULL,
        kind INTEGER NOT NULL,
        body BLOB NOT NULL,
        key TEXT NOT NULL,
        accepted_ms INTEGER NOT NULL,
        expires_ms INTEGER NOT NULL,
        PRIMARY KEY (relation, number)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX outbox_key ON outbox (relation, service, key) WHERE key != ''",
    """INSERT INTO outbox
        SELECT relation, number, 'chat', 1, CAST(p4_json(text) AS BLOB), '', accepted_ms, 0
        FROM old_outbox""",
    "DROP TABLE old_outbox",
    "ALTER TABLE inbox RENAME TO old_inbox",
    """CREATE TABLE inbox (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        relation INTEGER NOT NULL REFERENCES relation (id) ON DELETE CASCADE,
        epoch BLOB NOT NULL,
        number INTEGER NOT NULL CHECK (number >= 1),
        service TEXT NOT NULL,
        kind INTEGER NOT NULL,
        body BLOB NOT NULL,
        key TEXT NOT NULL,
        sent_ms INTEGER NOT NULL,
        received_ms INTEGER NOT NULL,
        expires_ms INTEGER NOT NULL,
        UNIQUE (relation, service, epoch, number)
    ) STRICT""",
    "CREATE INDEX inbox_service ON inbox (relation, service, position)",
    "CREATE INDEX inbox_key ON inbox (relation, service, key) WHERE key != ''",
    # When they were sent was not recorded; it was not later than this.
    """INSERT INTO inbox
        SELECT position, relation, epoch, number, 'chat', 1, CAST(p4_json(text) AS BLOB), '',
            received_ms, received_ms, 0
        FROM old_inbox ORDER BY position""",
    # A position is never used twice, whether or not the message that had it is still there.
    "DELETE FROM sqlite_sequence WHERE name = 'inbox'",
    """INSERT INTO sqlite_sequence (name, seq)
        SELECT 'inbox', seq FROM sqlite_sequence WHERE name = 'old_inbox'""",
    "DROP TABLE old_inbox",
    # Messages of the earlier forms went only when they were confirmed: the oldest that waits is the first.
    """UPDATE relation SET
        out_first = ifnull((SELECT min(number) FROM outbox WHERE relation = relation.id), out_next),
        out_waiting = (SELECT count(*) FROM outbox WHERE relation = relation.id),
        out_bytes = (SELECT ifnull(sum(length(body)), 0) FROM outbox WHERE relation = relation.id),
        in_waiting = (SELECT count(*) FROM inbox WHERE relation = relation.id),
        in_waiting_bytes = (SELECT ifnull(sum(length(body)), 0) FROM inbox WHERE relation = relation.id)""",
    """CREATE TABLE stream (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        relation INTEGER NOT NULL REFERENCES relation (id) ON DELETE CASCADE,
        id BLOB NOT NULL CHECK (length(id) = 8),
        service TEXT NOT NULL,
        name TEXT NOT NULL,
        opened_here INTEGER NOT NULL,
        accepted INTEGER NOT NULL,
        consumed INTEGER NOT NULL,
        final INTEGER NOT NULL,
        reset INTEGER NOT NULL,
        reset_text TEXT NOT NULL,
        done INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        floor INTEGER NOT NULL,
        UNIQUE (relation, id)
    ) STRICT""",
)

_RECOVERY = (
    "ALTER TABLE relation ADD COLUMN reach TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE relation ADD COLUMN policy TEXT NOT NULL DEFAULT 'direct'",
    "ALTER TABLE stream ADD COLUMN closed INTEGER NOT NULL DEFAULT 0",
    # Until now nobody could come back to a stream whose end had been announced by its opener.
    "UPDATE stream SET closed = 1 WHERE final != 0 AND opened_here != 0",
)

_GATE = ("ALTER TABLE relation ADD COLUMN gate TEXT NOT NULL DEFAULT ''",)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _EPOCHS, _SESSION, _RECOVERY, _GATE)
"""Migration number n (from 1) is ``MIGRATIONS[n - 1]``."""


def refuse_unknown(
    connection: sqlite3.Connection, path: Path, migrations: tuple[tuple[str, ...], ...] = MIGRATIONS
) -> int:
    """Make sure that a database is ours and not from the future; reads only.

    Returns:
        Its version, 0 for an empty one.

    Raises:
        StateError: code ``newer-version`` or ``not-ours``.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and (tables or version):
        raise StateError(
            f"{path} is a database of another program. It was left as it is. Move it away, or use another "
            "state directory.",
            path=str(path),
            code="not-ours",
        )
    if version > len(migrations):
        raise StateError(
            f"{path} was written by a newer version of P4 (its form is {version}, this version knows "
            f"{len(migrations)}). It was left as it is. Update P4, or use another state directory.",
            path=str(path),
            code="newer-version",
        )
    return int(version)


def _json(text: str) -> str:
    """A text as JSON. In Python, because SQLite is built without JSON in places."""
    return json.dumps(text, ensure_ascii=False)


def migrate(
    connection: sqlite3.Connection, path: Path, migrations: tuple[tuple[str, ...], ...] = MIGRATIONS
) -> None:
    """Bring a database, new or old, to the newest form.

    Args:
        connection: in autocommit mode.

    Raises:
        StateError: code ``newer-version`` or ``not-ours``. Nothing was changed.
        sqlite3.Error: the database refused; the transaction was rolled back.
    """
    version = refuse_unknown(connection, path, migrations)
    connection.create_function("p4_json", 1, _json, deterministic=True)
    for number in range(version + 1, len(migrations) + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in migrations[number - 1]:
                connection.execute(statement)
            # A pragma takes no parameters; both values are our own integers.
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
