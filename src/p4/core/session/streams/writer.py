"""The half of a stream that we write."""

from __future__ import annotations

from p4.core.session.stream_frames import Credit
from p4.errors import FrameError

__all__ = ["LostByReader", "Writer"]

Stretch = tuple[int, int]
"""Begin and end of some bytes."""


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

    __slots__ = ("_again", "_credits", "_limit", "_reached", "_sent", "confirmed", "floor", "written")

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
        self._again: list[Stretch] = []

    @property
    def heard(self) -> bool:
        """Whether the contact's CREDIT has arrived on this link."""
        return self._credits > 0

    @property
    def sent(self) -> int:
        """Offset of the next byte to send on this link."""
        return self._again[0][0] if self._again else self._sent

    @property
    def sendable(self) -> int:
        """Bytes that may be sent now, from `sent` on. While something is sent again, there may be more."""
        if not self._credits:
            return 0
        if self._again:
            begin, end = self._again[0]
            return end - begin
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
        self._again.clear()

    def lost(self, begin: int, end: int) -> None:
        """A lane ended, and these bytes, sent on it, may not have arrived: they are sent again first."""
        begin, end = max(begin, self.confirmed), min(end, self._sent)
        if begin < end:
            self._again = _joined([*self._again, (begin, end)])

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
        while self._again and self._again[0][0] < self.confirmed:
            _, end = self._again.pop(0)
            if self.confirmed < end:
                self._again.insert(0, (self.confirmed, end))

    @property
    def told(self) -> bool:
        """Whether the contact has certainly had our WRITTEN of this link: it sends one CREDIT before it."""
        return self._credits > 1

    def take(self, most: int) -> tuple[int, int]:
        """Offset and size of what to send next, at most so much; it counts as sent."""
        offset, size = self.sent, min(most, self.sendable)
        if self._again:
            _, end = self._again[0]
            self._again[:1] = [(offset + size, end)] if offset + size < end else []
            return offset, size
        self._sent += size
        self._reached = max(self._reached, self._sent)
        return offset, size


def _joined(stretches: list[Stretch]) -> list[Stretch]:
    """The same bytes in ascending order, each once."""
    joined: list[Stretch] = []
    for begin, end in sorted(stretches):
        if joined and begin <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((begin, end))
    return joined
