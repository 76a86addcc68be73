"""What of a state directory belongs into a backup, read while a node may be working on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from p4.adapters.store import database, files
from p4.adapters.store.backup_manifest import is_plain_path
from p4.adapters.store.identity_file import parse_json
from p4.adapters.store.pairing_files import INVITES_FILE
from p4.core import limits
from p4.core.identity import PeerId
from p4.errors import InputError, StateError

__all__ = ["IDENTITY_FILE", "Snapshot", "belongs", "snapshot"]

IDENTITY_FILE: Final = "identity_ed25519.json"

_FIRST: Final = (IDENTITY_FILE, "keys.json", "contacts.json")
"""In this order: if a rotation or a new contact comes in between, what is read later knows more, which every
start puts right; the other way round something would be missing."""

_OF_A_RUN: Final = frozenset(
    {
        *("p4.lock", "p4.pid", "status.json", "moved.json"),
        INVITES_FILE,  # a secret that is used once; put back, its one guess could be made again
        *("daemon/api.sock", "daemon/endpoint.json", "daemon/port", "daemon/log"),
        *("onionrelay/torrc", "onionrelay/no-defaults-torrc"),
    }
)
"""Made anew at each start, or true of this place only."""

_DIRECTORIES_OF_A_RUN: Final = ("onionrelay/tor/", "onionrelay/run/", "onionrelay/gate/", "web/")
_DATABASES: Final = (".sqlite3", ".db")
_LOGS_OF_DATABASES: Final = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The files of a device by their paths, and whose they are."""

    peer_id: PeerId
    files: dict[str, bytes]


def belongs(path: str) -> bool:
    """Whether a file of a state directory is a part of the device rather than of a run."""
    return (
        is_plain_path(path)
        and path not in _OF_A_RUN
        and not path.startswith(_DIRECTORIES_OF_A_RUN)
        and not path.startswith("daemon/log")
        and not path.endswith(_LOGS_OF_DATABASES)
        and ".corrupt-" not in path
    )


def snapshot(directory: Path) -> Snapshot:
    """Read everything that belongs.

    Raises:
        StateError: ``no-identity``, or something cannot be read. InputError: ``too-large``.
    """
    found: dict[str, bytes] = {}
    size = 0
    for path in _paths(directory):
        data = _read(directory / path)
        if data is None:
            continue  # a spool that has just been confirmed
        size += len(data)
        if size > limits.BACKUP_BYTES or len(found) >= limits.BACKUP_FILES:
            raise InputError(
                f"There is more than {limits.BACKUP_BYTES // 2**20} MiB to back up in {directory}. Nothing "
                "was written. Wait until contacts have taken what is under way, or read your inbox; then try "
                "again.",
                code="too-large",
            )
        found[path] = data
    if IDENTITY_FILE not in found:
        raise StateError(
            f"There is no identity in {directory}, so there is nothing to back up. Nothing was written.",
            path=str(directory),
            code="no-identity",
        )
    try:
        identity = parse_json(found[IDENTITY_FILE])
    except ValueError as error:
        raise StateError(
            f"{directory / IDENTITY_FILE} cannot be used: it {error}. Nothing was written.",
            path=str(directory / IDENTITY_FILE),
            code="bad-identity",
        ) from error
    return Snapshot(identity.peer_id, found)


def _paths(directory: Path) -> Iterator[str]:
    yield from (name for name in _FIRST if (directory / name).is_file())
    try:
        everything = sorted(directory.rglob("*"))
    except OSError as error:
        raise files.state_error(error, directory, "read the directory") from error
    paths = [path.relative_to(directory).as_posix() for path in everything if path.is_file()]
    # Databases before spools: bytes that no record knows are removed at the start, a record needs its bytes.
    for path in sorted(paths, key=lambda one: (not one.endswith(_DATABASES), one)):
        if belongs(path) and path not in _FIRST:
            yield path


def _read(path: Path) -> bytes | None:
    if path.name.endswith(_DATABASES):
        return _read_database(path)
    return files.read_bytes(path, at_most=limits.BACKUP_BYTES)


def _read_database(path: Path) -> bytes:
    """A consistent copy, whoever writes meanwhile: in one step, so it is of one moment
    (https://sqlite.org/backup.html)."""
    try:
        with (
            closing(sqlite3.connect(path, timeout=database.BUSY_SECONDS)) as source,
            closing(sqlite3.connect(":memory:")) as copy,
        ):
            source.backup(copy, pages=-1)
            return copy.serialize()
    except sqlite3.Error as error:
        raise database.explain(error, path) from error
