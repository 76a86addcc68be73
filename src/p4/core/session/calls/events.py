"""What happens to calls, and what is to be done about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from p4.core.session.session_frames import Call, CallStatus, Cancel, Kind, Replied, Reply

__all__ = [
    "Begin",
    "CallArrived",
    "CalleeEffect",
    "CalleeEvent",
    "CallerEffect",
    "CallerEvent",
    "CancelArrived",
    "Ended",
    "Ending",
    "Finished",
    "GiveUp",
    "LinkDown",
    "LinkUp",
    "RepliedArrived",
    "ReplyArrived",
    "Run",
    "Stop",
    "TimePassed",
    "Transmit",
]


# --- events of both sides -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LinkUp:
    """RESUME and GRANTS of the contact arrived on a link, the first or a new one; a former one is over."""

    boot: str
    """Of the contact's announcement: names the life of its process."""
    granted: Callable[[str], bool]
    """Whether the contact lets us use a service, by its latest GRANTS."""
    supported: bool = True
    """The contact announced ``calls``."""


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The link is over."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The machine's deadline is reached."""


# --- events of the caller -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Begin:
    """The application calls; answered by exactly one `Ended`, unless it gives up."""

    id: int
    """Random."""
    service: str
    kind: Kind
    argument: bytes
    deadline: float
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The application waits no longer; there will be no `Ended`."""

    id: int


@dataclass(frozen=True, slots=True)
class ReplyArrived:
    """A REPLY of the link in service."""

    reply: Reply


CallerEvent = Begin | GiveUp | ReplyArrived | LinkUp | LinkDown | TimePassed


# --- events of the callee -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallArrived:
    """A CALL of the link in service."""

    call: Call
    verdict: CallStatus
    """OK if it may run, else why not: NOT_GRANTED or NOT_SERVED."""


@dataclass(frozen=True, slots=True)
class CancelArrived:
    """A CANCEL of the link in service."""

    id: int


@dataclass(frozen=True, slots=True)
class RepliedArrived:
    """A REPLIED of the link in service."""

    id: int


@dataclass(frozen=True, slots=True)
class Finished:
    """What was begun by `Run` is over, also if it was asked to `Stop`."""

    id: int
    status: CallStatus
    kind: Kind = Kind.BYTES
    result: bytes = b""


CalleeEvent = CallArrived | CancelArrived | RepliedArrived | Finished | LinkUp | LinkDown | TimePassed


# --- effects ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send a frame on the link in service."""

    frame: Call | Reply | Cancel | Replied


class Ending(Enum):
    """How a call ended for its caller."""

    REPLY = "reply"
    """As the contact's REPLY says."""
    NOT_GRANTED = "not-granted"
    """The contact does not let us use the service: not sent."""
    NOT_SUPPORTED = "not-supported"
    """The contact knows no calls: not sent."""
    OVERLOADED = "overloaded"
    """Too many calls wait here: not sent."""
    DEADLINE = "deadline"
    UNKNOWN = "unknown"
    """It was sent to an earlier life of the contact's process."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The outcome of a call, for the application."""

    id: int
    ending: Ending
    sent: bool = False
    """Whether the contact may have seen the call."""
    reply: Reply | None = None
    """With `Ending.REPLY`."""


CallerEffect = Transmit | Ended


@dataclass(frozen=True, slots=True)
class Run:
    """Execute a call, for the first and only time; tell of its end with `Finished`."""

    call: Call
    deadline: float
    """Monotonic seconds; `Stop` will come then."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Nobody waits for the result any more: end the work, and tell of its end with `Finished`."""

    id: int


CalleeEffect = Transmit | Run | Stop
