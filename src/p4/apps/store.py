"""What the daemon's apps keep: one SQLite file, in which each app has tables of its own."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from p4.adapters.store.database import explain
from p4.adapters.store.files import FILE_MODE, state_error
from p4.errors import LocalError, StateError

__all__ = ["AppStore"]

Value = TypeVar("Value")
Parameters = Sequence[object]

_BUSY_SECONDS = 5.0


class AppStore:
    """A database that several apps share; every statement runs in one thread of its own, in order.

        store = AppStore(directory / "apps.db")
        await store.open()
        await store.migrate("chat", ["CREATE TABLE chat_lines (…)", "ALTER TABLE …"])
        await store.execute("INSERT INTO chat_lines VALUES (?, ?)", (peer_id, text))
        rows = await store.query("SELECT text FROM chat_lines WHERE peer = ?", (peer_id,))

    Tables are named after their app (``chat_…``). What a method did is on disk when it returns. A statement
    is carried out although its caller is cancelled.

    Args:
        path: of the file, in a private directory; None keeps everything in memory and uses no thread, for
            tests in virtual time.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._closed = False

    async def open(self) -> None:
        """Open the file, or make it. Raises StateError."""
        if self._path is not None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="p4-apps-store")
        await self._in_thread(self._open)

    async def close(self) -> None:
        """Close the file when what was asked for is done. Whoever asks for more gets LocalError."""
        if self._closed:
            return
        self._closed = True
        if self._thread is not None:
            await asyncio.wrap_future(self._thread.submit(self._close))
            self._thread.shutdown(wait=False)
        else:
            self._close()

    async def migrate(self, app: str, steps: Sequence[str]) -> None:
        """Bring an app's tables to their present form.

        Args:
            app: its name; the number of its steps that were taken is remembered under it.
            steps: SQL scripts, oldest first. Steps are only ever added at the end, never changed.

        Raises:
            StateError: the disk refused, or ``newer``: the tables were made by a newer version of P4. No
                step was half taken.
        """

        def work(connection: sqlite3.Connection) -> None:
            row = connection.execute("SELECT step FROM app_versions WHERE app = ?", (app,)).fetchone()
            done = int(row[0]) if row else 0
            if done > len(steps):
                raise StateError(
                    f"A newer version of P4 has worked with what {app} keeps in {self._path}. Nothing was "
                    "changed. Use that version.",
                    path=str(self._path),
                    code="newer",
                )
            for script in steps[done:]:
                for statement in _statements(script):
                    connection.execute(statement)
            connection.execute("INSERT OR REPLACE INTO app_versions VALUES (?, ?)", (app, len(steps)))

        await self.transaction(work)

    async def execute(self, statement: str, parameters: Parameters = ()) -> int:
        """Carry out one statement; gives the number of rows it changed. Raises StateError, LocalError."""

        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(statement, parameters).rowcount

        return await self.transaction(work)

    async def query(self, statement: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """The rows of a SELECT; their columns go by number and by name. Raises StateError, LocalError."""

        def work() -> list[sqlite3.Row]:
            return self._running.execute(statement, parameters).fetchall()

        return await self._in_thread(work)

    async def transaction(self, work: Callable[[sqlite3.Connection], Value]) -> Value:
        """Do several things together, or none of them if ``work`` raises.

        Args:
            work: called in the store's thread; must not keep the connection, nor begin or end transactions.

        Raises:
            StateError: the disk refused; nothing of it was done. LocalError: ``closed``.
        """

        def whole() -> Value:
            connection = self._running
            connection.execute("BEGIN IMMEDIATE")
            try:
                value = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            return value

        return await self._in_thread(whole)

    # -- inside ------------------------------------------------------------------------------------------

    @property
    def _running(self) -> sqlite3.Connection:
        if self._connection is None:
            raise LocalError("The daemon is ending. Nothing was changed.", code="closed")
        return self._connection

    async def _in_thread(self, work: Callable[[], Value]) -> Value:
        if self._closed:
            raise LocalError("The daemon is ending. Nothing was changed.", code="closed")
        try:
            if self._thread is None:
                return work()
            return await asyncio.shield(asyncio.wrap_future(self._thread.submit(work)))
        except sqlite3.IntegrityError:
            raise  # a constraint of the app's own table, which knows what it means
        except sqlite3.Error as error:
            raise explain(error, self._path or Path(":memory:")) from error

    def _open(self) -> None:
        if self._path is not None:
            try:
                # Made by us, because SQLite would take the umask's mode; its log files copy this one's.
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, FILE_MODE))
            except OSError as error:
                raise state_error(error, self._path, "open") from error
        connection = sqlite3.connect(
            self._path or ":memory:",
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=self._path is not None,
        )
        connection.row_factory = sqlite3.Row
        try:
            for pragma in (
                "journal_mode = WAL",
                "synchronous = FULL",
                "fullfsync = ON",
                "foreign_keys = ON",
                "secure_delete = FAST",
                "journal_size_limit = 8388608",
                "trusted_schema = OFF",
            ):
                connection.execute(f"PRAGMA {pragma}").fetchall()
            connection.execute(
                "CREATE TABLE IF NOT EXISTS app_versions (app TEXT PRIMARY KEY, step INTEGER) STRICT"
            )
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _close(self) -> None:
        if self._connection is not None:
            with closing(self._connection):
                self._connection = None


def _statements(script: str) -> list[str]:
    """The statements of a script; `sqlite3.complete_statement` knows where one ends."""
    found, begun = [], ""
    for piece in script.split(";"):
        begun += piece + ";"
        if sqlite3.complete_statement(begun):
            found.append(begun)
            begun = ""
    return [statement for statement in (*found, begun) if statement.strip("; \n\t")]
