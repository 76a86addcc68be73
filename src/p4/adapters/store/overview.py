"""A look into the database from another process, which changes nothing and disturbs no running node."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from p4.adapters.store import files
from p4.core.identity import PeerId
from p4.core.policy import Policy
from p4.errors import StateError

__all__ = ["Overview", "read_overview"]

_BUSY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Overview:
    """What the database knows of one contact, in figures."""

    policy: Policy
    """Which paths to the contact may be used."""
    protocol: int
    """Highest protocol seen: 0 unknown, 1 or 2."""
    last_seen_ms: int
    """Unix milliseconds; 0 for never."""
    queued_messages: int
    queued_bytes: int
    """Of their bodies."""
    open_streams: int


def read_overview(path: Path) -> dict[PeerId, Overview]:
    """Every contact of which the database knows something; nothing where there is no database.

    Args:
        path: of the database file.

    Raises:
        StateError: ``unreadable``: it cannot be read, is damaged, or is of another version of P4.
    """
    if not path.exists():
        return {}
    # Without a log nobody has the database open and everything is in the one file. Opened as usual, even
    # for reading, SQLite would leave its two further files behind (https://sqlite.org/wal.html#readonly).
    alone = not path.with_name(f"{path.name}-wal").exists()
    try:
        address = f"{path.absolute().as_uri()}?{'immutable=1' if alone else 'mode=ro'}"
        with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS)) as connection:
            rows = connection.execute(
                "SELECT peer_id, policy, protocol, last_seen_ms, out_waiting, out_bytes, "
                "(SELECT count(*) FROM stream WHERE stream.relation = relation.id) FROM relation"
            ).fetchall()
        return {PeerId(peer_id): Overview(Policy(policy), *figures) for peer_id, policy, *figures in rows}
    except (sqlite3.Error, ValueError) as error:
        raise StateError(
            f"The database {path} cannot be read ({error}), so it is not known what waits. Nothing was "
            "changed. It may be of another version of P4: `p4 run` brings it up to date, or says what is "
            "wrong with it.",
            path=str(path),
            code="unreadable",
        ) from error
    except OSError as error:
        raise files.state_error(error, path, "read") from error
