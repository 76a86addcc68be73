"""From a 32-byte seed to the key that Tor wants and the address that everybody with the seed computes."""

from __future__ import annotations

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p4.core.address import RendezvousAddress, Transport
from p4.core.limits import ONION_PORT

__all__ = ["onion_address", "onion_key_blob"]

_VERSION = b"\x03"


def onion_key_blob(seed: bytes) -> str:
    """The expanded secret key in base64, as ADD_ONION takes it after ``ED25519-V3:`` (control-spec 3.27).

    It is the clamped scalar and the prefix of RFC 8032 section 5.1.5.

    Args:
        seed: 32 bytes, an Ed25519 private key in the form of RFC 8032.
    """
    expanded = bytearray(hashlib.sha512(seed).digest())
    expanded[0] &= 0b1111_1000
    expanded[31] &= 0b0111_1111
    expanded[31] |= 0b0100_0000
    return base64.b64encode(expanded).decode("ascii")


def onion_address(seed: bytes) -> RendezvousAddress:
    """The address of the onion service with this key, at ``limits.ONION_PORT`` (rend-spec-v3, section 6).

    Args:
        seed: as of `onion_key_blob`.
    """
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    checksum = hashlib.sha3_256(b".onion checksum" + key + _VERSION).digest()[:2]
    host = base64.b32encode(key + checksum + _VERSION).decode("ascii").lower()
    return RendezvousAddress(Transport.ONION, f"{host}.onion", ONION_PORT)
