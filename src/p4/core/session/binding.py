"""Binding a link to the two identities at its ends (spec/link.md, "Binding").

A contact can hand on somebody else's session description as its own. The link then opens, to the wrong one
(RFC 8844 calls it unknown key-share). Each side therefore signs what it believes about the link, and
delivers nothing until the contact has signed the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Self

from p4.core import limits
from p4.core.identity import Identity, PeerId, is_peer_id, verify_signature

__all__ = ["SIGNATURE_BYTES", "Binding", "LinkProof", "Role"]

SIGNATURE_BYTES = 64
FINGERPRINT_BYTES = 32
_LABEL = b"P4 link binding 1\0"
_LONGEST_SESSION_ID = 64


class Role(Enum):
    """Which end signs: so that nobody's signature can be sent back to him as the contact's."""

    OFFERER = b"O"
    ANSWERER = b"A"

    @property
    def other(self) -> Role:
        """The role of the far end."""
        return Role.ANSWERER if self is Role.OFFERER else Role.OFFERER


@dataclass(frozen=True, slots=True)
class Binding:
    """What both ends of one link must agree on.

    Args:
        offerer, answerer: the peers, as the signer knows them.
        offerer_fingerprint, answerer_fingerprint: SHA-256 of their DTLS certificates, from the session
            descriptions that were given to the link library, 32 bytes each.
        offerer_nonce, answerer_nonce: of their announcements, 16 bytes each.
        session_id: of the offer.

    Raises:
        ValueError: a part has the wrong form.
    """

    offerer: PeerId
    answerer: PeerId
    offerer_fingerprint: bytes
    answerer_fingerprint: bytes
    offerer_nonce: bytes
    answerer_nonce: bytes
    session_id: str

    def __post_init__(self) -> None:
        # The layout has no separators: it is unambiguous because only the last part varies in length.
        if not (
            is_peer_id(self.offerer)
            and is_peer_id(self.answerer)
            and len(self.offerer_fingerprint) == len(self.answerer_fingerprint) == FINGERPRINT_BYTES
            and len(self.offerer_nonce) == len(self.answerer_nonce) == limits.NONCE_BYTES
            and self.session_id.isascii()
            and 1 <= len(self.session_id) <= _LONGEST_SESSION_ID
        ):
            raise ValueError("a part of the binding has the wrong form")

    def statement(self, signer: Role) -> bytes:
        """The bytes that this end signs."""
        return b"".join(
            (
                _LABEL,
                signer.value,
                self.offerer.encode(),
                self.answerer.encode(),
                self.offerer_fingerprint,
                self.answerer_fingerprint,
                self.offerer_nonce,
                self.answerer_nonce,
                self.session_id.encode(),
            )
        )

    def sign(self, identity: Identity, signer: Role) -> bytes:
        """The 64-byte signature of one end."""
        return identity.sign(self.statement(signer))

    def verify(self, public_key: bytes, signature: bytes, signer: Role) -> bool:
        """Whether the owner of the key signed the same statement in that role."""
        return verify_signature(public_key, signature, self.statement(signer))


@dataclass(frozen=True, slots=True)
class LinkProof:
    """One end's view of the exchange: what it sends, and what it must receive.

    Args:
        contact_keys: Ed25519 public keys of the contact: one, or more while it rotates (spec/rotation.md).
        role: our own.
        signature: ours, to be sent.
    """

    binding: Binding
    contact_keys: tuple[bytes, ...]
    role: Role
    signature: bytes

    @classmethod
    def make(cls, identity: Identity, contact_key: bytes, binding: Binding, *waning_keys: bytes) -> Self:
        """For the end that is ``identity``.

        Args:
            waning_keys: former keys of the contact that still count.
        """
        role = Role.OFFERER if binding.offerer == identity.peer_id else Role.ANSWERER
        return cls(binding, (contact_key, *waning_keys), role, binding.sign(identity, role))

    def accepts(self, signature: bytes) -> bool:
        """Whether this signature, received on the link, proves that the far end is the contact."""
        return any(self.binding.verify(key, signature, self.role.other) for key in self.contact_keys)
