"""The key of the node's onion service, in the two files that v1 keeps it in.

Tor's ``ED25519-V3`` blob (control-spec, ADD_ONION) is the expanded secret key of RFC 8032 section 5.1.5:
32 bytes of scalar, then 32 bytes of prefix. The service id (rend-spec-v3, ENCODING-ONION-ADDRESS) holds
the public key, so the two files can contradict each other, and that is checked here.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from p4.core.address import RendezvousAddress, Transport
from p4.core.limits import ONION_PORT
from p4.errors import InviteError

__all__ = ["OnionKey", "parse_blob", "parse_service_id", "service_id_belongs"]

_BLOB_BYTES = 64
_SCALAR_BYTES = 32
_KEY_TYPE = "ED25519-V3:"
_FIELD_PRIME = 2**255 - 19


@dataclass(frozen=True, slots=True)
class OnionKey:
    """A validated onion service key.

    Args:
        blob: base64 of the expanded secret key, without the ``ED25519-V3:`` that Tor puts before it.
        service_id: the 56 characters of the address without ``.onion``; empty where it is not known.
    """

    blob: str = field(repr=False)
    service_id: str = ""


def parse_blob(text: str) -> str:
    """The base64 blob of an onion key file.

    Raises:
        ValueError: it is no such blob; the message fits after "it" and shows nothing of the key.
    """
    blob = text.strip().removeprefix(_KEY_TYPE)
    try:
        secret = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64") from None
    if len(secret) != _BLOB_BYTES:
        raise ValueError(f"holds {len(secret)} bytes instead of {_BLOB_BYTES}")
    if not any(secret[:_SCALAR_BYTES]):
        raise ValueError("holds a key of zeros")
    return blob


def parse_service_id(text: str) -> str:
    """The service id in an id file; a ``.onion`` at its end is tolerated.

    Raises:
        ValueError: not a version 3 service id, or its checksum is wrong.
    """
    service_id = text.strip().lower().removesuffix(".onion")
    try:
        RendezvousAddress(Transport.ONION, f"{service_id}.onion", ONION_PORT)
    except InviteError:
        raise ValueError("is not a version 3 onion service id") from None
    return service_id


def service_id_belongs(service_id: str, blob: str) -> bool:
    """Whether an id (as `parse_service_id` gives it) can be the address of a key (as `parse_blob` gives it).

    The public key is scalar times base point. X25519 computes that product too, on the birationally
    equivalent curve of RFC 7748 section 4.1, where u = (1 + y) / (1 - y); so the library at hand answers
    without curve arithmetic of our own. The sign of x is lost on the way, which leaves one other key in
    2^255: enough to find files that do not belong together.

    A scalar that is not clamped is answered with True: X25519 would clamp it first and compare another
    key's address. Only Tor can tell then, and does when the service is added.
    """
    scalar = base64.b64decode(blob)[:_SCALAR_BYTES]
    if scalar[0] & 0b111 or scalar[31] & 0b1100_0000 != 0b0100_0000:
        return True
    expected = X25519PrivateKey.from_private_bytes(scalar).public_key().public_bytes_raw()
    public_key = bytearray(base64.b32decode(service_id.upper())[:32])
    public_key[31] &= 0x7F
    y = int.from_bytes(public_key, "little")
    u = (1 + y) * pow(1 - y, -1, _FIELD_PRIME) % _FIELD_PRIME if y % _FIELD_PRIME != 1 else 0
    return u.to_bytes(32, "little") == expected
