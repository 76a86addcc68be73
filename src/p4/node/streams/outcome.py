"""Why a stream ended before its end, in words."""

from __future__ import annotations

from p4.core.session.stream_frames import ResetReason
from p4.core.session.streams.events import Ended
from p4.core.session.streams.machine import StreamMachine
from p4.errors import StreamError

__all__ = ["error_of"]

_SENTENCES = {
    ResetReason.CANCELLED: ("cancelled", "ended the stream before its end"),
    ResetReason.FAILED: ("failed", "ended the stream because it failed"),
    ResetReason.NOT_GRANTED: ("not-granted", "does not let the other side use the service"),
    ResetReason.TOO_MANY: ("too-many", "has too many streams open"),
    ResetReason.DISK: ("disk", "could not go on with the stream because of its disk"),
    ResetReason.LOST: ("lost", "lost the stream"),
    ResetReason.REMOVED: ("removed", "removed the contact"),
}


def error_of(ended: Ended, machine: StreamMachine) -> StreamError:
    """What an application is told.

    Args:
        machine: the stream's; it knows how far both directions had come.
    """
    code, what = _SENTENCES[ended.reason]
    who = "The contact" if ended.by_contact else "This side"
    text = f" It says: {ended.text}" if ended.text and ended.by_contact else f" {ended.text}".rstrip()
    return StreamError(
        f"{who} {what}; what was not consumed by then is discarded.{text}",
        code=code,
        consumed=machine.reader.consumed,
        confirmed=machine.writer.confirmed,
        by_contact=ended.by_contact,
    )
