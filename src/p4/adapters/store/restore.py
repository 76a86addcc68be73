"""Putting a backup into an empty state directory: wholly or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from p4.adapters.store import files, filesystem, schema
from p4.adapters.store.backup import open_backup
from p4.adapters.store.backup_contents import IDENTITY_FILE, belongs
from p4.adapters.store.backup_manifest import Manifest
from p4.adapters.store.identity_file import parse_json
from p4.core.contacts import ContactBook
from p4.core.own_keys import OwnKeys
from p4.errors import ContactError, InputError, StateError

__all__ = ["restore"]


def restore(source: Path, directory: Path, passphrase: str) -> Manifest:
    """Make a state directory of a backup.

    It is put together beside its place, checked there, and gets its name as the last step: after a crash
    there is all of it or nothing.

    Args:
        directory: must be empty, or not exist.

    Raises:
        InputError: see `open_backup`. StateError: ``not-empty``, or the disk. Nothing was changed.
    """
    if directory.is_symlink() or (
        directory.exists() and (not directory.is_dir() or any(directory.iterdir()))
    ):
        raise StateError(
            f"{directory} is not empty. Nothing was changed. Restore into a new directory with "
            "--state-dir, or move this one away: two devices cannot be merged.",
            path=str(directory),
            code="not-empty",
        )
    manifest, found = open_backup(source, passphrase)
    _check(source, manifest, found)
    staging = directory.with_name(f".{directory.name}.restoring-{secrets.token_hex(6)}")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        _sweep(directory)
        staging.mkdir(mode=files.DIRECTORY_MODE)
        for path, data in found.items():
            place = staging / path
            for above in reversed(place.relative_to(staging).parents[:-1]):
                (staging / above).mkdir(mode=files.DIRECTORY_MODE, exist_ok=True)  # each of them private
            files.write_atomically(place, data, exclusive=True)
        _check_databases(source, staging)
        _take_name(staging, directory)
    except OSError as error:
        raise files.state_error(error, directory, "restore into") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return manifest


def _check(source: Path, manifest: Manifest, found: dict[str, bytes]) -> None:
    problem = "" if all(belongs(path) for path in found) else "it holds files that no backup has"
    try:
        identity = parse_json(found.get(IDENTITY_FILE, b""))
        if identity.peer_id != manifest.peer_id:
            problem = "its identity is not that of its manifest"
        if "contacts.json" in found:
            ContactBook.parse(found["contacts.json"])
        if "keys.json" in found:
            OwnKeys.from_object(json.loads(found["keys.json"]))
    except (ValueError, ContactError) as error:
        problem = f"it {error}"
    if problem:
        raise InputError(
            f"{source} is no whole backup of P4: {problem}. Nothing was changed.", code="no-backup"
        )


def _check_databases(source: Path, staging: Path) -> None:
    for path in sorted(staging.rglob("*")):
        if path.suffix not in (".sqlite3", ".db"):
            continue
        try:
            with closing(sqlite3.connect(path)) as connection:
                (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
                if path.parent == staging:
                    schema.refuse_unknown(connection, path)
        except sqlite3.Error as error:
            verdict = str(error)
        if verdict != "ok":
            raise InputError(
                f"{source} is no whole backup of P4: {path.name} in it is damaged ({verdict}). Nothing was "
                "changed.",
                code="no-backup",
            )
        for log in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + log).unlink()


def _take_name(staging: Path, directory: Path) -> None:
    if directory.exists():
        directory.rmdir()  # it is empty; Windows gives no directory the name of another
    os.rename(staging, directory)  # noqa: PTH104 - replaces nothing, unlike Path.replace
    filesystem.sync_directory(directory.parent)


def _sweep(directory: Path) -> None:
    """Remove what a restoration that was killed left beside the directory."""
    for leftover in directory.parent.glob(f".{directory.name}.restoring-*"):
        shutil.rmtree(leftover, ignore_errors=True)
