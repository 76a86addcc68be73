"""Carrying out one attempt: our offer and its answer, or the contact's offer and ours (spec/signaling.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from p4.core import limits
from p4.core.identity import PeerId
from p4.core.sdp import check_sdp, sdp_fingerprint
from p4.core.session.binding import Binding
from p4.core.signaling import TRICKLE, WARM, Announcement, Answer, Busy, Cancel, Offer
from p4.errors import LinkError, P4Error, RendezvousError, SignalingError
from p4.node.authentication import Authenticator
from p4.node.contact_history import ContactHistory
from p4.node.conversation import Conversation, Reply
from p4.node.guessing import guess_for_answer, guess_for_offer, start_guessing
from p4.node.inbound_offer import InboundOffer
from p4.node.link_session import LinkSession
from p4.node.trickle import Trickle
from p4.node.ways import MoreWays, Way, opened, race

__all__ = [
    "BusyError",
    "Negotiated",
    "StaleOfferError",
    "answer_offer",
    "make_offer",
    "protocol_of",
]


class BusyError(SignalingError):
    """The contact answers another offer; its own is probably on the way."""


class StaleOfferError(LinkError):
    """The path has come back, and the offer was made while there was none: make another.

    Args:
        way: gives the stream that has just opened.
    """

    def __init__(self, way: Way) -> None:
        super().__init__("The offer was made while there was no path.", code="stale-offer")
        self.way = way


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What came of an offer.

    Args:
        sent_ms: when the contact sealed its answer, by its own clock.
    """

    answer: Answer
    sent_ms: int


def protocol_of(announcement: Announcement | None) -> int:
    """The version a peer speaks, by what it announced."""
    return 1 if announcement is None else 2


async def make_offer(
    session: LinkSession,
    ways: Sequence[Way],
    authenticator: Authenticator,
    history: ContactHistory,
    announcement: Announcement,
    *,
    sent: Callable[[bool], None],
    more: MoreWays | None = None,
) -> Negotiated:
    """Offer a link to the contact over all ways and take the first answer.

    Args:
        history: decides whether the offer is sealed, and learns what the contact speaks.
        announcement: for this offer only.
        sent: called before the offer is first written, and with each new stream that carries it: whether
            there is one that was opened for it.
        more: ways that become known meanwhile.

    Returns:
        The answer; ``session.proof`` and ``session.announcement`` are set. The caller gives it to the
            session.

    Raises:
        RendezvousError, SignalingError, LinkError: why there is no answer.
        BusyError: the contact is negotiating otherwise.
        StaleOfferError: it is worth another offer at once.
    """
    proposal = _Proposal(session, authenticator.new_session_id(), announcement, history, sent)
    try:
        reply, conversation = await race(ways, proposal.ask, more)
        answer = _answer_in(reply, history)
        check_sdp(answer.sdp)
        offer = proposal.offer
        answer = guess_for_answer(session, offer, answer)
        if binding := _binding(
            authenticator.me_for(conversation.contact.peer_id), conversation.contact.peer_id, offer, answer
        ):
            session.proof = authenticator.proof(conversation.contact, binding)
            session.announcement = answer.p4
    except BaseException:
        # Cancelled or failed: the contact shall not prepare a link that nobody waits for.
        if proposal.refused:
            history.offer_refused()
        await proposal.withdraw()
        raise
    proposal.settle(conversation, answer.p4)
    return Negotiated(answer, conversation.replied_ms)


