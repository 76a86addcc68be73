"""What a person has decided about a contact: verified, blocked (spec/verification.md, spec/rotation.md)."""

from __future__ import annotations

import asyncio

from mnemonic import Mnemonic

from p4.core.contacts import Contact
from p4.core.trust import Verification
from p4.core.verification import comparison_indices
from p4.errors import ContactError
from p4.node.context import PeerContext

__all__ = ["PeerTrust", "comparison_words"]


class PeerTrust:
    """The part of a `p4.node.peer.Peer` that is about trust."""

    contact: Contact
    _context: PeerContext

    @property
    def verified(self) -> bool:
        """Whether a person compared the words, with the key that the contact has now."""
        return self.contact.verified

    @property
    def verification(self) -> Verification:
        """The same, and whether it was verified before it rotated its key."""
        return self.contact.verification

    @property
    def blocked(self) -> bool:
        """Whether nothing of it is answered, and it is not called."""
        return self.contact.trust.blocked

    async def verification_words(self) -> tuple[str, ...]:
        """The six words that the contact's device shows for us as well, if nobody is between; takes 0.1 s."""
        signer = self._context.authenticator.own_key_for(self.contact.peer_id)
        return await asyncio.to_thread(comparison_words, signer, self.contact.public_key)

    def refuse_if_blocked(self) -> None:
        """Raises ContactError: ``blocked``."""
        if self.blocked:
            raise ContactError(
                f"{self.contact.label} is blocked, so nothing is sent to it. Nothing was done. "
                "Unblock it first: p4 unblock.",
                code="blocked",
            )


def comparison_words(one: bytes, other: bytes) -> tuple[str, ...]:
    """The comparison code of two public keys as words (spec/verification.md); takes about 0.1 s."""
    words = Mnemonic("english").wordlist
    return tuple(words[index] for index in comparison_indices(one, other))
