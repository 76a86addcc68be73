"""What happens to a stream, and what is to be done about it."""

from __future__ import annotations

from dataclasses import dataclass

from p4.core.session.stream_frames import ResetReason, StreamFrame
from p4.core.session.streams.record import StreamRecord

__all__ = [
    "Cancel",
    "Claim",
    "Consume",
    "Discard",
    "DiskRefused",
    "EndTaken",
    "Ended",
    "Finish",
    "Finished",
    "Forget",
    "Forgotten",
    "FrameArrived",
    "LinkDown",
    "LinkUp",
    "MayOpen",
    "Progress",
    "Readable",
    "Save",
    "Saved",
    "StreamEffect",
    "StreamEvent",
    "TimePassed",
    "Took",
    "Transmit",
    "WillWrite",
    "Wrote",
]


# --- events -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LinkUp:
    """A proven link to a contact that knows streams; nothing of this stream was sent on it."""


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The link is over."""


@dataclass(frozen=True, slots=True)
class MayOpen:
    """The contact lets us use the stream's service, as far as this link knows."""


@dataclass(frozen=True, slots=True)
class FrameArrived:
    """A frame that names the stream."""

    frame: StreamFrame


@dataclass(frozen=True, slots=True)
class Claim:
    """An application holds the stream: from now on memory is granted to the contact."""


@dataclass(frozen=True, slots=True)
class WillWrite:
    """The application is about to write; wait until `StreamMachine.may_write`."""


@dataclass(frozen=True, slots=True)
class Wrote:
    """The spool reaches up to ``end`` now."""

    end: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The application will write no more."""

    leave: bool = False
    """It also wants nothing of what still arrives, and need not be told of the contact's end."""


@dataclass(frozen=True, slots=True)
class EndTaken:
    """The application was told that the contact's direction has ended, or does not wait to be told."""


@dataclass(frozen=True, slots=True)
class Took:
    """The application asks for more, having got bytes by `StreamMachine.take`: grant more, if it is time."""


@dataclass(frozen=True, slots=True)
class Consume:
    """The application needs the bytes below ``through`` no more."""

    through: int
    now: bool = False
    """Put it on disk at once: somebody waits for that."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """End both directions at once and tell the contact why. `Ended` follows when the disk knows."""

    reason: ResetReason
    text: str


@dataclass(frozen=True, slots=True)
class Saved:
    """The record of `Save` is on disk."""

    record: StreamRecord


@dataclass(frozen=True, slots=True)
class DiskRefused:
    """The record of `Save` is not on disk."""

    text: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What `Forget` asked for is done, as far as the disk lets it."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """`StreamMachine.deadline` is reached."""


StreamEvent = (
    LinkUp
    | LinkDown
    | MayOpen
    | FrameArrived
    | Claim
    | WillWrite
    | Wrote
    | Finish
    | EndTaken
    | Took
    | Consume
    | Cancel
    | Saved
    | DiskRefused
    | Forgotten
    | TimePassed
)


# --- effects ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Save:
    """Write the record, then tell with `Saved` or `DiskRefused`. There is never a second before that."""

    record: StreamRecord
    sync_spool: bool = False
    """First make the spool safe from a power failure: the record says that nothing follows."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Remove record and spool, then tell with `Forgotten`. Comes after a `Save` was answered."""


@dataclass(frozen=True, slots=True)
class Discard:
    """The spool needs nothing below ``through`` any more."""

    through: int


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send a frame on the ordered channel."""

    frame: StreamFrame


@dataclass(frozen=True, slots=True)
class Readable:
    """There is something to read, or the end of it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Something changed that the application may wait for: confirmed bytes, or the disk."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Both directions have ended well: everything was consumed on both sides."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The stream ended before its end, and will not come again after a restart.

    If it ended here, its record says so already, unless the disk refused that. If the contact ended it, the
    contact repeats it until it was answered.
    """

    reason: ResetReason
    text: str
    by_contact: bool


StreamEffect = Save | Forget | Discard | Transmit | Readable | Progress | Finished | Ended