class _Proposal:
    """One offer, made when the first way is open, and the streams that carry it."""

    def __init__(
        self,
        session: LinkSession,
        session_id: str,
        announcement: Announcement,
        history: ContactHistory,
        sent: Callable[[bool], None],
    ) -> None:
        self.refused = False
        """Somebody gave the failure line in reply to the sealed offer."""
        self._session = session
        self._session_id = session.session_id = session_id
        self._announcement = announcement
        self._history = history
        self._sealed = False
        self._sent = sent
        self._offer: Offer | None = None
        self._line: asyncio.Future[bytes] | None = None
        self._begun_at = 0.0
        self._on_new_stream = False
        self._streams: list[Conversation] = []
        self._trickle = Trickle(session_id, lambda: self._streams)

    @property
    def offer(self) -> Offer:
        """What was offered."""
        assert self._offer is not None  # noqa: S101 - a reply has come
        return self._offer

    async def ask(self, conversation: Conversation, way: Way) -> tuple[Reply, Conversation]:
        """Offer over one stream. Raises RendezvousError, SignalingError, LinkError."""
        try:
            # Gathered only now: while a stream is dialled, NAT bindings would go stale.
            if self._line is None:
                self._line = asyncio.ensure_future(self._make(conversation))
            elif way.opens:
                self._require_fresh(conversation)
            self._on_new_stream = self._on_new_stream or way.opens
            line = await asyncio.shield(self._line)
            self._streams.append(conversation)
            if way.opens:
                self._sent(True)
            request = conversation.request_line(self._session_id, line, way.patience, sealed=self._sealed)
            self._trickle.start()
            reply = await request
        except BaseException as error:
            if isinstance(error, SignalingError) and error.code == "refused":
                self.refused = self.refused or self._sealed
            if isinstance(error, RendezvousError) and conversation.warm:
                conversation.close()  # it is dead, whatever its socket says
            elif isinstance(error, StaleOfferError):
                pass  # its stream is for the next offer
            elif not conversation.stays and conversation not in self._streams:
                conversation.close()
            raise
        return reply, conversation

    def _require_fresh(self, conversation: Conversation) -> None:
        """Not made when no server could be asked, and taken so far by streams only that may be dead."""
        old = asyncio.get_running_loop().time() > self._begun_at + limits.STALE_OFFER_SECONDS
        if old and not self._on_new_stream and not self._session.description.gathered:
            raise StaleOfferError(Way("the stream that opened", partial(opened, conversation)))

    async def _make(self, conversation: Conversation) -> bytes:
        self._begun_at = asyncio.get_running_loop().time()
        self._sealed = self._history.seal_offer()
        # A contact that may be version 1 needs every candidate in the offer.
        found = self._trickle.found if self._sealed else None
        punching = self._session.description.punching
        if punching:
            punching.begin()  # beside the library's gathering
        sdp = await self._session.offer(found)
        nat = await punching.note() if punching else None
        self._offer = Offer(self._session_id, sdp, replace(self._announcement, nat=nat))
        self._sent(self._on_new_stream)
        return conversation.seal(self._offer, sealed=self._sealed)

    async def withdraw(self) -> None:
        """Tell the contact, wherever the offer went, that it is void."""
        if self._line is not None:
            self._line.cancel()
        self._trickle.close()
        if self._sealed:  # version 1 knows no cancel; there the end of the stream says it
            await _tell((c for c in self._streams if not c.ended), Cancel(self._session_id))
        for conversation in self._streams:
            if not conversation.stays:
                conversation.close()

    def settle(self, winner: Conversation, theirs: Announcement | None) -> None:
        """The answer came over this stream: what else was opened is not needed."""
        if theirs is not None and WARM in theirs.capabilities:
            winner.warm = winner.warm or not winner.in_band
        for conversation in self._streams:
            if not conversation.stays:
                conversation.close()
        if theirs is None or TRICKLE not in theirs.capabilities:
            self._trickle.close()


async def _tell(conversations: Iterable[Conversation], message: Cancel) -> None:
    async def one(conversation: Conversation) -> None:
        try:
            async with asyncio.timeout(limits.GOODBYE_SECONDS):
                await conversation.send(message, sealed=True)
        except (P4Error, TimeoutError):
            conversation.close()  # its end withdraws the offer as well

    await asyncio.gather(*(one(conversation) for conversation in conversations))


def _answer_in(reply: Reply, history: ContactHistory) -> Answer:
    match reply:
        case Answer():
            history.notice(protocol_of(reply.p4))
            return reply
        case Busy():
            history.notice(2)
            raise BusyError("The contact is negotiating with us already.", code="busy")
    raise SignalingError("The reply to an offer is not an answer.", code="bad-reply")


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
    offer = inbound.offer
    # Towards v1 nothing that v1 does not know.
    ours = announcement if offer.p4 is not None else None
    follows = offer.p4 is not None and TRICKLE in offer.p4.capabilities
    trickle = Trickle(offer.session_id, lambda: inbound.streams)
    ours, offered = await guess_for_offer(session, offer, ours)
    sdp = await session.description.answer(offered, trickle.found if follows else None)
    answer = Answer(offer.session_id, sdp, ours)
    if binding := _binding(
        inbound.contact.peer_id, authenticator.me_for(inbound.contact.peer_id), offer, answer
    ):
        session.proof = authenticator.proof(inbound.contact, binding)
        session.announcement = offer.p4
    await inbound.answer(answer)
    start_guessing(session, offer, answer, theirs=offer.p4)
    inbound.follow = trickle.start
    trickle.start()


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
