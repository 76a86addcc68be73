"""``keys.json``: the keys of this device of today and before (spec/rotation.md, Files)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from p4.adapters.store import files, identity_file
from p4.core.identity import Identity
from p4.core.own_keys import OwnKeys
from p4.errors import StateError

__all__ = ["KEYS_FILE", "load_keys", "save_keys"]

KEYS_FILE: Final = "keys.json"
_IDENTITY_FILE: Final = "identity_ed25519.json"
_MOST_BYTES: Final = 64 * 1024 * 1024
"""Far above what a book of contacts needs."""


def load_keys(directory: Path, identity: Identity) -> OwnKeys:
    """The keys of a state directory, whose identity file follows them if a rotation was cut short.

    Args:
        identity: what the identity file says.

    Raises:
        CorruptFileError: the file is damaged; it was set aside.
        StateError: ``foreign-keys``: it belongs to another identity; or the disk refused.
    """
    path = directory / KEYS_FILE
    data = files.read_bytes(path, at_most=_MOST_BYTES)
    if data is None:
        return OwnKeys(identity)
    try:
        keys = OwnKeys.from_object(_parse(data))
    except ValueError as error:
        raise files.set_aside(
            path,
            str(error),
            consequence="It says which of your contacts know which key of this device; the present key is "
            "safe in the identity file. Put a backup in its place; or start P4 again, and pair anew with "
            "contacts that do not connect.",
        ) from error
    if keys.current.seed != identity.seed:
        if identity.public_key not in [one.statement.old_key for one in keys.former]:
            raise StateError(
                f"{path} and {directory / _IDENTITY_FILE} belong to two different devices. Nothing was "
                "changed. Put both files of one backup there.",
                path=str(path),
                code="foreign-keys",
            )
        _write_identity(directory, keys.current)
    return keys


def save_keys(directory: Path, keys: OwnKeys) -> None:
    """Write the keys, then the identity file that follows them; on disk when this returns.

    Raises:
        StateError: the keys were not written. If only the identity file was not, the next start does it.
    """
    text = json.dumps(keys.to_object(), indent=2) + "\n"
    files.write_atomically(directory / KEYS_FILE, text.encode("ascii"))
    _write_identity(directory, keys.current)


def _write_identity(directory: Path, identity: Identity) -> None:
    data = identity_file.to_json(identity)
    path = directory / _IDENTITY_FILE
    if files.read_bytes(path, at_most=_MOST_BYTES) != data:
        files.write_atomically(path, data)


def _parse(data: bytes) -> object:
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        # From None: the parser's message quotes its input, which is the secret.
        raise ValueError("is not JSON; it may have been cut off") from None
