"""Identities, files and onion keys that several tests of the state directory use."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from p4.core.identity import Identity

SEED = bytes(range(32))
ME = Identity(SEED)
FRIEND = Identity(b"f" * 32)


class Warnings(list[str]):
    """What the user was told."""


def write(path: Path, data: bytes | str) -> None:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    path.chmod(0o600)


def onion_pair(seed: bytes) -> tuple[str, str]:
    """A key blob as Tor gives it (RFC 8032 section 5.1.5 expansion) and its address, without Tor."""
    digest = bytearray(hashlib.sha512(seed).digest())
    digest[0] &= 248
    digest[31] = digest[31] & 63 | 64
    key = Identity(seed).public_key
    checksum = hashlib.sha3_256(b".onion checksum" + key + b"\x03").digest()[:2]
    service_id = base64.b32encode(key + checksum + b"\x03").decode().lower()
    return base64.b64encode(bytes(digest)).decode(), service_id
