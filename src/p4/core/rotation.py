"""Key rotation: statements by which a device takes a new key (spec/rotation.md). Its id stays what it was."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from p4.core import limits
from p4.core.identity import Identity, is_usable_key, verify_signature
from p4.errors import RemoteError

__all__ = ["STATEMENT_BYTES", "RotationStatement", "current_key"]

_LABEL = b"P4 key rotation 1\0"
_FIELDS = struct.Struct(">32s32sQ")
_SIGNATURE_BYTES = 64
STATEMENT_BYTES = _FIELDS.size + 2 * _SIGNATURE_BYTES
"""Length of a statement as it travels and is stored."""


@dataclass(frozen=True, slots=True)
class RotationStatement:
    """ "My key was this one and is now that one", signed by both. Every instance has been verified.

    Args:
        old_key, new_key: raw 32-byte Ed25519 public keys; different, and usable.
        made_ms: when, by the clock of the device, Unix milliseconds; for people only.
        encoded: the ``STATEMENT_BYTES`` bytes.
    """

    old_key: bytes
    new_key: bytes
    made_ms: int
    encoded: bytes

    @classmethod
    def make(cls, old: Identity, new: Identity, *, now_ms: int) -> Self:
        """A new statement of our own.

        Raises:
            ValueError: the keys are the same.
        """
        if old.public_key == new.public_key:
            raise ValueError("a rotation needs another key")
        fields = _FIELDS.pack(old.public_key, new.public_key, now_ms)
        return cls(
            old.public_key,
            new.public_key,
            now_ms,
            fields + old.sign(_LABEL + fields) + new.sign(_LABEL + fields),
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a statement and verify both signatures.

        Raises:
            RemoteError: ``bad-length``, ``bad-key``, ``bad-time`` or ``bad-signature``, in this order.
        """
        if len(data) != STATEMENT_BYTES:
            raise RemoteError("A statement of rotation has the wrong length.", code="bad-length")
        fields, signatures = data[: _FIELDS.size], data[_FIELDS.size :]
        old_key, new_key, made_ms = _FIELDS.unpack(fields)
        if old_key == new_key or not is_usable_key(old_key) or not is_usable_key(new_key):
            raise RemoteError("A statement of rotation names a key that cannot be used.", code="bad-key")
        if made_ms > limits.SAFE_INTEGER:
            raise RemoteError("A statement of rotation has an impossible time.", code="bad-time")
        by_old, by_new = signatures[:_SIGNATURE_BYTES], signatures[_SIGNATURE_BYTES:]
        if not (
            verify_signature(old_key, by_old, _LABEL + fields)
            and verify_signature(new_key, by_new, _LABEL + fields)
        ):
            raise RemoteError("A statement of rotation is not signed by both keys.", code="bad-signature")
        return cls(old_key, new_key, made_ms, data)


def current_key(first_key: bytes, statements: Sequence[RotationStatement]) -> bytes:
    """The key at the end of a chain of rotations.

    Raises:
        ValueError: the statements do not follow from each other, a key comes twice, or there are more than
            ``limits.ROTATIONS_OF_A_CONTACT``.
    """
    if len(statements) > limits.ROTATIONS_OF_A_CONTACT:
        raise ValueError("more rotations than are kept")
    seen = [first_key]
    for statement in statements:
        if statement.old_key != seen[-1] or statement.new_key in seen:
            raise ValueError("rotations that do not follow from each other")
        seen.append(statement.new_key)
    return seen[-1]
