"""Veiled lines: a whole signaling line that only its recipient can read (spec/signaling.md, Veiled lines)."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from p4.core import limits
from p4.core.canonical import parse_object
from p4.core.identity import Identity
from p4.core.sealing import x25519_private_key, x25519_public_key
from p4.errors import SignalingError

__all__ = ["is_veiled", "unveil", "veil"]

_INFO: Final = b"P4 veiled line 1\0"
_PREFIX: Final = b'{"veiled":'
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def is_veiled(line: bytes) -> bool:
    """Whether `unveil` is needed to read it. An envelope never begins like this."""
    return line.startswith(_PREFIX)


def veil(line: bytes, recipient_key: bytes) -> bytes:
    """Hide a line from everybody but one; each time with another result.

    Args:
        line: without its newline.
        recipient_key: Ed25519 public key of the only one who can read it.

    Returns:
        The line to send, without a newline.

    Raises:
        ValueError: the line would become too long, or the key is not usable.
    """
    key = X25519PublicKey.from_public_bytes(x25519_public_key(recipient_key))
    hidden = base64.b64encode(_SUITE.encrypt(line, key, _INFO))
    veiled = _PREFIX + b' "' + hidden + b'"}'
    if len(veiled) >= limits.SIGNALING_LINE_BYTES:
        raise ValueError("the line is too long to be veiled")
    return veiled


def unveil(line: bytes, recipient: Identity) -> bytes:
    """The line inside.

    Raises:
        SignalingError: ``bad-veil`` (not of the form), ``not-opened`` (for somebody else, or altered),
            ``nested`` (veiled twice) or a code of `p4.core.canonical.parse_object`.
    """
    fields = parse_object(line, SignalingError)
    text = fields.get("veiled")
    try:
        hidden = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        hidden = b""
    if base64.b64encode(hidden).decode("ascii") != text:
        raise SignalingError("The veiled line has the wrong form.", code="bad-veil")
    key = X25519PrivateKey.from_private_bytes(x25519_private_key(recipient.seed))
    try:
        inner = _SUITE.decrypt(hidden, key, _INFO)
    except (
        InvalidTag,
        ValueError,
    ) as error:  # ValueError: too short, or an encapsulated point of small order
        raise SignalingError("The veiled line is not for us, or was altered.", code="not-opened") from error
    if is_veiled(inner):
        raise SignalingError("A veiled line is inside a veiled one.", code="nested")
    return inner
