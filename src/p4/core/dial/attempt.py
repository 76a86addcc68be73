"""The attempt in progress, and the offer that waits behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from p4.core import limits
from p4.core.dial.events import OfferArrived

__all__ = ["Attempt", "Held", "Phase"]


class Phase(StrEnum):
    """What the attempt in progress is doing."""

    DIALLING = "dialling"
    """A way to the peer's signaling is being opened; nothing was sent."""
    OFFERED = "offered"
    """Our offer was sent; its answer is awaited."""
    OPENING = "opening"
    """Our offer was answered; the link must open and prove itself."""
    ANSWERING = "answering"
    """We are making and sending our answer."""
    JOINING = "joining"
    """Our answer was sent; the link must open and prove itself."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One negotiation."""

    generation: int
    phase: Phase
    token: int = 0
    """The offer being answered; 0 for an attempt of our own."""
    sent_ms: int = 0
    """When the contact sealed its offer, or its answer to ours; by its own clock."""
    boot: str = ""
    offered_at: float = 0.0
    """When our offer went out, over the newest stream that carries it."""
    opened: bool = False
    """Our offer went out over a stream that was opened for it, and not only over some that may be dead."""
    beside: bool = False
    """Begun while a link was up, in no hurry."""
    direct: bool = False
    """It must not lead to a relay, and so may lead nowhere."""
    deadline: float | None = None

    def until(self, deadline: float, phase: Phase) -> Attempt:
        """The same in its next phase, which must end by then."""
        return replace(self, deadline=deadline, phase=phase)


@dataclass(frozen=True, slots=True)
class Held:
    """An offer of the contact, and until when our own goes first."""

    offer: OfferArrived
    until: float

    @classmethod
    def behind(cls, attempt: Attempt, offer: OfferArrived, now: float) -> Held:
        """Held while ours is not answered, or while the link that its answer led to is opening.

        The contact asks over the streams that it has open first: an offer that came over a new one says that
        they are dead, and ours with them if it went over no other.
        """
        if attempt.phase is not Phase.OFFERED:
            return cls(offer, now + (limits.HOLD_QUICK_SECONDS if offer.quick else limits.HOLD_SECONDS))
        quick = offer.quick or (offer.opened and not attempt.opened)
        return cls(offer, attempt.offered_at + (limits.HOLD_QUICK_SECONDS if quick else limits.HOLD_SECONDS))
