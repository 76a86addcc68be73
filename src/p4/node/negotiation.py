"""Carrying out one attempt: our offer and its answer, or the contact's offer and ours (spec/signaling.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from p4.core import limits
from p4.core.identity import PeerId
from p4.core.sdp import check_sdp, sdp_fingerprint
from p4.core.session.binding import Binding
from p4.core.signaling import WARM, Announcement, Answer, Busy, Cancel, Offer
from p4.errors import P4Error, RendezvousError, SignalingError
from p4.node.authentication import Authenticator
from p4.node.contact_history import ContactHistory
from p4.node.conversation import Conversation
from p4.node.link_session import LinkSession
from p4.node.signaling_streams import SignalingStreams

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
            await self.conversation.send(Busy(self.offer.session_id), sealed=True)


def protocol_of(announcement: Announcement | None) -> int:
    """The version a peer speaks, by what it announced."""
    return 1 if announcement is None else 2


async def make_offer(
    session: LinkSession,
    streams: SignalingStreams,
    authenticator: Authenticator,
    history: ContactHistory,
    announcement: Announcement,
    *,
    fresh: bool,
    sent: Callable[[], None],
) -> Answer:
    """Offer a link to the contact and wait for the answer.

    The warm stream is used if there is one; if it turns out to be dead the next attempt opens a new one.

    Args:
        history: decides whether the offer is sealed, and learns what the contact speaks.
        announcement: for this offer only.
        sent: called just before the offer is written.

    Returns:
        The answer; ``session.proof`` and ``session.announcement`` are set. The caller gives it to the
            session.

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
            reply = await _request(conversation, offer, timeout, history)
        except RendezvousError:
            # Not this offer again on another stream: if both reach the contact it makes two links for one
            # of ours, and the handshake of the first, which it gives up, spoils that of the second.
            conversation.close()
            raise
        check_sdp(reply.sdp)
        if binding := _binding(authenticator.me, conversation.contact.peer_id, offer, reply):
            session.proof = authenticator.proof(conversation.contact, binding)
            session.announcement = reply.p4
    except BaseException:
        # Cancelled or failed: without a warm stream, its end tells the contact that the offer is void.
        if not conversation.warm:
            conversation.close()
        raise
    if reply.p4 is not None and WARM in reply.p4.capabilities:
        conversation.warm = True
    else:
        conversation.close()
    return reply


async def _request(
    conversation: Conversation, offer: Offer, timeout: float, history: ContactHistory
) -> Answer:
    sealed = history.seal_offer()
    try:
        reply = await conversation.request(offer, timeout, sealed=sealed)
    except BaseException as error:
        if sealed and isinstance(error, SignalingError) and error.code == "refused":
            history.offer_refused()
        if conversation.warm and not conversation.ended:
            await _withdraw(conversation, offer)
        raise
    match reply:
        case Answer():
            history.notice(protocol_of(reply.p4))
            return reply
        case Busy():
            history.notice(2)
            raise BusyError("The contact is negotiating with us already.", code="busy")
    raise SignalingError("The reply to an offer is not an answer.", code="bad-reply")


async def _withdraw(conversation: Conversation, offer: Offer) -> None:
    try:
        async with asyncio.timeout(limits.GOODBYE_SECONDS):
            await conversation.send(Cancel(offer.session_id), sealed=True)
    except (P4Error, TimeoutError):
        conversation.close()  # its end withdraws the offer as well


async def answer_offer(
    session: LinkSession, inbound: InboundOffer, authenticator: Authenticator, announcement: Announcement
) -> None:
    """Answer a contact's offer. If this raises, the caller replies in another way.

    Args:
        announcement: for this answer only.

    Raises:
        LinkError: its description is refused by the link library, or nothing was gathered.
        RendezvousError: the answer could not be sent.
        SignalingError: our link library describes itself in a way that nobody would accept.
        ValueError: our description does not fit into a signaling line.
    """
    offer, conversation = inbound.offer, inbound.conversation
    # Towards v1 nothing that v1 does not know.
    ours = announcement if offer.p4 is not None else None
    answer = Answer(offer.session_id, await session.answer(offer.sdp), ours)
    if binding := _binding(conversation.contact.peer_id, authenticator.me, offer, answer):
        session.proof = authenticator.proof(conversation.contact, binding)
        session.announcement = offer.p4
    await conversation.send(answer, sealed=ours is not None)
    if offer.p4 is not None and WARM in offer.p4.capabilities:
        conversation.warm = True
    else:
        conversation.close()


def _binding(offerer: PeerId, answerer: PeerId, offer: Offer, answer: Answer) -> Binding | None:
    """What both ends of the link sign; None if one of them is version 1."""
    if offer.p4 is None or answer.p4 is None:
        return None
    return Binding(
        offerer,
        answerer,
        sdp_fingerprint(offer.sdp),
        sdp_fingerprint(answer.sdp),
        bytes.fromhex(offer.p4.nonce),
        bytes.fromhex(answer.p4.nonce),
        offer.session_id,
    )
