"""Group commit: one thread, one connection, many callers sharing each transaction."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from p4.adapters.store import database
from p4.adapters.store.relations import Relations
from p4.errors import StateError

__all__ = ["CommitThread"]

_T = TypeVar("_T")

BATCH_OPERATIONS = 512
"""Most operations in one transaction, so that the first of a long queue does not wait for the last."""


BATCH_BYTES = 16 * 1024 * 1024
"""A transaction takes no more operations once it has as many bytes of bodies: the log is to stay small."""

PATIENCE_SECONDS = 0.05
"""How long an operation that nobody waits for may wait for others, to be on disk with one write for all."""


@dataclass(frozen=True, slots=True)
class _Operation:
    """What a caller wants done, and the future that tells it."""

    run: Callable[[Relations], Any]
    writes: bool
    future: asyncio.Future[Any]
    size: int


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How one operation ended: a value, or the error to raise where the caller waits."""

    value: Any = None
    error: BaseException | None = None


class CommitThread:
    """Runs operations on a database in a thread of its own and answers after the commit.

    Args:
        path: the database file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: deque[_Operation] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._urgent = False
        """Whether something in the queue may not wait."""
        self._hurry: asyncio.TimerHandle | None = None
        self._failure: StateError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Future[None] | None = None

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Open the database in the thread.

        Raises:
            StateError, CorruptFileError: it cannot be opened; the thread has ended.
        """
        self._loop = loop
        opened: asyncio.Future[None] = loop.create_future()
        self._ended = loop.create_future()
        # A daemon: a program that forgets close() must still end. Being stopped between two instructions
        # is a crash like any other to the database.
        threading.Thread(target=self._run, args=(opened,), name="p4-store", daemon=True).start()
        # Shielded: a caller that gives up must not leave a future half resolved in the thread's hands.
        await asyncio.shield(opened)

    async def stop(self) -> None:
        """Carry out what is queued, close the database, end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._ended is not None:
            await asyncio.shield(self._ended)

    async def submit(
        self, run: Callable[[Relations], _T], *, writes: bool, size: int = 0, patient: bool = False
    ) -> _T:
        """Queue an operation and wait until the transaction that holds it is on disk.

        Args:
            size: bytes of the bodies that it writes.
            patient: whether it may wait for others for a moment.

        Raises:
            StateError: the database refused, or the store is closed; the operation has no effect.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not None and loop is not self._loop:
            raise RuntimeError("a store belongs to the event loop that opened it")
        future: asyncio.Future[_T] = loop.create_future()
        with self._wake:
            if self._failure is not None:
                raise self._failure
            if self._closing:
                raise StateError(
                    f"The database {self._path} is closed already. Nothing was written.",
                    path=str(self._path),
                    code="closed",
                )
            self._queue.append(_Operation(run, writes, future, size))
            if not patient:
                self._urgent = True
                self._wake.notify()
            elif self._hurry is None:
                self._hurry = loop.call_later(PATIENCE_SECONDS, self._wait_no_more)
        return await future

    def _wait_no_more(self) -> None:
        self._hurry = None
        with self._wake:
            self._urgent = bool(self._queue)
            self._wake.notify()

    # --- in the thread -----------------------------------------------------------------------------------

    def _run(self, opened: asyncio.Future[None]) -> None:
        try:
            connection = database.open_database(self._path)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller of open() must hear of it
            with self._wake:
                self._closing = True
            self._deliver([(opened, _Outcome(error=error))])
            self._deliver_end()
            return
        self._deliver([(opened, _Outcome())])
        relations = Relations(connection, str(self._path))
        while batch := self._next_batch():
            outcomes = self._commit(relations, batch)
            self._deliver(
                [(operation.future, outcome) for operation, outcome in zip(batch, outcomes, strict=True)]
            )
        with contextlib.suppress(sqlite3.Error):
            # Everything is committed; what can still fail is folding the log into the main file, which the
            # next opening does as well.
            connection.close()
        self._deliver_end()

    def _next_batch(self) -> list[_Operation]:
        """Wait for operations; an empty list means the end."""
        with self._wake:
            while not (self._urgent or self._closing):
                self._wake.wait()
            batch: list[_Operation] = []
            size = 0
            while self._queue and len(batch) < BATCH_OPERATIONS and size < BATCH_BYTES:
                batch.append(self._queue.popleft())
                size += batch[-1].size
            self._urgent = bool(self._queue)
            return batch

    def _commit(self, relations: Relations, batch: list[_Operation]) -> list[_Outcome]:
        """Run a batch in one transaction; the outcomes are valid only because the commit is in here too."""
        if self._failure is not None:
            return [_Outcome(error=self._failure) for _ in batch]
        outcomes = _transact(relations, batch, _attempt)
        if outcomes is None:
            # One failed after it had changed something: once more, each undone by itself if it fails. That
            # takes two statements more for each, which is why it is not the rule.
            outcomes = _transact(relations, batch, _attempt_alone)
        assert outcomes is not None  # noqa: S101 - an attempt alone undoes its changes
        return [self._explained(relations.connection, outcome) for outcome in outcomes]

    def _explained(self, connection: sqlite3.Connection, outcome: _Outcome) -> _Outcome:
        """The outcome with an error for a person; after damage to the file, also the store's last word."""
        error = outcome.error
        if not isinstance(error, sqlite3.Error):
            return outcome
        if not database.means_corrupt(error):
            return _Outcome(error=database.explain(error, self._path))
        if self._failure is None:
            failure = _set_aside(self._path, error, connection)
            with self._wake:
                self._failure = failure
                self._closing = True
        return _Outcome(error=self._failure)

    def _deliver(self, results: list[tuple[asyncio.Future[Any], _Outcome]]) -> None:
        assert self._loop is not None  # noqa: S101 - set before the thread starts
        with contextlib.suppress(RuntimeError):
            # The loop may be closed: then nobody waits any more, and what was committed is committed.
            self._loop.call_soon_threadsafe(_resolve, results)

    def _deliver_end(self) -> None:
        assert self._ended is not None  # noqa: S101 - set before the thread starts
        self._deliver([(self._ended, _Outcome())])


