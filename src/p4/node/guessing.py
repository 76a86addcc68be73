"""What port guessing adds to an offer and its answer (spec/punch.md)."""

from __future__ import annotations

from dataclasses import replace

from p4.core.signaling import Announcement, Answer, Offer
from p4.node.link_session import LinkSession

__all__ = ["guess_for_answer", "guess_for_offer", "start_guessing"]


def guess_for_answer(session: LinkSession, offer: Offer, answer: Answer) -> Answer:
    """The answer to our offer, with the bridge's candidate if there is an attempt, which begins.

    Raises:
        LinkError: ``bad-sdp``.
    """
    punching = session.description.punching
    if punching is None or answer.p4 is None:
        return answer
    sdp = punching.add_to(answer.sdp, answer.p4.nat)
    start_guessing(session, offer, answer, theirs=answer.p4)
    return replace(answer, sdp=sdp)


async def guess_for_offer(
    session: LinkSession, offer: Offer, ours: Announcement | None
) -> tuple[Announcement | None, str]:
    """What to announce in the answer to an offer, and the offer's description for the link library.

    Raises:
        LinkError: ``bad-sdp``.
    """
    punching = session.description.punching
    if punching is None or ours is None or offer.p4 is None or offer.p4.nat is None:
        return ours, offer.sdp
    nat = await punching.note(offer.p4.nat)
    return replace(ours, nat=nat), punching.add_to(offer.sdp, offer.p4.nat)


def start_guessing(
    session: LinkSession, offer: Offer, answer: Answer, *, theirs: Announcement | None
) -> None:
    """Both descriptions are on their way: look for the contact, if there is an attempt."""
    punching = session.description.punching
    if punching is not None and theirs is not None and offer.p4 is not None and answer.p4 is not None:
        punching.start(theirs.nat, offer.p4.nonce, answer.p4.nonce, offer.session_id)
