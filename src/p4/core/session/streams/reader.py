"""The half of a stream that we read."""

from __future__ import annotations

from p4.core import limits
from p4.core.session.stream_frames import Credit, Written
from p4.core.session.streams.reassembly import Reassembly
from p4.core.session.streams.windows import WindowBudget
from p4.errors import FrameError

__all__ = ["LostByWriter", "Reader"]


class LostByWriter(Exception):  # noqa: N818 - never leaves this package
    """The contact's disk is older than what we have from it."""


class Reader:
    """Order, credit and consumption of what the contact writes.

    Args:
        consumed: offset that the disk knows as consumed; reading begins there.
        budget: shared with the other readers of the node.
    """

    __slots__ = (
        "_budget",
        "_bytes",
        "_credits",
        "_grown_at",
        "_told_limit",
        "_told_through",
        "_window",
        "consumed",
        "discarding",
        "end",
        "end_taken",
        "heard",
    )

    def __init__(self, consumed: int, budget: WindowBudget) -> None:
        self._budget = budget
        self._bytes = Reassembly(consumed)
        self._window = 0
        self._grown_at = consumed
        self.consumed = consumed
        """Offset below which the application needs nothing; perhaps not on disk yet."""
        self.end: int | None = None
        """Where the direction ends, if the contact has said so."""
        self.discarding = False
        """Whether the application wants nothing of what still arrives."""
        self.end_taken = False
        """Whether the application knows of the end, in this run, or does not wait to be told of it."""
        self.heard = False
        """Whether the contact's WRITTEN has arrived on this link."""
        self._credits = 0
        self._told_through = 0
        self._told_limit = consumed

    # -- for the application --------------------------------------------------------------------------

    @property
    def position(self) -> int:
        """Offset of the next byte that `take` gives."""
        return self._bytes.position

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return self._bytes.held

    @property
    def window(self) -> int:
        """Bytes that the contact may send beyond ``position``."""
        return self._window

    @property
    def readable(self) -> bool:
        """Whether there are bytes to take, or all were taken."""
        return self.at_end or (self._may_take and self._bytes.contiguous > self.position)

    @property
    def at_end(self) -> bool:
        """Whether everything that the contact ever wrote was taken."""
        return self.end == self.position

    @property
    def has_told_all(self) -> bool:
        """Whether there is nothing that the application still has to be told or to consume."""
        return self.end_taken and self.end == self.consumed

    @property
    def _may_take(self) -> bool:
        # Bytes of a new link wait for the WRITTEN that says whether they follow what was taken before. What
        # the last link left over is dropped when a new one begins, so this concerns no other bytes.
        return self.heard or not self._credits

    def take(self, most: int) -> bytes:
        """The next bytes, or none."""
        return self._bytes.take(most) if self._may_take else b""

    def claim(self) -> None:
        """An application has come: grant memory from now on."""
        if not self._window:
            self._window = self._budget.begin()

    def discard(self) -> None:
        """The application wants nothing of what is here and of what still arrives, and no end."""
        self.discarding = self.end_taken = True
        self.claim()
        while self.take(limits.STREAM_WINDOW_BYTES):
            pass

    def asks(self) -> bool:
        """The application asks for more. If it has all that a window brought, the window is too small.

        Returns:
            Whether the contact may be told of more room.
        """
        position = self._bytes.position
        if position - self._grown_at >= self._window and not self._bytes.held:
            self._grown_at = position
            if self._window:
                self._window = self._budget.grow(self._window)
        return 4 * (position + self._window - self._told_limit) >= self._window

    def is_worth_saving(self, on_disk: int) -> bool:
        """Whether so much was consumed beyond ``on_disk``: everything, or half the window."""
        lag = self.consumed - on_disk
        return self.consumed == self.end or 2 * lag >= max(self._window, limits.STREAM_FIRST_WINDOW_BYTES)

    def release(self) -> None:
        """The stream is over: give all memory back."""
        self._budget.give_back(self._window)
        self._window = 0
        self._bytes.drop()

    # -- for the contact ------------------------------------------------------------------------------

    def link_up(self) -> None:
        """A new link: the contact sends again from what it is told as consumed."""
        self.heard = False
        self._credits = 0
        self._bytes.drop()
        excess = self._window - limits.STREAM_FIRST_WINDOW_BYTES
        if excess > 0:
            self._window -= excess
            self._budget.give_back(excess)
        self._told_limit = self.position
        if not self.at_end:
            self.end = None

    def credit(self, stream: int, on_disk: int) -> Credit | None:
        """What the contact has to be told now, if anything; it counts as told.

        Args:
            on_disk: everything below this is consumed and on disk.
        """
        limit = self.position + self._window
        if self._credits == 0:
            due = True
        elif not self.heard:
            # One CREDIT before WRITTEN, so that the next one proves that WRITTEN has arrived.
            due = False
        else:
            renewed = limit - self._told_limit
            due = self._credits == 1 or on_disk > self._told_through or 0 < self._window <= 4 * renewed
        if not due:
            return None
        self._credits += 1
        self._told_through = on_disk
        self._told_limit = max(limit, self._told_limit)
        return Credit(stream, on_disk, self._told_limit)

    def told_consumed(self, through: int) -> bool:
        """Whether the contact was told on this link that everything below is consumed."""
        return self._credits > 0 and self._told_through >= through

    def written(self, frame: Written) -> None:
        """The contact says how far it has written.

        Raises:
            LostByWriter: less than the application has had.
            FrameError: an end that moves.
        """
        first, self.heard = not self.heard, True
        if first and frame.end < self.position:
            raise LostByWriter
        if frame.final:
            if self.end is not None and self.end != frame.end:
                if first:
                    raise LostByWriter
                raise FrameError("The end of a stream moves.", code="stream-end")
            if max(self.position, self._bytes.highest) > frame.end:
                raise FrameError("A stream ends before bytes that were sent.", code="stream-end")
            self.end = frame.end
        elif self.end is not None and not first:
            raise FrameError("A stream that had ended goes on.", code="stream-end")
        if self.discarding:
            self._bytes.skip()

    def data(self, offset: int, data: bytes) -> bool:
        """Some bytes arrived.

        Returns:
            Whether there is more to take than before.

        Raises:
            FrameError: beyond the credit or the end, or in too many pieces.
        """
        end = offset + len(data)
        if end > self._told_limit or not self._credits:
            raise FrameError("More bytes of a stream arrived than were allowed.", code="stream-limit")
        if self.end is not None and end > self.end:
            raise FrameError("Bytes arrived beyond the end of a stream.", code="stream-end")
        kept = self._bytes
        before = kept.contiguous
        kept.add(offset, data)
        if not self.heard:
            return False
        if self.discarding:
            kept.skip()
        return kept.contiguous > before
