"""The key of the node's gated onion service (spec/gate.md), beside the files of version 1."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from pathlib import Path

from p4.adapters.store import files
from p4.errors import StateError

__all__ = ["GATE_SEED_FILE", "load_gate_seed"]

GATE_SEED_FILE = "onion_gate_seed.txt"
"""In ``onionrelay/``: base64 of the seed, an Ed25519 private key in the form of RFC 8032."""

_SEED_BYTES = 32
_MOST_BYTES = 256


def load_gate_seed(directory: Path, fresh: Callable[[int], bytes]) -> bytes:
    """The seed, 32 bytes; made and on disk (0600) if there is none.

    Args:
        directory: ``onionrelay/`` in the state directory; made if absent.
        fresh: gives so many unpredictable bytes.

    Raises:
        StateError: it cannot be read or written.
        CorruptFileError: it is damaged; it was set aside, and the next start makes another: contacts learn
            the new address when they are linked next.
    """
    path = directory / GATE_SEED_FILE
    data = files.read_bytes(path, at_most=_MOST_BYTES)
    if data is not None:
        try:
            seed = base64.b64decode(data.strip(), validate=True)
        except binascii.Error:
            seed = b""
        if len(seed) == _SEED_BYTES:
            return seed
        raise files.set_aside(
            path,
            "is not the key of an onion address",
            consequence="Contacts reached this device there. Put a backup in its place; or start P4 again to "
            "get a new address, which contacts learn as soon as this device has called them.",
        )
    try:
        directory.mkdir(mode=files.DIRECTORY_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise files.state_error(error, directory, "make the directory") from error
    seed = fresh(_SEED_BYTES)
    if len(seed) != _SEED_BYTES:
        raise StateError("No key could be made.", path=str(path), code="no-key")
    files.write_atomically(path, base64.b64encode(seed) + b"\n", exclusive=True)
    return seed
