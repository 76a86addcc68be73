"""What happens to the messages of a relation, and what is to be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from p4.core.session.messages.stored import Draft, InboxMessage, Operation
from p4.core.session.session_frames import Ack, Consumed, Grants, Message, Refused, Resume, Void

__all__ = [
    "Accepted",
    "ChatLine",
    "ChatLineArrived",
    "ConsumedByPeer",
    "ConsumedHere",
    "Delivered",
    "DropReason",
    "Dropped",
    "EndLink",
    "Failed",
    "FramesArrived",
    "GrantsChanged",
    "HandedOver",
    "LinkDown",
    "LinkUp",
    "MessageEffect",
    "MessageEvent",
    "MessageFrame",
    "Notice",
    "NoticeKind",
    "Perform",
    "Performed",
    "Quiet",
    "Received",
    "Rejected",
    "Renewed",
    "Submit",
    "Take",
    "TimePassed",
    "Transmit",
    "Withdrawn",
    "Writable",
]

MessageFrame = Resume | Message | Ack | Void | Consumed | Grants | Refused


# --- events -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Submit:
    """An application hands over messages; answered by `Accepted` or `Rejected` with the same token."""

    token: int
    drafts: tuple[Draft, ...]


@dataclass(frozen=True, slots=True)
class Take:
    """The application has taken messages (they may be expired ones); answered by `ConsumedHere`."""

    token: int
    messages: tuple[InboxMessage, ...]


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The application has been given messages with a key: newer ones do not replace them any more.

    Not needed for messages without a key. What was given is held until it is taken with `Take`.
    """

    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Performed:
    """An operation of `Perform` is on disk, with its result.

    Operations are performed in order, and must be told of in that order, also those that failed.
    """

    operation: Operation
    result: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """The disk refused an operation of `Perform`; nothing of it was done."""

    operation: Operation
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class LinkUp:
    """A proven link is in service; nothing was sent on it. A former one is over."""

    protocol: int
    """1 or 2."""


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The link is over."""


@dataclass(frozen=True, slots=True)
class FramesArrived:
    """Frames of messages, in order, of the link in service. Protocol 2."""

    frames: Sequence[MessageFrame]


@dataclass(frozen=True, slots=True)
class Writable:
    """About so many bytes may be transmitted now; replaces what was said before."""

    budget: int


@dataclass(frozen=True, slots=True)
class ChatLineArrived:
    """A text from a version 1 peer, which will never send it again."""

    text: str


@dataclass(frozen=True, slots=True)
class Quiet:
    """All that was handed to a version 1 link has left, and the link is still up.

    Texts that were handed over ``limits.V1_CONFIRM_SECONDS`` ago or earlier count as delivered. To be told
    again and again while something is queued.
    """


@dataclass(frozen=True, slots=True)
class GrantsChanged:
    """What the contact may use here."""

    grants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The machine's deadline is reached."""


MessageEvent = (
    Submit
    | Take
    | HandedOver
    | Performed
    | Failed
    | LinkUp
    | LinkDown
    | FramesArrived
    | Writable
    | ChatLineArrived
    | Quiet
    | GrantsChanged
    | TimePassed
)


# --- effects ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Perform:
    """Do this to the store, after everything asked for before; tell of it with `Performed` or `Failed`."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send a frame on the link in service."""

    frame: MessageFrame


@dataclass(frozen=True, slots=True)
class ChatLine:
    """Send a text on the chat channel of a version 1 peer."""

    text: str


@dataclass(frozen=True, slots=True)
class EndLink:
    """The link in service must be closed, because of the contact or because of a renewed outbox."""

    reason: str
    broke_protocol: bool
    """The contact broke the specification."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Answer to `Submit`: on disk, numbered from ``first``."""

    token: int
    epoch: bytes
    first: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """Answer to `Submit`: nothing was accepted."""

    token: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """The contact has everything up to ``through`` on its disk, except what was dropped."""

    epoch: bytes
    through: int


class DropReason(Enum):
    """Why a message that was accepted will never arrive."""

    EXPIRED = "expired"
    REPLACED = "replaced"
    REFUSED = "refused"
    NOT_SUPPORTED = "not-supported"
    """The contact's node is version 1 and takes chat texts only."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Messages of our outbox were given up.

    One that had been sent already, and whose confirmation was lost, may have arrived all the same.
    """

    epoch: bytes
    numbers: tuple[int, ...]
    service: str
    """Of the first; for a sentence to the user."""
    reason: DropReason


@dataclass(frozen=True, slots=True)
class ConsumedByPeer:
    """The contact's application has taken everything for a service up to ``through``."""

    epoch: bytes
    service: str
    """Empty for every service that was not named on this link."""
    through: int


@dataclass(frozen=True, slots=True)
class Renewed:
    """The outbox has another name, and what waits has other numbers: ``number - shift``."""

    old_epoch: bytes
    new_epoch: bytes
    shift: int


@dataclass(frozen=True, slots=True)
class Received:
    """New messages for the application; they are on disk."""

    messages: tuple[InboxMessage, ...]


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Messages at these positions were replaced by newer ones before the application had them."""

    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ConsumedHere:
    """Answer to `Take`: they will not come again."""

    token: int


class NoticeKind(Enum):
    """What a restored backup did (spec/session.md, Restored backups)."""

    OUTBOX_RENEWED = "outbox-renewed"
    """Our queue was older than what the contact has; ``count`` messages are sent anew."""
    PEER_LOST = "peer-lost"
    """The contact lost ``count`` messages that it had confirmed."""
    MISSING_HERE = "missing-here"
    """``count`` messages that were delivered to this device once are missing."""
    PEER_RENEWED = "peer-renewed"
    """The contact sends from a queue of another name."""
    INBOX_FULL = "inbox-full"
    """``count`` messages wait for the application; no more are taken from the contact."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know."""

    kind: NoticeKind
    count: int


MessageEffect = (
    Perform
    | Transmit
    | ChatLine
    | EndLink
    | Accepted
    | Rejected
    | Delivered
    | Dropped
    | ConsumedByPeer
    | Renewed
    | Received
    | Withdrawn
    | ConsumedHere
    | Notice
)
