"""Identities: an Ed25519 key pair and the id derived from it (spec/identity.md, RFC 8032)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import NewType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = [
    "Identity",
    "PeerId",
    "decode_key",
    "encode_key",
    "is_peer_id",
    "is_usable_key",
    "peer_id_of",
    "verify_signature",
]

PeerId = NewType("PeerId", str)
"""First 24 hex digits, lower case, of SHA-256 over the raw public key."""

KEY_BYTES = 32

_FIELD = 2**255 - 19
_CURVE_D = -121665 * pow(121666, -1, _FIELD) % _FIELD
_SMALL_ORDER_Y = frozenset(
    # y of the eight points whose order divides 8, up to sign: order 4, orders 1 and 2, order 8.
    {0, 1, 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826}
)


def peer_id_of(public_key: bytes) -> PeerId:
    """The id that belongs to a raw 32-byte public key."""
    return PeerId(hashlib.sha256(public_key).hexdigest()[:24])


def is_peer_id(text: str) -> bool:
    """Whether the text has the form of a peer id."""
    return re.fullmatch(r"[0-9a-f]{24}", text) is not None


def encode_key(key: bytes) -> str:
    """A raw key in standard padded base64 (RFC 4648 section 4)."""
    return base64.b64encode(key).decode("ascii")


def decode_key(text: str) -> bytes:
    """The raw key in canonical padded base64.

    Raises:
        ValueError: not base64, not canonical, or not 32 bytes.
    """
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64") from error
    if len(key) != KEY_BYTES:
        raise ValueError(f"{len(key)} bytes instead of {KEY_BYTES}")
    if encode_key(key) != text:
        # Unused trailing bits may be set; two spellings of one key would be two contacts.
        raise ValueError("base64 is not canonical")
    return key


def is_usable_key(public_key: bytes, *, known: bool = False) -> bool:
    """Whether the bytes are an Ed25519 public key that can prove something.

    Args:
        known: it was checked when it first came. Then only what is dangerous is looked for, not whether it
            is on the curve, which takes 0.15 ms: thousands of contacts are read at each start.

    Not usable are: a non-canonical coding (two ids for one key), a number that is not on the curve
    (nothing would ever verify), and the points of small order (anybody can sign for them; the library
    accepts them). RFC 8032 section 5.1.3.
    """
    if len(public_key) != KEY_BYTES:
        return False
    y = int.from_bytes(public_key, "little") & (1 << 255) - 1  # the top bit is the sign of x
    if y >= _FIELD or min(y, _FIELD - y) in _SMALL_ORDER_Y:
        return False
    if known:
        return True
    # The curve is -x^2 + y^2 = 1 + d x^2 y^2, so x^2 = u/v; u/v is a square exactly if u*v is.
    u, v = y * y - 1, _CURVE_D * y * y + 1
    return pow(u * v, (_FIELD - 1) // 2, _FIELD) == 1


def verify_signature(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the Ed25519 signature over the message is the key's."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True)
class Identity:
    """A device's own key pair.

    Args:
        seed: the 32-byte private key. Never shown by ``repr``.
        known_as: the id that a contact knows the device by, if not the id of the key: of its first one
            (spec/rotation.md).

    Raises:
        ValueError: the seed is not 32 bytes.
    """

    seed: bytes = field(repr=False)
    known_as: PeerId | None = None

    def __post_init__(self) -> None:
        if len(self.seed) != KEY_BYTES:
            raise ValueError(f"an Ed25519 seed has {KEY_BYTES} bytes, not {len(self.seed)}")

    @cached_property
    def _private_key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @cached_property
    def public_key(self) -> bytes:
        """Raw 32-byte public key."""
        return self._private_key.public_key().public_bytes_raw()

    @cached_property
    def peer_id(self) -> PeerId:
        """The id derived from the public key, or what it is known as."""
        return self.known_as or peer_id_of(self.public_key)

    def sign(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature over the message."""
        return self._private_key.sign(message)
