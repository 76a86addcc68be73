"""Frames of the gate (spec/gate.md)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

from vectors.generate.common import ALICE, Vector
from vectors.generate.frames import bad, good, lengths
from vectors.generate.x25519 import private_key


def onion_name(public_key: bytes) -> bytes:
    """Tor's rend-spec-v3, section 6: the address before ``.onion``."""
    checksum = hashlib.sha3_256(b".onion checksum" + public_key + b"\x03").digest()[:2]
    return base64.b32encode(public_key + checksum + b"\x03").lower()


def vectors() -> Iterator[Vector]:
    key, name = private_key(ALICE).public_key().public_bytes_raw(), onion_name(ALICE.public_key)
    whole = b"\x0c" + key + b"\x00\x50" + name
    yield good("gate_ok", "a key and a gate", whole, "GATE", key=key, port=80, address=name.decode())
    last = b"\x0c" + key + b"\xff\xff" + name
    yield good("gate_ok_last_port", "the last port", last, "GATE", key=key, port=65535, address=name.decode())
    yield from lengths("gate", whole)
    yield bad("gate_port", "port 0", b"\x0c" + key + b"\0\0" + name, "bad-number")
    for u, weak in {"0": bytes(32), "0_with_last_bit": bytes(31) + b"\x80", "1": b"\1" + bytes(31)}.items():
        yield bad(f"gate_key_{u}", "a key of small order", b"\x0c" + weak + b"\0\x50" + name, "bad-key")
    for reason, address in {
        "checksum": name[:-3] + b"aad",
        "upper_case": name.upper(),
        "not_ascii": name[:-2] + "é".encode(),
        "zeros": bytes(56),
        "version_2": base64.b32encode(base64.b32decode(name.upper())[:34] + b"\x02").lower(),
    }.items():
        yield bad(f"gate_{reason}", "no onion address", b"\x0c" + key + b"\x00\x50" + address, "bad-text")
    yield good("gate_kept_ok", "what was kept", b"\x0d" + key, "GATE_KEPT", key=key)
    yield from lengths("gate_kept", b"\x0d" + key)
