"""Backups of a state directory: a tar with a manifest, in an age file with a passphrase (docs/identity.md).

``age -d FILE | tar x`` opens one without P4 (https://age-encryption.org/v1: scrypt recipient).
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pyrage  # type: ignore[import-untyped]

from p4.adapters.store import files, moved
from p4.adapters.store.backup_contents import Snapshot, snapshot
from p4.adapters.store.backup_manifest import MANIFEST, BackedUpFile, Manifest
from p4.core import limits
from p4.errors import InputError, StateError

__all__ = ["back_up", "move_out", "open_backup"]

_AGE_MAGIC: Final = b"age-encryption.org/v1\n"
_MODE: Final = 0o600


def back_up(directory: Path, target: Path, passphrase: str, *, moving: bool = False) -> Manifest:
    """Write a backup; a node may be running on the directory meanwhile.

    What it holds is of one moment in each database; what is accepted afterwards is not in it.

    Args:
        target: made with mode 0600, whole or not at all. It must not exist.
        passphrase: whoever has it and the file has the device.
        moving: written into the manifest: nothing goes on in the directory it came from.

    Raises:
        InputError: ``weak-passphrase``, ``too-large``. StateError: ``exists``, no identity, or the disk.
    """
    if len(passphrase) < limits.PASSPHRASE_CHARACTERS:
        raise InputError(
            f"The passphrase is too short: at least {limits.PASSPHRASE_CHARACTERS} characters, better six "
            "random words. Whoever finds the file can try as many as he has time for. Nothing was written.",
            code="weak-passphrase",
        )
    if target.exists():
        raise StateError(f"{target} exists already. It was not replaced.", path=str(target), code="exists")
    content = snapshot(directory)
    manifest = Manifest(
        int(time.time() * 1000),
        content.peer_id,
        moving,
        tuple(BackedUpFile.of(path, data) for path, data in content.files.items()),
    )
    sealed = pyrage.passphrase.encrypt(_packed(manifest, content), passphrase)
    files.write_atomically(target, sealed, exclusive=True)
    return manifest


def move_out(directory: Path, target: Path, passphrase: str) -> Manifest:
    """Back up a directory that nobody works on, and seal it: it does not start again.

    The seal comes first. Were it the other way round, a crash in between would leave a backup and a device
    that goes on giving numbers to messages. The caller holds the directory's lock.

    Raises:
        InputError, StateError: as `back_up`; then it is not sealed, unless it was before.
    """
    sealed_before = moved.load_moved(directory) is not None
    moved.seal(directory, target)
    try:
        return back_up(directory, target, passphrase, moving=True)
    except (InputError, StateError):
        if not sealed_before:
            moved.unseal(directory)
        raise


def open_backup(source: Path, passphrase: str) -> tuple[Manifest, dict[str, bytes]]:
    """Decrypt a backup and check all of it against its manifest; writes nothing.

    Returns:
        The manifest, and the files by their paths.

    Raises:
        InputError: ``no-backup`` (something else, or damaged), ``wrong-passphrase`` (or damaged there),
            ``newer-version``. StateError: it cannot be read.
    """
    data = files.read_bytes(source, at_most=2 * limits.BACKUP_BYTES)
    if data is None:
        raise InputError(f"There is no file {source}. Nothing was changed.", code="no-backup")
    if not data.startswith(_AGE_MAGIC):
        raise InputError(
            f"{source} is not a backup of P4: it is no age file. Nothing was changed.", code="no-backup"
        )
    try:
        packed = pyrage.passphrase.decrypt(data, passphrase)
    except pyrage.DecryptError as error:
        raise InputError(
            f"{source} could not be opened: the passphrase is wrong, or the file is damaged. Nothing was "
            "changed.",
            code="wrong-passphrase",
        ) from error
    try:
        return _unpacked(packed)
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise InputError(
            f"{source} is no whole backup of P4: {error}. Nothing was changed.", code="no-backup"
        ) from error


def _packed(manifest: Manifest, content: Snapshot) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, data in ((MANIFEST, manifest.to_bytes()), *content.files.items()):
            member = tarfile.TarInfo(path)
            member.size, member.mode, member.mtime = len(data), _MODE, manifest.made_ms // 1000
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _unpacked(packed: bytes) -> tuple[Manifest, dict[str, bytes]]:
    with closing(tarfile.open(fileobj=io.BytesIO(packed), mode="r:")) as archive:
        members = _members(archive)
        first = next(members, None)
        if first is None or first[0] != MANIFEST:
            raise ValueError("it has no manifest")
        manifest = Manifest.parse(first[1])
        found = dict(members)
    wanted = {one.path: one for one in manifest.files}
    if found.keys() != wanted.keys():
        raise ValueError("its files are not those of its manifest")
    for path, data in found.items():
        if hashlib.sha256(data).hexdigest() != wanted[path].sha256:
            raise ValueError(f"{json.dumps(path)} in it is damaged")
    return manifest, found


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    names: set[str] = set()
    for member in archive:
        if not member.isreg() or member.name in names or len(names) > limits.BACKUP_FILES:
            raise ValueError(f"{json.dumps(member.name[:80])} in it is not a file, or comes twice")
        names.add(member.name)
        file = archive.extractfile(member)
        yield member.name, file.read() if file else b""
