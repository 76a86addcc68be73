"""The tables. Every function runs within a transaction of the apps' database. Times are Unix milliseconds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from p4.apps.history.picture import Outage, Run, Sample
from p4.core import limits

__all__ = ["MIGRATIONS", "add_samples", "begin_run", "down", "forget", "read", "up"]

MIGRATIONS = (
    """
    CREATE TABLE history_samples (
        peer TEXT NOT NULL,
        slot INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        round_trip REAL,
        path TEXT NOT NULL,
        sending REAL,
        receiving REAL,
        PRIMARY KEY (peer, slot)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE history_outages (
        number INTEGER PRIMARY KEY,
        peer TEXT NOT NULL,
        began_ms INTEGER NOT NULL,
        ended_ms INTEGER,
        recovered INTEGER NOT NULL DEFAULT 0,
        reason TEXT NOT NULL
    ) STRICT;
    CREATE INDEX history_outages_peer ON history_outages (peer, number);
    CREATE TABLE history_runs (
        number INTEGER PRIMARY KEY,
        began_ms INTEGER NOT NULL,
        ended_ms INTEGER NOT NULL
    ) STRICT;
    """,
)


def begin_run(database: sqlite3.Connection, now_ms: int) -> int:
    """Our program runs from now on; gives the run's number. What was out before ended with the run before."""
    database.execute(
        "UPDATE history_outages SET ended_ms = max(began_ms, "
        "coalesce((SELECT max(ended_ms) FROM history_runs), began_ms)) WHERE ended_ms IS NULL"
    )
    number = database.execute("INSERT INTO history_runs (began_ms, ended_ms) VALUES (?, ?)", (now_ms, now_ms))
    assert number.lastrowid is not None  # noqa: S101 - a row was inserted
    database.execute("DELETE FROM history_runs WHERE number <= ?", (number.lastrowid - limits.HISTORY_RUNS,))
    return number.lastrowid


def add_samples(
    database: sqlite3.Connection, run: int, samples: Iterable[tuple[str, Sample]], now_ms: int
) -> None:
    """Keep samples (each with its peer), in the place of those of a day ago; the run lasts until now."""
    database.executemany(
        "INSERT OR REPLACE INTO history_samples VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                peer,
                sample.at_ms // (limits.HISTORY_SAMPLE_SECONDS * 1000) % limits.HISTORY_SAMPLES,
                sample.at_ms,
                sample.round_trip,
                sample.path,
                sample.sending,
                sample.receiving,
            )
            for peer, sample in samples
        ],
    )
    database.execute("UPDATE history_runs SET ended_ms = max(began_ms, ?) WHERE number = ?", (now_ms, run))


def down(database: sqlite3.Connection, peer: str, reason: str, now_ms: int) -> None:
    """A contact's link has ended."""
    if database.execute(
        "SELECT 1 FROM history_outages WHERE peer = ? AND ended_ms IS NULL", (peer,)
    ).fetchone():
        return
    database.execute(
        "INSERT INTO history_outages (peer, began_ms, reason) VALUES (?, ?, ?)", (peer, now_ms, reason)
    )
    database.execute(
        "DELETE FROM history_outages WHERE peer = ? AND number NOT IN "
        "(SELECT number FROM history_outages WHERE peer = ? ORDER BY number DESC LIMIT ?)",
        (peer, peer, limits.HISTORY_OUTAGES),
    )


def up(database: sqlite3.Connection, peer: str, now_ms: int) -> None:
    """A contact has a link."""
    database.execute(
        "UPDATE history_outages SET ended_ms = max(began_ms, ?), recovered = 1 "
        "WHERE peer = ? AND ended_ms IS NULL",
        (now_ms, peer),
    )


def forget(database: sqlite3.Connection, peer: str) -> None:
    """A contact was removed."""
    database.execute("DELETE FROM history_samples WHERE peer = ?", (peer,))
    database.execute("DELETE FROM history_outages WHERE peer = ?", (peer,))


def read(
    database: sqlite3.Connection, peer: str, from_ms: int
) -> tuple[list[Sample], list[Outage], list[Run]]:
    """Everything about a contact since a moment, oldest first."""
    samples = database.execute(
        "SELECT at_ms, round_trip, path, sending, receiving FROM history_samples "
        "WHERE peer = ? AND at_ms >= ? ORDER BY at_ms",
        (peer, from_ms),
    )
    outages = database.execute(
        "SELECT began_ms, ended_ms, recovered, reason FROM history_outages WHERE peer = ? "
        "AND (ended_ms IS NULL OR ended_ms >= ?) ORDER BY number",
        (peer, from_ms),
    )
    runs = database.execute(
        "SELECT began_ms, ended_ms FROM history_runs WHERE ended_ms >= ? ORDER BY number", (from_ms,)
    )
    return (
        [Sample(*row) for row in samples],
        [Outage(began, ended, bool(recovered), reason) for began, ended, recovered, reason in outages],
        [Run(*row) for row in runs],
    )
