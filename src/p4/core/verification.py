"""Comparison codes: two people read the same words, so nobody is between them (spec/verification.md)."""

from __future__ import annotations

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from p4.core import limits

__all__ = ["comparison_indices"]

_LABEL = b"P4 comparison code 1\0"
_INDEX_BITS = 11
_CODE_BITS = limits.COMPARISON_WORDS * _INDEX_BITS
_CODE_BYTES = -(-_CODE_BITS // 8)


def comparison_indices(one: bytes, other: bytes) -> tuple[int, ...]:
    """The comparison code of two keys, as places in a list of 2048 words.

    Takes about 0.1 s, on purpose. The order of the keys does not matter.

    Args:
        one, other: raw 32-byte Ed25519 public keys.

    Returns:
        ``limits.COMPARISON_WORDS`` numbers from 0 to 2047.

    Raises:
        ValueError: a key has not 32 bytes.
    """
    if len(one) != 32 or len(other) != 32:
        raise ValueError("a public key has 32 bytes")
    kdf = Scrypt(salt=_LABEL, length=_CODE_BYTES, n=limits.COMPARISON_SCRYPT_COST, r=8, p=1)
    code = int.from_bytes(kdf.derive(b"".join(sorted((one, other)))), "big") >> _CODE_BYTES * 8 - _CODE_BITS
    return tuple(
        code >> (limits.COMPARISON_WORDS - 1 - place) * _INDEX_BITS & (1 << _INDEX_BITS) - 1
        for place in range(limits.COMPARISON_WORDS)
    )
