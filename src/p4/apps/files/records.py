"""What the app remembers over restarts: transfers, half files, and which folder is shared."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from p4.apps.files.partials import Partial
from p4.apps.files.transfer import Transfer

__all__ = ["Records", "TransferStore"]

Value = TypeVar("Value")

_STEPS = [
    """
    CREATE TABLE files_transfers (id TEXT, direction TEXT, changed_ms INTEGER, record TEXT,
        PRIMARY KEY (id, direction)) STRICT;
    CREATE TABLE files_partials (name TEXT PRIMARY KEY, folder TEXT, safe INTEGER, changed_ms INTEGER) STRICT;
    CREATE TABLE files_settings (key TEXT PRIMARY KEY, value TEXT) STRICT
    """,
]


class TransferStore(Protocol):
    """What of `p4.apps.store.AppStore` is used."""

    async def migrate(self, app: str, steps: Sequence[str]) -> None:
        """Make the tables."""
        ...

    async def query(self, statement: str, parameters: Sequence[object] = (), /) -> list[sqlite3.Row]:
        """Rows of a SELECT."""
        ...

    async def transaction(self, work: Callable[[sqlite3.Connection], Value], /) -> Value:
        """Several statements together."""
        ...


class Records:
    """See the module. All methods raise StateError, and LocalError when the store is closed."""

    def __init__(self, store: TransferStore) -> None:
        self._store = store

    async def open(self) -> None:
        """Make the tables, if they are not there."""
        await self._store.migrate("files", _STEPS)

    async def transfers(self) -> list[Transfer]:
        """All that are remembered, the oldest first. What cannot be read is left out."""
        rows = await self._store.query("SELECT record FROM files_transfers ORDER BY changed_ms, id")
        found = []
        for row in rows:
            try:
                found.append(Transfer.from_json(row[0]))
            except (ValueError, KeyError, TypeError):
                continue
        return found

    async def save(self, transfer: Transfer) -> None:
        """Remember it as it is now."""
        values = (transfer.id, str(transfer.direction), transfer.changed_ms, transfer.as_json())

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO files_transfers VALUES (?, ?, ?, ?)", values)

        await self._store.transaction(work)

    async def forget(self, transfers: Sequence[Transfer]) -> None:
        """Remember them no more."""
        keys = [(transfer.id, str(transfer.direction)) for transfer in transfers]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany("DELETE FROM files_transfers WHERE id = ? AND direction = ?", keys)

        await self._store.transaction(work)

    async def partials(self) -> dict[str, Partial]:
        """What is here of files that have not arrived as a whole."""
        rows = await self._store.query("SELECT name, folder, safe FROM files_partials")
        return {row[0]: Partial(row[1], row[2]) for row in rows}

    async def old_partials(self, before_ms: int) -> dict[str, Partial]:
        """Those that nothing was added to since then."""
        statement = "SELECT name, folder, safe FROM files_partials WHERE changed_ms < ?"
        rows = await self._store.query(statement, (before_ms,))
        return {row[0]: Partial(row[1], row[2]) for row in rows}

    async def save_partials(self, changes: dict[str, Partial | None], now_ms: int) -> None:
        """Write down what `p4.apps.files.partials.Partials` says is new."""

        def work(connection: sqlite3.Connection) -> None:
            for name, partial in changes.items():
                if partial is None:
                    connection.execute("DELETE FROM files_partials WHERE name = ?", (name,))
                else:
                    values = (name, partial.folder, partial.safe, now_ms)
                    connection.execute("INSERT OR REPLACE INTO files_partials VALUES (?, ?, ?, ?)", values)

        await self._store.transaction(work)

    async def settings(self) -> dict[str, str]:
        """What was chosen."""
        rows = await self._store.query("SELECT key, value FROM files_settings")
        return {row[0]: row[1] for row in rows}

    async def choose(self, **settings: str) -> None:
        """Remember some choices."""

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT OR REPLACE INTO files_settings VALUES (?, ?)", list(settings.items())
            )

        await self._store.transaction(work)
