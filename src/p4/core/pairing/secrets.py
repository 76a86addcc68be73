"""What is derived from the secret of an invite (spec/pairing.md, Secrets)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from p4.core import limits

__all__ = ["TAG_BYTES", "PairingSecret"]

TAG_BYTES: Final = 16
_WORDS_SALT: Final = b"P4 pairing words 1\0"
_SHELF_LABEL: Final = b"P4 pairing shelf 1\0"
_SHELVES: Final = 16


@dataclass(frozen=True, slots=True)
class PairingSecret:
    """The secret of one invite, as its two sides hold it.

    Args:
        place: leads to the places of meeting.
        proof: what is proved there.
        host_key: the host's Ed25519 key where the guest knows it beforehand; empty for words.
        guessable: so short that one guess is all that may be allowed.
    """

    place: bytes = field(repr=False)
    proof: bytes = field(repr=False)
    host_key: bytes = b""
    guessable: bool = True

    @classmethod
    def of_link(cls, secret: bytes, host_key: bytes) -> PairingSecret:
        """Of a link's 16 bytes and the key in it."""
        return cls(secret, secret, host_key, guessable=False)

    @classmethod
    def of_words(cls, words: Sequence[str]) -> PairingSecret:
        """Of whole words. For 8 it takes 64 MiB and 0.1 s or more of a core: not for an event loop.

        Raises:
            ValueError: another number of words.
        """
        if len(words) == limits.PAIRING_LOCAL_WORDS:
            joined = " ".join(words).encode("ascii")
            shelf = hashlib.sha256(joined).digest()[0] % _SHELVES
            return cls(_SHELF_LABEL + bytes([shelf]), joined)
        if len(words) != limits.PAIRING_CODE_WORDS:
            raise ValueError("this is no number of words that a code has")
        leading = " ".join(words[: limits.PAIRING_PLACE_WORDS]).encode("ascii")
        place = Scrypt(_WORDS_SALT, 32, limits.PAIRING_SCRYPT_COST, 8, 1).derive(leading)
        return cls(place, place + " ".join(words[limits.PAIRING_PLACE_WORDS :]).encode("ascii"))

    def place_seed(self, kind: str) -> bytes:
        """The seed, 32 bytes, of the place of a kind (`p4.ports.pairing.MeetingKind`)."""
        return _derive(self.place, b"P4 pairing place 1\0" + kind.encode("ascii"))

    @property
    def tag(self) -> bytes:
        """By what the host knows which invite a guest comes with; says nothing to others."""
        return _derive(self.place, b"P4 pairing tag 1\0", TAG_BYTES)

    @property
    def password(self) -> bytes:
        """For the PAKE, 32 bytes."""
        return _derive(self.proof, b"P4 pairing password 1\0")


def _derive(secret: bytes, info: bytes, length: int = 32) -> bytes:
    return HKDF(SHA256(), length, None, info).derive(secret)
