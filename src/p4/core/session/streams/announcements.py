"""What a contact has to be told about a stream on each link, and in which order (spec/stream.md)."""

from __future__ import annotations

from p4.core.session.stream_frames import Done, Open, Reset, ResetReason, StreamFrame, Written
from p4.core.session.streams.reader import Reader
from p4.core.session.streams.record import StreamRecord
from p4.core.session.streams.writer import Writer

__all__ = ["Announcements"]


class Announcements:
    """What was said about a stream on the link in service, so that everything is said once.

    Everything said is derived from the record that *is* on disk. Make a new one for each link.
    """

    __slots__ = ("_last", "_opened", "final", "heard_done", "written")

    def __init__(self) -> None:
        self._opened = False
        self.written = False
        """Whether WRITTEN was sent: DATA may follow."""
        self.final = False
        """Whether it said that no more comes."""
        self.heard_done = False
        """Whether the contact's DONE waits here until our application knows of the end."""
        self._last = False

    @property
    def said_farewell(self) -> bool:
        """Whether RESET or DONE was sent."""
        return self._last

    def farewell(self, stored: StreamRecord) -> list[StreamFrame]:
        """RESET or DONE, which stand for everything else."""
        if self._last:
            return []
        self._last = True
        if stored.reset >= 0:
            return [Reset(stored.id, ResetReason(stored.reset), stored.reset_text)]
        return [Done(stored.id)]

    def offer(self, stored: StreamRecord, reader: Reader) -> list[StreamFrame]:
        """OPEN, with the CREDIT for what the other side may want to write."""
        if self._opened:
            return []
        self._opened = True
        credit = reader.credit(stored.id, stored.consumed)
        return [Open(stored.id, stored.service, stored.name), *([credit] if credit else [])]

    def news(self, stored: StreamRecord, reader: Reader, writer: Writer) -> list[StreamFrame]:
        """CREDIT and WRITTEN, if there is anything new in them."""
        frames: list[StreamFrame] = []
        credit = reader.credit(stored.id, stored.consumed)
        if credit is not None:
            frames.append(credit)
        if writer.floor is not None:
            if not self.written:
                frames.append(Written(stored.id, writer.floor, final=False))
                self.written = True
        elif not self.written or (stored.final and not self.final):
            frames.append(Written(stored.id, writer.written, stored.final))
            self.written, self.final = True, stored.final
        return frames

    def complete(self, stored: StreamRecord, reader: Reader, writer: Writer) -> bool:
        """Whether everything was consumed on both sides, both have said so, and our application knows."""
        return (
            self.final
            and reader.end_taken
            and writer.all_confirmed
            and reader.end is not None
            and stored.consumed == reader.end
            and reader.told_consumed(reader.end)
        )
