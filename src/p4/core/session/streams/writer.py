"""The half of a stream that we write."""

from __future__ import annotations

from p4.core.session.stream_frames import Credit
from p4.errors import FrameError

__all__ = ["LostByReader", "Writer"]


class LostByReader(Exception):  # noqa: N818 - never leaves this package
    """The contact's disk, or ours, is older than what the other knows."""


class Writer:
    """What was written, what the contact has confirmed, and what may be sent.

    Args:
        confirmed: where the spool begins.
        written: where it ends.
        floor: for a stream of an earlier run of the node: the lowest end that the direction has had since the
            contact was last told of it. It may have fallen in a power failure.
    """

    __slots__ = ("_credits", "_limit", "_reached", "_sent", "confirmed", "floor", "written")

    def __init__(self, confirmed: int = 0, written: int = 0, floor: int | None = None) -> None:
        self.confirmed = confirmed
        """Everything below is on the contact's disk as consumed."""
        self.written = written
        """Everything below is on our disk, or was confirmed."""
        self.floor = floor
        """Nothing is sent beyond it, until the contact has been told of it. None if it need not be."""
        self._reached = 0 if floor is None else floor  # what the contact can have at most
        self._sent = 0
        self._limit = 0
        self._credits = 0

    @property
    def heard(self) -> bool:
        """Whether the contact's CREDIT has arrived on this link."""
        return self._credits > 0

    @property
    def sent(self) -> int:
        """Offset of the next byte to send on this link."""
        return self._sent

    @property
    def sendable(self) -> int:
        """Bytes that may be sent now."""
        if not self._credits:
            return 0
        return max(0, min(self._limit, self.written if self.floor is None else self.floor) - self._sent)

    @property
    def all_confirmed(self) -> bool:
        """Whether nothing written remains to be confirmed on this link."""
        return self._credits > 0 and self.confirmed == self.written

    @property
    def all_sent(self) -> bool:
        """Whether the contact can have everything that was written, whatever it has confirmed."""
        return self._reached == self.written

    def link_up(self) -> None:
        """A new link: begin again at what the contact has confirmed, once it says what that is."""
        self._credits = 0
        self._limit = self._sent = self.confirmed

    def credit(self, frame: Credit) -> None:
        """The contact tells what it has consumed, and how much more it can take.

        Raises:
            LostByReader: a disk is older than what the other side knows.
            FrameError: a number that falls, or one beyond what was sent.
        """
        if not self._credits:
            if not self.confirmed <= frame.through <= self._reached:
                raise LostByReader
        elif frame.through < self.confirmed or frame.limit < self._limit or frame.through > self._reached:
            raise FrameError("The credit of a stream contradicts an earlier one.", code="stream-credit")
        self._credits += 1
        self.confirmed = frame.through
        self._limit = frame.limit
        self._sent = max(self._sent, frame.through)

    @property
    def told(self) -> bool:
        """Whether the contact has certainly had our WRITTEN of this link: it sends one CREDIT before it."""
        return self._credits > 1

    def take(self, most: int) -> tuple[int, int]:
        """Offset and size of what to send next, at most so much; it counts as sent."""
        offset, size = self._sent, min(most, self.sendable)
        self._sent += size
        self._reached = max(self._reached, self._sent)
        return offset, size