class _HalfDoneError(Exception):
    """An operation failed and left changes behind in the transaction."""


def _transact(
    relations: Relations, batch: list[_Operation], attempt: Callable[[Relations, _Operation], _Outcome]
) -> list[_Outcome] | None:
    """Run a batch and commit it.

    Returns:
        How each operation ended; None if nothing was done, because one of them left changes behind.
    """
    connection = relations.connection
    outcomes: list[_Outcome] = []
    lost: BaseException | None = None
    writes = any(one.writes for one in batch)
    try:
        if writes:
            connection.execute("BEGIN IMMEDIATE")
        for operation in batch:
            outcomes.append(attempt(relations, operation))
            error = outcomes[-1].error
            if connection.in_transaction is not writes or database.means_corrupt(error):
                # The database gave up the whole transaction (disk full, I/O error) and not just one
                # step, or its file is about to be set aside: nobody may believe in this transaction.
                lost = error
                break
        else:
            if writes:
                relations.write()
                connection.execute("COMMIT")
            return outcomes
    except _HalfDoneError:
        pass
    except Exception as error:  # noqa: BLE001 - the thread must live on; every caller gets the reason
        lost = error
    relations.drop()
    if connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
    return None if lost is None else [_Outcome(error=lost) for _ in batch]


def _attempt(relations: Relations, operation: _Operation) -> _Outcome:
    """One operation, which usually succeeds, or fails before its first change.

    Raises:
        _HalfDoneError: it failed after it.
    """
    before = (relations.connection.total_changes, relations.changes)
    try:
        return _Outcome(operation.run(relations))
    except Exception as error:  # belongs to the caller of this operation, unless the others are concerned
        changed = (relations.connection.total_changes, relations.changes) != before
        if changed and relations.connection.in_transaction and not database.means_corrupt(error):
            raise _HalfDoneError from error
        return _Outcome(error=error)


def _attempt_alone(relations: Relations, operation: _Operation) -> _Outcome:
    """One operation, undone by itself if it fails, so that its neighbours are not harmed."""
    connection = relations.connection
    relations.write()
    connection.execute("SAVEPOINT operation")
    try:
        value = operation.run(relations)
    except Exception as error:  # noqa: BLE001 - belongs to the caller of this operation, not to the thread
        relations.drop()
        if connection.in_transaction:
            connection.execute("ROLLBACK TO operation")
            connection.execute("RELEASE operation")
        return _Outcome(error=error)
    connection.execute("RELEASE operation")
    return _Outcome(value)


def _set_aside(path: Path, error: sqlite3.Error, connection: sqlite3.Connection) -> StateError:
    try:
        return database.set_database_aside(path, f"turned out to be damaged ({error})", connection)
    except StateError as refusal:
        return refusal


def _resolve(results: list[tuple[asyncio.Future[Any], _Outcome]]) -> None:
    """On the loop: answer every caller that still waits."""
    for future, outcome in results:
        if future.done():
            continue  # the caller was cancelled
        if outcome.error is not None:
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome.value)
