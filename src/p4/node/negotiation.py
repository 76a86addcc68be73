"""Carrying out one attempt: our offer and its answer, or the contact's offer and ours (spec/signaling.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from p4.core import limits
from p4.core.signaling import WARM, Announcement, Answer, Busy, Cancel, Offer, check_sdp
from p4.errors import P4Error, RendezvousError, SignalingError
from p4.node.authentication import Authenticator
from p4.node.conversation import Conversation
from p4.node.link_session import LinkSession
from p4.node.streams import ContactStreams

__all__ = ["BusyError", "InboundOffer", "answer_offer", "make_offer", "protocol_of"]


class BusyError(SignalingError):
    """The contact answers another offer; its own is probably on the way."""


@dataclass(frozen=True, slots=True)
class InboundOffer:
    """A contact's offer and the stream its answer goes to."""

    conversation: Conversation
    offer: Offer

    async def decline(self) -> None:
        """Say that it is not answered."""
        if self.offer.p4 is None:
            await self.conversation.fail()
        else:
            await self.conversation.send(Busy(self.offer.session_id))


def protocol_of(announcement: Announcement | None) -> int:
    """The version a peer speaks, by what it announced."""
    return 1 if announcement is None else 2


async def make_offer(
    session: LinkSession,
    streams: ContactStreams,
    authenticator: Authenticator,
    announcement: Announcement,
    *,
    fresh: bool,
    sent: Callable[[], None],
) -> Answer:
    """Offer a link to the contact and wait for the answer.

    The warm stream is used if there is one; if it turns out to be dead the next attempt opens a new one.

    Args:
        sent: called just before the offer is written.

    Returns:
        The answer; ``session.protocol`` is set. The caller gives it to the session.

    Raises:
        RendezvousError, SignalingError, LinkError: why there is no answer.
        BusyError: the contact is negotiating otherwise.
    """
    conversation = streams.warm
    warm = conversation is not None
    if conversation is None:
        conversation = await streams.open(fresh=fresh)
    try:
        # Gathered only now: while a stream is dialled, NAT bindings would go stale.
        offer = Offer(authenticator.new_session_id(), await session.offer(), announcement)
        sent()
        try:
            timeout = limits.WARM_REPLY_SECONDS if warm else limits.REPLY_SECONDS
            reply = await _request(conversation, offer, timeout)
        except RendezvousError:
            # Not this offer again on another stream: if both reach the contact it makes two links for one
            # of ours, and the handshake of the first, which it gives up, spoils that of the second.
            conversation.close()
            raise
        check_sdp(reply.sdp)
    except BaseException:
        # Cancelled or failed: without a warm stream, its end tells the contact that the offer is void.
        if not conversation.warm:
            conversation.close()
        raise
    session.protocol = protocol_of(reply.p4)
    if reply.p4 is not None and WARM in reply.p4.capabilities:
        conversation.warm = True
    else:
        conversation.close()
    return reply


async def _request(conversation: Conversation, offer: Offer, timeout: float) -> Answer:
    try:
        reply = await conversation.request(offer, timeout)
    except BaseException:
        if conversation.warm and not conversation.ended:
            await _withdraw(conversation, offer)
        raise
    match reply:
        case Answer():
            return reply
        case Busy():
            raise BusyError("The contact is negotiating with us already.", code="busy")
    raise SignalingError("The reply to an offer is not an answer.", code="bad-reply")


async def _withdraw(conversation: Conversation, offer: Offer) -> None:
    try:
        async with asyncio.timeout(limits.GOODBYE_SECONDS):
            await conversation.send(Cancel(offer.session_id))
    except (P4Error, TimeoutError):
        conversation.close()  # its end withdraws the offer as well


async def answer_offer(session: LinkSession, inbound: InboundOffer, announcement: Announcement) -> None:
    """Answer a contact's offer. If this raises, the caller replies in another way.

    Raises:
        LinkError: its description is refused by the link library, or nothing was gathered.
        RendezvousError: the answer could not be sent.
        ValueError: our description does not fit into a signaling line.
    """
    offer, conversation = inbound.offer, inbound.conversation
    protocol = session.protocol = protocol_of(offer.p4)
    sdp = await session.answer(offer.sdp)
    # Towards v1 nothing that v1 does not know.
    ours = announcement if protocol >= 2 else None
    await conversation.send(Answer(offer.session_id, sdp, ours))
    if offer.p4 is not None and WARM in offer.p4.capabilities:
        conversation.warm = True
    else:
        conversation.close()
