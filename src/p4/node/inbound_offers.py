"""The offers of a contact that still matter, by the tokens that name them in the dial machine's effects."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection

from p4.core import limits
from p4.core.dial import DialEvent, OfferArrived, OfferWithdrawn
from p4.core.signaling import Candidates, Offer
from p4.node.authentication import Authenticated
from p4.node.background import BackgroundTasks
from p4.node.conversation import Conversation
from p4.node.inbound_offer import InboundOffer

__all__ = ["InboundOffers"]

_REMEMBERED = 16
"""Offers whose copies are recognised after they were settled."""


class InboundOffers:
    """Turns what arrives about offers into events.

    Args:
        feed: gives an event to the dial machine.
        background: where copies get their answers.
    """

    def __init__(self, feed: Callable[[DialEvent], None], background: BackgroundTasks) -> None:
        self._feed = feed
        self._background = background
        self._offers: dict[int, InboundOffer] = {}
        self._known: deque[str] = deque(maxlen=_REMEMBERED)
        self._tokens = 0

    def arrived(
        self, conversation: Conversation, offer: Offer, request: Authenticated, protocol: int
    ) -> None:
        """An offer, well-formed; or one that came before over another stream."""
        for known in self._offers.values():
            if known.offer.session_id == offer.session_id:
                self._background.spawn(known.join(conversation))
                return
        if offer.session_id in self._known:
            if not conversation.stays:
                conversation.close()  # a copy of one that is settled: nobody waits there
            return
        self._known.append(offer.session_id)
        self._tokens += 1
        self._offers[self._tokens] = InboundOffer(conversation, offer)
        boot = offer.p4.boot if offer.p4 else ""
        sent_ms = request.verified.timestamp_ms
        self._feed(
            OfferArrived(
                self._tokens,
                protocol,
                boot,
                sent_ms,
                quick=conversation.quick,
                opened=not conversation.stays and not conversation.dialled,
            )
        )

    def candidates(self, message: Candidates) -> None:
        """Candidates for an offer that is not being answered yet."""
        for inbound in self._offers.values():
            if inbound.offer.session_id == message.session_id:
                # Each stream that carries the offer brings them all.
                news = [one for one in message.candidates if one not in inbound.candidates]
                room = limits.NEGOTIATION_CANDIDATES - len(inbound.candidates)
                inbound.candidates.extend(news[:room])

    def cancelled(self, session_id: str) -> None:
        """The contact withdrew an offer."""
        cancelled = [t for t, o in self._offers.items() if o.offer.session_id == session_id]
        self._withdraw(cancelled, cancelled=True)

    def stream_ended(self, conversation: Conversation) -> None:
        """A stream is over; offers that came over no other are void."""
        self._withdraw([token for token, offer in self._offers.items() if offer.leave(conversation)])

    def get(self, token: int) -> InboundOffer:
        """The offer of a token."""
        return self._offers[token]

    def pop(self, token: int) -> InboundOffer:
        """The offer of a token, which is not needed any more."""
        return self._offers.pop(token)

    def keep(self, tokens: Collection[int]) -> None:
        """Forget all others."""
        for token in self._offers.keys() - set(tokens):
            del self._offers[token]

    def _withdraw(self, tokens: list[int], *, cancelled: bool = False) -> None:
        for token in tokens:
            self._feed(OfferWithdrawn(token, cancelled))
