"""Sealed payloads: encrypted to the one contact that shall read them (spec/sealing.md, RFC 9180).

HPKE in base mode says nothing about the sender; the signature of the envelope around it does, and the two
are bound together by the ``info`` of the key schedule.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from p4.core.canonical import canonical_bytes, parse_object
from p4.core.identity import Identity, encode_key, is_usable_key, peer_id_of
from p4.errors import SignalingError

__all__ = ["SEALED", "is_sealed", "open_payload", "seal_payload", "x25519_private_key", "x25519_public_key"]

SEALED: Final = "sealed"
"""The ``type`` of a payload whose content only the recipient can read."""

_LABEL = b"P4 sealed signaling 1\0"
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_OVERHEAD_BYTES = 32 + 16  # the encapsulated key in front, the tag of the cipher at the end
_FIELD = 2**255 - 19


@lru_cache(maxsize=1024)
def x25519_public_key(public_key: bytes, *, known: bool = False) -> bytes:
    """The X25519 key that belongs to an Ed25519 key: u = (1 + y) / (1 - y) (RFC 7748 section 4.1).

    Args:
        known: the key was checked when it first came (`p4.core.identity.is_usable_key`).

    Raises:
        ValueError: the Ed25519 key is not usable (`p4.core.identity.is_usable_key`): y = 1 has no u, and a
            point of small order would give everybody the same secret.
    """
    if not is_usable_key(public_key, known=known):
        raise ValueError("not a usable Ed25519 public key")
    y = int.from_bytes(public_key, "little") & (1 << 255) - 1  # the top bit is the sign of x
    u = (1 + y) * pow(1 - y, -1, _FIELD) % _FIELD
    return u.to_bytes(32, "little")


def x25519_private_key(seed: bytes) -> bytes:
    """The private half of `x25519_public_key`: the scalar that Ed25519 uses (RFC 8032 section 5.1.5)."""
    scalar = bytearray(hashlib.sha512(seed).digest()[:32])
    scalar[0] &= 0b1111_1000
    scalar[31] = scalar[31] & 0b0111_1111 | 0b0100_0000
    return bytes(scalar)


def is_sealed(payload: Mapping[str, object]) -> bool:
    """Whether `open_payload` is needed to read it."""
    return payload.get("type") == SEALED


def seal_payload(
    payload: Mapping[str, object], *, sender_key: bytes, recipient_key: bytes
) -> dict[str, object]:
    """Encrypt a payload for one recipient; each time with another result.

    Args:
        sender_key: Ed25519 public key of whoever will sign the envelope.
        recipient_key: Ed25519 public key of the only one who can open it.

    Returns:
        The payload to put into the envelope.

    Raises:
        InputError: the payload has no canonical form.
        ValueError: the recipient's key is not usable.
    """
    key = X25519PublicKey.from_public_bytes(x25519_public_key(recipient_key))
    sealed = _SUITE.encrypt(canonical_bytes(payload), key, _info(sender_key, recipient_key))
    return {"type": SEALED, "hpke": base64.b64encode(sealed).decode("ascii")}


def open_payload(
    payload: Mapping[str, object], *, sender_key: bytes, recipient: Identity
) -> Mapping[str, object]:
    """Decrypt the payload of a verified envelope. Unknown keys beside ``hpke`` are ignored.

    Args:
        sender_key: Ed25519 public key that verified the envelope.

    Raises:
        SignalingError: ``bad-sealed`` (no base64 of the right form), ``not-opened`` (for somebody else, from
            somebody else, or altered), a code of `p4.core.canonical.parse_object`, or ``nested``.
    """
    sealed = _bytes_of(payload.get("hpke"))
    key = X25519PrivateKey.from_private_bytes(x25519_private_key(recipient.seed))
    try:
        content = _SUITE.decrypt(sealed, key, _info(sender_key, recipient.public_key))
    except (InvalidTag, ValueError) as error:  # ValueError: an encapsulated point of small order
        raise SignalingError(
            "The sealed payload is not for us, or was altered.", code="not-opened"
        ) from error
    opened = parse_object(content, SignalingError)
    if is_sealed(opened):
        # Each layer would cost a decryption, and nothing is gained by a second.
        raise SignalingError("A sealed payload is inside a sealed one.", code="nested")
    return opened


def _info(sender_key: bytes, recipient_key: bytes) -> bytes:
    """Every part has a fixed length, so that no two pairs of peers share one."""
    ends = (peer_id_of(key).encode() + key for key in (sender_key, recipient_key))
    return _LABEL + b"".join(ends)


def _bytes_of(text: object) -> bytes:
    try:
        sealed = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        sealed = b""
    if len(sealed) < _OVERHEAD_BYTES or encode_key(sealed) != text:
        raise SignalingError("The sealed payload has the wrong form.", code="bad-sealed")
    return sealed
