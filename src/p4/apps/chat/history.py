"""The history's tables. Every function runs within a transaction of the application's database.

Peers and states are kept as text, times as Unix milliseconds.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from p4.apps.chat.entry import ChatEntry, ChatKind, ChatState, Conversation, FileMention
from p4.apps.chat.values import Said
from p4.core import limits

__all__ = [
    "MIGRATIONS",
    "add_mine",
    "add_theirs",
    "advance",
    "clear",
    "conversations",
    "entries_before",
    "entry_at",
    "forget",
    "give_up_interrupted",
    "handed_over",
    "mark_read",
    "mark_seen",
    "take_back",
    "unread",
    "unsettled",
]

MIGRATIONS = (
    """
    CREATE TABLE chat_entries (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        peer TEXT NOT NULL,
        mine INTEGER NOT NULL,
        message TEXT,
        kind TEXT NOT NULL,
        body TEXT NOT NULL,
        file TEXT,
        sent_ms INTEGER NOT NULL,
        kept_ms INTEGER NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE UNIQUE INDEX chat_entries_message ON chat_entries (peer, mine, message);
    CREATE INDEX chat_entries_peer ON chat_entries (peer, position);
    CREATE INDEX chat_entries_unsettled ON chat_entries (state)
        WHERE state IN ('sending', 'queued', 'delivered');
    CREATE TABLE chat_peers (
        peer TEXT PRIMARY KEY,
        read_through INTEGER NOT NULL DEFAULT 0,
        bytes INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
    """,
)
"""Scripts that bring the tables from one version to the next, in order."""

_COLUMNS = "position, peer, mine, kind, body, file, message, sent_ms, kept_ms, state, reason"
_INTERRUPTED = (
    "P4 ended while this message was being handed over. Ask whether it arrived before you send it again."
)


def add_theirs(
    database: sqlite3.Connection, peer: str, message: str, said: Said, *, sent_ms: int, kept_ms: int
) -> ChatEntry | None:
    """Keep what a contact said; None if it is kept already."""
    known = database.execute(
        "SELECT 1 FROM chat_entries WHERE peer = ? AND mine = 0 AND message = ?", (peer, message)
    ).fetchone()
    if known:
        return None
    return _add(database, peer, False, message, said, sent_ms, kept_ms, ChatState.RECEIVED)


def add_mine(database: sqlite3.Connection, peer: str, said: Said, *, now_ms: int) -> ChatEntry:
    """Keep what is about to be handed over."""
    return _add(database, peer, True, None, said, now_ms, now_ms, ChatState.SENDING)


def handed_over(database: sqlite3.Connection, position: int, message: str) -> ChatEntry | None:
    """The node has accepted it under this id; None if it was cleared meanwhile."""
    database.execute(
        "UPDATE chat_entries SET message = ?, state = ? WHERE position = ?",
        (message, ChatState.QUEUED, position),
    )
    return entry_at(database, position)


def take_back(database: sqlite3.Connection, position: int) -> None:
    """The node did not accept it."""
    _remove(database, "position = ?", (position,))


def give_up_interrupted(database: sqlite3.Connection) -> None:
    """After a start: nobody knows whether the node had accepted what was being handed over."""
    database.execute(
        "UPDATE chat_entries SET state = ?, reason = ? WHERE state = ?",
        (ChatState.FAILED, _INTERRUPTED, ChatState.SENDING),
    )


def unsettled(database: sqlite3.Connection) -> list[ChatEntry]:
    """What we sent and has not come as far as it can, oldest first."""
    found = database.execute(
        f"SELECT {_COLUMNS} FROM chat_entries WHERE state IN ('queued', 'delivered') AND mine = 1 "  # noqa: S608
        "AND message IS NOT NULL ORDER BY position"
    )
    return [_entry(row) for row in found]


def advance(database: sqlite3.Connection, changes: Iterable[tuple[int, ChatState, str]]) -> list[ChatEntry]:
    """Entries (by place) have come to a state, for a reason. What was seen stays seen."""
    changed = []
    for position, state, reason in changes:
        found = database.execute(
            "UPDATE chat_entries SET state = ?, reason = ? WHERE position = ? "
            "AND state IN ('queued', 'delivered') AND state != ?",
            (state, reason, position, state),
        )
        if found.rowcount and (entry := entry_at(database, position)):
            changed.append(entry)
    return changed


def mark_seen(database: sqlite3.Connection, peer: str, message: str) -> list[ChatEntry]:
    """A contact was shown our message with this id, and all before it."""
    row = database.execute(
        "SELECT position FROM chat_entries WHERE peer = ? AND mine = 1 AND message = ?", (peer, message)
    ).fetchone()
    if row is None:
        return []
    changed = database.execute(
        "UPDATE chat_entries SET state = ? WHERE peer = ? AND mine = 1 AND position <= ? "
        "AND state IN ('queued', 'delivered', 'consumed') RETURNING position",
        (ChatState.SEEN, peer, row[0]),
    ).fetchall()
    entries = (entry_at(database, position) for position in sorted(row[0] for row in changed))
    return [entry for entry in entries if entry is not None]


def mark_read(database: sqlite3.Connection, peer: str, through: int) -> str | None:
    """A person here was shown a contact's messages up to this place.

    Returns:
        The id of the latest of them; None if that is nothing new.
    """
    row = database.execute(
        "SELECT position, message FROM chat_entries WHERE peer = ? AND mine = 0 AND position <= ? "
        "ORDER BY position DESC LIMIT 1",
        (peer, through),
    ).fetchone()
    if row is None or row[0] <= _read_through(database, peer):
        return None
    database.execute(
        "INSERT INTO chat_peers (peer, read_through) VALUES (?, ?) "
        "ON CONFLICT (peer) DO UPDATE SET read_through = excluded.read_through",
        (peer, row[0]),
    )
    return str(row[1])


def unread(database: sqlite3.Connection, peer: str) -> int:
    """How many messages of a contact nobody here was shown."""
    count = database.execute(
        "SELECT count(*) FROM chat_entries WHERE peer = ? AND mine = 0 AND position > ?",
        (peer, _read_through(database, peer)),
    ).fetchone()[0]
    return int(count)


def conversations(database: sqlite3.Connection, peers: Iterable[str]) -> list[Conversation]:
    """These contacts' histories in short, in the given order."""
    found = []
    for peer in peers:
        last = entries_before(database, peer, None, 1)
        found.append(Conversation(peer, unread(database, peer), last[0] if last else None))
    return found


def entries_before(
    database: sqlite3.Connection, peer: str, before: int | None, limit: int
) -> list[ChatEntry]:
    """The latest entries of a history before a place, oldest first; one at least, if there is any."""
    rows = database.execute(
        f"SELECT {_COLUMNS} FROM chat_entries WHERE peer = ? AND position < ? "  # noqa: S608 - our own names
        "ORDER BY position DESC LIMIT ?",
        (peer, 2**62 if before is None else before, limit),
    )
    entries: list[ChatEntry] = []
    size = 0
    for row in rows:
        entry = _entry(row)
        size += len(entry.text)
        if entries and size > limits.CHAT_PAGE_BYTES:
            break
        entries.append(entry)
    return entries[::-1]


def entry_at(database: sqlite3.Connection, position: int) -> ChatEntry | None:
    """The entry at a place, if there is one."""
    row = database.execute(
        f"SELECT {_COLUMNS} FROM chat_entries WHERE position = ?",  # noqa: S608 - our own names
        (position,),
    ).fetchone()
    return _entry(row) if row else None


def clear(database: sqlite3.Connection, peer: str) -> int:
    """Forget a contact's history; gives the number of entries. What still waits to be sent is sent."""
    removed = database.execute("DELETE FROM chat_entries WHERE peer = ?", (peer,)).rowcount
    database.execute("UPDATE chat_peers SET bytes = 0 WHERE peer = ?", (peer,))
    return removed


def forget(database: sqlite3.Connection, peer: str) -> None:
    """Nothing is left of a contact."""
    database.execute("DELETE FROM chat_entries WHERE peer = ?", (peer,))
    database.execute("DELETE FROM chat_peers WHERE peer = ?", (peer,))


# -- inside ------------------------------------------------------------------------------------------------


def _add(
    database: sqlite3.Connection,
    peer: str,
    mine: bool,
    message: str | None,
    said: Said,
    sent_ms: int,
    kept_ms: int,
    state: ChatState,
) -> ChatEntry:
    file = json.dumps([said.file.name, said.file.size, said.file.transfer]) if said.file else None
    # Half a character (JSON can name one) is nothing that a database or a screen takes.
    text = said.text.encode(errors="replace").decode()
    position = database.execute(
        "INSERT INTO chat_entries (peer, mine, message, kind, body, file, sent_ms, kept_ms, state) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (peer, mine, message, said.kind, text, file, sent_ms, kept_ms, state),
    ).lastrowid
    size = len(text.encode())
    kept = database.execute(
        "INSERT INTO chat_peers (peer, bytes) VALUES (?, ?) "
        "ON CONFLICT (peer) DO UPDATE SET bytes = bytes + excluded.bytes RETURNING bytes",
        (peer, size),
    ).fetchone()[0]
    if kept > limits.CHAT_HISTORY_BYTES:
        _forget_oldest(database, peer, kept - limits.CHAT_HISTORY_BYTES * 9 // 10)
    assert position is not None  # noqa: S101 - a row was inserted
    return ChatEntry(position, peer, mine, said.kind, text, said.file, message or "", sent_ms, kept_ms, state)


def _forget_oldest(database: sqlite3.Connection, peer: str, excess: int) -> None:
    for position, body in database.execute(
        "SELECT position, body FROM chat_entries WHERE peer = ? ORDER BY position", (peer,)
    ):
        excess -= len(body.encode())
        if excess <= 0:
            _remove(database, "peer = ? AND position <= ?", (peer, position))
            return


def _remove(database: sqlite3.Connection, where: str, values: tuple[str | int, ...]) -> None:
    rows = database.execute(
        f"DELETE FROM chat_entries WHERE {where} RETURNING peer, body",  # noqa: S608 - our own words
        values,
    ).fetchall()
    for peer, body in rows:
        database.execute(
            "UPDATE chat_peers SET bytes = max(0, bytes - ?) WHERE peer = ?", (len(body.encode()), peer)
        )


def _read_through(database: sqlite3.Connection, peer: str) -> int:
    row = database.execute("SELECT read_through FROM chat_peers WHERE peer = ?", (peer,)).fetchone()
    return int(row[0]) if row else 0


def _entry(row: tuple[int, str, int, str, str, str | None, str | None, int, int, str, str]) -> ChatEntry:
    position, peer, mine, kind, text, file, message, sent_ms, kept_ms, state, reason = row
    return ChatEntry(
        position=position,
        peer_id=peer,
        mine=bool(mine),
        kind=ChatKind(kind),
        text=text,
        file=FileMention(*json.loads(file)) if file else None,
        message_id=message or "",
        sent_ms=sent_ms,
        kept_ms=kept_ms,
        state=ChatState(state),
        reason=reason,
    )
