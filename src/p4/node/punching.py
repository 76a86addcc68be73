"""Port guessing beside one negotiation (spec/punch.md): when what is asked of the port."""

from __future__ import annotations

import asyncio

from p4.core import limits
from p4.core.ice import IceSettings
from p4.core.identity import PeerId
from p4.core.punch import NatNote, punch_key, role_between
from p4.ports.punch import Bridge, PortGuesser

__all__ = ["Punching"]


class Punching:
    """Does nothing where there is no guesser or no need; then every method is still safe to call.

    Life: ``begin`` as early as there is reason to, so that the servers' answers are there when the offer or
    answer is written; ``note``; ``add_to`` before the link library gets the contact's description; ``start``
    when both descriptions are on their way; ``settle`` when the link is proven; ``close`` with the link.

    Args:
        guesser: None if the contact shall not learn our addresses, may be reached on the local network only,
            does not speak version 2, or the system cannot do it.
        contact: the other side.
        ice: the servers that may be asked.
        patience: seconds that ``note`` waits.
    """

    def __init__(
        self,
        guesser: PortGuesser | None,
        contact: PeerId,
        ice: IceSettings,
        *,
        patience: float = limits.PUNCH_NOTE_SECONDS,
    ) -> None:
        self._guesser = None if ice.relay_only else guesser
        self._contact = contact
        self._ice = ice
        self._patience = patience
        self._preparation: asyncio.Task[Bridge | None] | None = None
        self._bridge: Bridge | None = None
        self._closed = False
        self.needless = False
        """The kinds of both NATs are known, and such that no port need be guessed."""

    @property
    def needed(self) -> bool:
        """Whether the two sides' NATs are such that ports are guessed."""
        return self._bridge is not None and not self._closed

    def begin(self, theirs: NatNote | None = None) -> None:
        """Find out what there is to announce; once is enough.

        Args:
            theirs: the contact's, where an offer is answered.
        """
        if self._guesser is not None and self._preparation is None and not self._closed:
            work = self._guesser.prepare(self._contact, self._ice, theirs)
            self._preparation = asyncio.ensure_future(work)

    async def note(self, theirs: NatNote | None = None) -> NatNote | None:
        """What to announce as ``nat``; None if that is not known in time.

        Args:
            theirs: the contact's, where an offer is answered: without a fitting one there is no attempt, and
                nothing to announce.
        """
        self.begin(theirs)
        if self._preparation is None or self._closed:
            return None
        await asyncio.wait({self._preparation}, timeout=self._patience)
        if self._closed or not self._preparation.done() or self._preparation.cancelled():
            self.close()
            return None
        self._bridge = self._preparation.result()
        if self._bridge is None:
            return None
        if theirs is not None and role_between(self._bridge.note, theirs) is None:
            self.needless = True
            self.close()
            return None
        return self._bridge.note

    def add_to(self, sdp: str, theirs: NatNote | None) -> str:
        """The contact's description with the bridge's candidate, if there will be an attempt.

        Raises:
            LinkError: code ``bad-sdp``.
        """
        if self._bridge is None or role_between(self._bridge.note, theirs) is None:
            self.needless = self.needless or self._bridge is not None
            self.close()
            return sdp
        return self._bridge.add_to(sdp)

    def start(self, theirs: NatNote | None, offer_nonce: str, answer_nonce: str, session_id: str) -> None:
        """Begin to look for the contact, if there is an attempt.

        Args:
            theirs: from the offer, or from a sealed answer.
            offer_nonce, answer_nonce: of the announcements, in hex.
            session_id: of the offer.
        """
        if self._bridge is not None and theirs is not None and not self._closed:
            key = punch_key(bytes.fromhex(offer_nonce), bytes.fromhex(answer_nonce), session_id)
            self._bridge.start(theirs, key)

    def settle(self) -> None:
        """The link is proven. If it found another way, ours is not looked for any more."""
        if self._bridge is not None and not self._bridge.alive:
            self.close()

    def close(self) -> None:
        """The negotiation failed or the link is over."""
        if self._closed:
            return
        self._closed = True
        if self._bridge is not None:
            self._bridge.close()
        elif self._preparation is not None:
            # Not cancelled: what it finds out is remembered for the next attempt.
            self._preparation.add_done_callback(_close_result)


def _close_result(preparation: asyncio.Task[Bridge | None]) -> None:
    if not preparation.cancelled() and preparation.exception() is None:
        bridge = preparation.result()
        if bridge is not None:
            bridge.close()
