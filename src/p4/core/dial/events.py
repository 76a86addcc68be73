"""Events and effects of the dial machine."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Abandon",
    "Adopt",
    "AnswerOffer",
    "AnswerReceived",
    "AnswerSent",
    "AttemptFailed",
    "CloseLink",
    "Decline",
    "Dial",
    "DialEffect",
    "DialEvent",
    "DropRequested",
    "Improve",
    "LinkLost",
    "LinkProven",
    "OfferArrived",
    "OfferSent",
    "OfferWithdrawn",
    "PathChanged",
    "Stop",
    "TimePassed",
    "Wake",
]

# --- events ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wake:
    """Dialling is possible and worth trying now: start, own address published, network back."""


@dataclass(frozen=True, slots=True)
class OfferSent:
    """Our offer is about to be written, or goes over one more new stream.

    ``opened``: over one that was opened for it.
    """

    generation: int
    opened: bool = False


@dataclass(frozen=True, slots=True)
class AnswerReceived:
    """A valid answer to our offer arrived."""

    generation: int
    protocol: int
    boot: str = ""
    sent_ms: int = 0
    """When the contact sealed it, by its own clock."""


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """The attempt cannot succeed any more.

    ``busy``: the contact said that another negotiation goes on; not a failure of the path.
    """

    generation: int
    reason: str
    busy: bool = False


@dataclass(frozen=True, slots=True)
class OfferArrived:
    """A verified, well-formed offer of the contact. ``token`` names it in our effects.

    ``quick``: it came by a way on which replies take milliseconds. ``opened``: it came over a stream that was
    opened for it.
    """

    token: int
    protocol: int
    boot: str
    sent_ms: int
    quick: bool = False
    opened: bool = False


@dataclass(frozen=True, slots=True)
class OfferWithdrawn:
    """The contact gave an offer up.

    ``cancelled``: it says so, and its half of the link is gone. Otherwise the streams that carried the offer
    ended, while its link may be about to open.
    """

    token: int
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class AnswerSent:
    """Our answer is on its way."""

    generation: int


@dataclass(frozen=True, slots=True)
class LinkProven:
    """The attempt's link is open and its far end has proved to be the contact."""

    generation: int


@dataclass(frozen=True, slots=True)
class LinkLost:
    """A link ended or was found dead. ``by_peer``: the contact said so and will act itself."""

    generation: int
    reason: str
    by_peer: bool = False


@dataclass(frozen=True, slots=True)
class DropRequested:
    """The user wants the present link closed; a new one follows."""


@dataclass(frozen=True, slots=True)
class PathChanged:
    """Our own addresses or routes changed, or this machine stood still: what was found before may be void."""


@dataclass(frozen=True, slots=True)
class Improve:
    """The link in service goes a detour: try for a better one beside it."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """`DialMachine.deadline` was reached."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The contact was removed or the node ends. Nothing is answered or dialled any more."""


DialEvent = (
    Wake
    | OfferSent
    | AnswerReceived
    | AttemptFailed
    | OfferArrived
    | OfferWithdrawn
    | AnswerSent
    | LinkProven
    | LinkLost
    | DropRequested
    | PathChanged
    | Improve
    | TimePassed
    | Stop
)


# --- effects --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dial:
    """Reach the contact's signaling, make an offer, send it. ``fresh``: forget cached descriptors first.

    ``direct``: the link must not go over a relay: there is one that does. ``beside``: a link is up, so that
    there is time to wait for what makes the new one better.
    """

    generation: int
    fresh: bool
    direct: bool = False
    beside: bool = False


@dataclass(frozen=True, slots=True)
class AnswerOffer:
    """Answer the offer named by the token."""

    generation: int
    token: int


@dataclass(frozen=True, slots=True)
class Decline:
    """Tell the contact that this offer is not answered (``busy``)."""

    token: int


@dataclass(frozen=True, slots=True)
class Abandon:
    """Stop the attempt: cancel what is going on, withdraw a sent offer, close its link."""

    generation: int


@dataclass(frozen=True, slots=True)
class Adopt:
    """This link is the live one from now on."""

    generation: int


@dataclass(frozen=True, slots=True)
class CloseLink:
    """Close a link that was live. ``goodbye``: tell the contact, so that it need not find out."""

    generation: int
    goodbye: bool


DialEffect = Dial | AnswerOffer | Decline | Abandon | Adopt | CloseLink
