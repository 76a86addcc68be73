"""Opening the database file: private, checked, in the current form; and what its errors mean."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from p4.adapters.store import files, filesystem, schema
from p4.errors import CorruptFileError, StateError

__all__ = ["explain", "means_corrupt", "open_database", "set_database_aside", "streams_of"]

QUICK_CHECK_BYTES = 64 * 1024 * 1024
"""Up to this size the whole file is checked at each start (a fraction of a second)."""

BUSY_SECONDS = 5.0
"""How long to wait for another program that holds the database (a backup, a curious ``sqlite3``)."""

_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\0"
_PRIMARY_CODE = 0xFF  # extended result codes carry the primary one in the low byte (sqlite.org/rescode.html)


def open_database(path: Path) -> sqlite3.Connection:
    """Open a database, or create it complete under another name and then give it this one.

    So a database of zero bytes or half a schema never comes from us, and one that is found is damage.

    Raises:
        CorruptFileError: damaged; set aside with its log files.
        StateError: everything else that stands in the way.
    """
    if sqlite3.sqlite_version_info < schema.OLDEST_SQLITE:
        raise StateError(
            f"The SQLite library of this Python is {sqlite3.sqlite_version}; P4 needs "
            f"{'.'.join(map(str, schema.OLDEST_SQLITE))} or newer. Use a newer Python.",
            path=str(path),
            code="old-sqlite",
        )
    try:
        _find_or_create(path)
    except OSError as error:
        raise files.state_error(error, path, "open") from error
    files.check_private([path, _log_of(path), _index_of(path), streams_of(path)])
    try:
        connection = _connect(path)
    except sqlite3.Error as error:
        raise explain(error, path) from error
    try:
        _check(connection, path)
        schema.refuse_unknown(connection, path)
        _configure(connection)
        schema.migrate(connection, path)
    except sqlite3.Error as error:
        if means_corrupt(error):
            raise set_database_aside(path, f"is damaged ({error})", connection) from error
        connection.close()
        raise explain(error, path) from error
    except BaseException:
        connection.close()
        raise
    return connection


def set_database_aside(
    path: Path, problem: str, connection: sqlite3.Connection | None = None
) -> CorruptFileError:
    """Move the database and its log out of the way together; the log holds the latest commits.

    Args:
        problem: what is wrong with it, to follow "it".
        connection: closed here. Closing folds the log into the damaged file and removes it, so where the
            platform lets open files be renamed that is done first, and the log is kept.

    Raises:
        StateError: the files could not be moved. The connection is closed all the same.
    """
    if connection is None:
        return _move(path, problem)
    if not filesystem.RENAMES_OPEN_FILES:
        connection.close()
    try:
        return _move(path, problem)
    finally:
        connection.close()


def _move(path: Path, problem: str) -> CorruptFileError:
    return files.set_aside(
        path,
        problem,
        consequence=(
            "It held messages that were waiting to be sent or read, open streams, and the memory against "
            "replayed envelopes; your identity and contacts are not in it and are safe. Start P4 again to go "
            "on with empty queues. To try a rescue first: the sqlite3 program's .recover command."
        ),
        # Without their records the streams' files would be strays, and be removed at the next start.
        companions=(_log_of(path), _index_of(path), streams_of(path)),
    )


def means_corrupt(error: BaseException | None) -> bool:
    """Whether the error says that the file itself is damaged."""
    return _primary_code(error) in _CORRUPT


def explain(error: sqlite3.Error, path: Path) -> StateError:
    """A refusal of the database as a sentence for a person."""
    code = _primary_code(error)
    if code == sqlite3.SQLITE_FULL:
        reason, short, advice = "the disk is full", "disk-full", "Free some space and try again."
    elif code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN}:
        reason, short, advice = (
            "it cannot be opened for writing",
            "read-only",
            "Check the permissions of the state directory and whether its disk is mounted writable.",
        )
    elif code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        reason, short, advice = (
            "another program holds it",
            "busy",
            "Close that program (perhaps a backup, or sqlite3) and try again.",
        )
    else:
        reason, short, advice = str(error), "io-error", "Check the disk, then try again."
    return StateError(
        f"The database {path} did not take a change: {reason}. What was stored before is unchanged. {advice}",
        path=str(path),
        code=short,
    )


def _primary_code(error: BaseException | None) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & _PRIMARY_CODE


def streams_of(path: Path) -> Path:
    """Directory of the streams' files that belong to a database."""
    return path.with_name("streams")


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _index_of(path: Path) -> Path:
    return path.with_name(path.name + "-shm")


def _connect(path: Path) -> sqlite3.Connection:
    # Autocommit: transactions are begun and ended by us, never by the module.
    return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)


def _find_or_create(path: Path) -> None:
    log = _log_of(path)
    if path.exists():
        if problem := _header_problem(path):
            raise set_database_aside(path, problem)
    elif log.exists() and log.stat().st_size:
        raise set_database_aside(path, "is gone, and only its log was left")
    else:
        _create(path)


def _header_problem(path: Path) -> str:
    """What is wrong with the first bytes, if anything (https://sqlite.org/fileformat2.html).

    Looked at before SQLite does, which takes a file shorter than one page for a new database and removes
    the log beside it, that is, the last commits.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header.strip(b"\0"):
        return "holds nothing but zeros" if header else "is empty"
    if not header.startswith(_MAGIC):
        return "is no database"
    page_size = int.from_bytes(header[16:18], "big")
    if size < (65536 if page_size == 1 else page_size) or len(header) < _HEADER_BYTES:
        return "was cut off"
    return ""


def _create(path: Path) -> None:
    """A complete, empty database under ``path``; a crash on the way leaves nothing there."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        for leftover in (fresh, _log_of(fresh), _index_of(fresh)):
            leftover.unlink(missing_ok=True)
        # Made by us, because SQLite would take the umask's mode; its log files copy the mode of this one.
        os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, files.FILE_MODE))
        with contextlib.closing(_connect(fresh)) as connection:
            _configure(connection)
            schema.migrate(connection, fresh)
        filesystem.replace(fresh, path)
        filesystem.sync_directory(path.parent)
    except OSError as error:
        raise files.state_error(error, path, "create") from error
    except sqlite3.Error as error:
        raise explain(error, path) from error


def _configure(connection: sqlite3.Connection) -> None:
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        # macOS only: a sync that goes through the drive's cache (https://sqlite.org/pragma.html).
        "fullfsync = ON",
        "checkpoint_fullfsync = ON",
        "foreign_keys = ON",
        # Texts that are forgotten are overwritten where that costs no extra write.
        "secure_delete = FAST",
        # Checkpoints come every 1000 pages, as SQLite has it: at 4000 there are a fifteenth fewer syncs, but
        # messages take as long (tests/adapters/store/measure_store.py), and the log is four times as large.
        # After a burst the log shrinks back to this many bytes.
        "journal_size_limit = 8388608",
        "trusted_schema = OFF",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Read the header always and, while that is quick, every page."""
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if path.stat().st_size <= QUICK_CHECK_BYTES:
        problems = connection.execute("PRAGMA quick_check(1)").fetchall()
        if problems != [("ok",)]:
            error = sqlite3.DatabaseError(str(problems[0][0]))
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error
