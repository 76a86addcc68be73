"""One stream, from its opening to the moment when both sides have forgotten it (spec/stream.md)."""

from __future__ import annotations

from dataclasses import replace

from p4.core import limits
from p4.core.session.stream_frames import (
    Credit,
    Data,
    Done,
    Gone,
    Open,
    Reset,
    ResetReason,
    StreamFrame,
    Written,
)
from p4.core.session.streams.announcements import Announcements
from p4.core.session.streams.commit_time import CommitTime
from p4.core.session.streams.events import (
    Cancel,
    Claim,
    Consume,
    Discard,
    DiskRefused,
    Ended,
    EndTaken,
    Finish,
    Finished,
    Forget,
    Forgotten,
    FrameArrived,
    LinkDown,
    LinkUp,
    MayOpen,
    Progress,
    Readable,
    Save,
    Saved,
    StreamEffect,
    StreamEvent,
    Took,
    Transmit,
    WillWrite,
    Wrote,
)
from p4.core.session.streams.reader import LostByWriter, Reader
from p4.core.session.streams.record import StreamRecord
from p4.core.session.streams.windows import WindowBudget
from p4.core.session.streams.writer import LostByReader, Writer
from p4.errors import FrameError

__all__ = ["StreamMachine"]

_OLD_DISK = "What one of the two devices remembers of the stream is older than what the other knows."


class StreamMachine:
    """The life of a stream at one side.

    What must be so on disk is collected in a wanted record; one `Save` at a time brings the disk there; and
    `_go_on` derives from what *is* on disk what the contact has to be told on this link. So nothing can be
    told before it is on disk, whatever the order of events.

    Args:
        record: of a stream that is opened or accepted now (`begin` saves it), or as the disk has it.
        budget: memory for reading, shared by all streams of the node.
        spool: start and end of the spool of a stream of an earlier run; None for a new one.
    """

    def __init__(
        self, record: StreamRecord, budget: WindowBudget, *, spool: tuple[int, int] | None = None
    ) -> None:
        self._wanted = record
        self._stored: StreamRecord | None = None
        self._saving = False
        self.reader = Reader(record.consumed, budget)
        if spool is None:
            self.writer = Writer()
        else:
            self._stored = record
            start, end = spool
            self.writer = Writer(start, end, end if record.floor < 0 else min(record.floor, end))
        self._linked = False
        self._may_open = False
        self._said = Announcements()
        self._over = record.reset >= 0 or record.done
        self._forgetting = False
        self._farewell: StreamFrame | None = None
        self._verdict: list[StreamEffect] = []
        self._commit = CommitTime()
        self._retry_at: float | None = None

    # -- what the node wants to know --------------------------------------------------------------------

    @property
    def record(self) -> StreamRecord:
        """What shall be on disk, but for what was consumed lately."""
        return self._wanted

    @property
    def on_disk(self) -> StreamRecord | None:
        """What is on disk."""
        return self._stored

    @property
    def saving(self) -> bool:
        """Whether a `Save` was not answered yet."""
        return self._saving

    @property
    def over(self) -> bool:
        """Whether there is nothing to do for applications any more."""
        return self._over

    @property
    def deadline(self) -> float | None:
        """When to give `TimePassed`; None for never. It moves often: look again when it has come."""
        if self._saving or self._forgetting:
            return None
        return self._retry_at if self._retry_at is not None else self._commit.at

    @property
    def may_write(self) -> bool:
        """Whether the spool may grow; see `WillWrite`."""
        return self._stored is not None and (self.writer.floor is None or self._stored.floor >= 0)

    @property
    def sendable(self) -> int:
        """Bytes that may be sent now: see `take_to_send`."""
        return self.writer.sendable if self._linked and self._said.written and not self._over else 0

    def take_to_send(self, most: int) -> tuple[int, int]:
        """Offset and size of the DATA to send next, at most so much; it counts as sent. Size 0: nothing."""
        return self.writer.take(most if self.sendable else 0)

    def take(self, most: int) -> bytes:
        """The next bytes for the application, none if there are none now; then give `Took`."""
        return b"" if self._over else self.reader.take(most)

    # -- events -----------------------------------------------------------------------------------------

    def begin(self) -> list[StreamEffect]:
        """A stream is opened or accepted: what to do first."""
        return self._go_on(0.0)

    def handle(self, event: StreamEvent, now: float) -> list[StreamEffect]:
        """What follows from an event.

        Raises:
            FrameError: the contact broke the specification.
        """
        match event:
            case FrameArrived(Data(_, offset, data)):
                return self.data(offset, data, now)
            case Took():
                return self._go_on(now) if self.reader.asks() else []
            case Wrote(end):
                self.writer.written = end
                return []
            case Consume(through, at_once):
                return self.consume(through, now, at_once=at_once)
            case FrameArrived(frame):
                return self._frame(frame, now)
            case LinkUp():
                self._linked = True
                self._may_open = False
                self._said = Announcements()
                self.reader.link_up()
                self.writer.link_up()
            case LinkDown():
                self._linked = False
            case MayOpen():
                self._may_open = True
            case Claim() if not self._over:
                self.reader.claim()
            case WillWrite():
                if self.writer.floor is not None and self._wanted.floor < 0 and not self.writer.told:
                    self._wanted = replace(self._wanted, floor=self.writer.floor)
            case Finish(leave):
                self._wanted = self._wanted.ended(leave=leave)
                if leave:
                    return self.discard_rest(now)
            case EndTaken():
                self.reader.end_taken = True
            case Cancel(reason, text):
                return self._reset(reason, text, now)
            case Saved(record):
                return self._saved(record, now)
            case DiskRefused(text):
                return self._refused(text, now)
            case Forgotten():
                farewell = self._farewell if self._linked else None
                return [*self._verdict, Transmit(farewell)] if farewell else self._verdict
        return self._go_on(now)

    def discard_rest(self, now: float) -> list[StreamEffect]:
        """The application wants nothing of what still arrives; it counts as consumed."""
        if self._over:
            return []
        self.reader.discard()
        return self._skipped(now)

    def data(self, offset: int, data: bytes, now: float) -> list[StreamEffect]:
        """What `FrameArrived` with DATA stands for: many times a second, so without it. Raises FrameError."""
        more = not self._over and self.reader.data(offset, data)
        return [] if not more else self._skipped(now) if self.reader.discarding else [Readable()]

    def consume(self, through: int, now: float, *, at_once: bool = False) -> list[StreamEffect]:
        """What `Consume` stands for, for each read."""
        self._consume(through, now, at_once=at_once)
        stored = self._stored
        worth = at_once or stored is None or self.reader.is_worth_saving(stored.consumed)
        return self._go_on(now) if worth else []

    # -- inside: the contact ----------------------------------------------------------------------------

    def _frame(self, frame: StreamFrame, now: float) -> list[StreamEffect]:
        match frame:
            case Open() | Gone() if self._forgetting:
                return []
            case _ if self._forgetting:
                self._farewell = self._farewell or Gone(frame.id)
                return []
            case Reset(_, reason, text):
                return self._forget(Gone(frame.id), Ended(reason, text, by_contact=True))
            case Gone():
                lost = Ended(ResetReason.LOST, "The contact does not know it.", by_contact=True)
                return self._forget(None, lost)
            case Done() if self._wanted.reset < 0:
                return self._done(frame)
            case Open(_, service, name):
                mine = self._wanted
                if mine.opened_here or (service, name) != (mine.service, mine.name):
                    raise FrameError("A stream is opened under another's number.", code="stream-open")
            case _ if self._over:
                return []
            case Credit():
                return self._credit(frame, now)
            case Written():
                try:
                    self.reader.written(frame)
                except LostByWriter:
                    return self._reset(ResetReason.LOST, _OLD_DISK, now)
                effects: list[StreamEffect] = [Readable()] if self.reader.readable else []
                return effects + (self._skipped(now) if self.reader.discarding else self._go_on(now))
        return self._go_on(now)

    def _credit(self, frame: Credit, now: float) -> list[StreamEffect]:
        writer = self.writer
        before = writer.confirmed
        try:
            writer.credit(frame)
        except LostByReader:
            return self._reset(ResetReason.LOST, _OLD_DISK, now)
        effects: list[StreamEffect] = []
        if not self._wanted.accepted:
            self._wanted = replace(self._wanted, accepted=True)
        if writer.confirmed > before:
            effects += [Discard(writer.confirmed), Progress()]
        if writer.told and writer.floor is not None:
            if self._wanted.floor >= 0:
                self._wanted = replace(self._wanted, floor=-1)
            else:
                self._settle()
        return effects + self._go_on(now)

    def _settle(self) -> None:
        """The contact knows where we ended, and the disk knows that it does."""
        if self._stored is not None and self._stored.floor < 0 and not self._saving:
            self.writer.floor = None

    def _done(self, frame: Done) -> list[StreamEffect]:
        """The contact has everything, and knows that we have: whatever of that was lost with a link."""
        reader = self.reader
        if self._wanted.done:
            return self._forget(None if self._said.said_farewell else frame, Finished())
        if self._wanted.final and self.writer.all_sent and reader.end in (None, reader.consumed):
            reader.end = reader.consumed
            if reader.end_taken:
                return self._forget(frame, Finished())
            self._said.heard_done = True
            return [Readable()]
        return self._forget(Gone(frame.id), Ended(ResetReason.LOST, _OLD_DISK, by_contact=True))

    # -- inside: ends -----------------------------------------------------------------------------------

    def _reset(self, reason: ResetReason, text: str, now: float) -> list[StreamEffect]:
        if self._over or self._wanted.done:
            return []
        self._over = True
        self._wanted = replace(self._wanted, reset=int(reason), reset_text=text)
        self.reader.release()
        # Told once it is on disk: whoever was told counts on it that the stream does not come again.
        self._verdict = [Ended(reason, text, by_contact=False)]
        self._retry_at = None
        return self._go_on(now)

    def _forget(self, farewell: StreamFrame | None, outcome: StreamEffect) -> list[StreamEffect]:
        # Whoever knows that everything was consumed on both sides lost nothing by what happens now.
        effects: list[StreamEffect] = [] if self._over else [Finished() if self._wanted.done else outcome]
        if effects == [Finished()]:
            # The application may forget it then, so the disk must have done so before.
            self._verdict, effects = effects, []
        self._over = self._forgetting = True
        self._farewell = farewell
        self.reader.release()
        if not self._saving:
            effects.append(Forget())
        return effects

    # -- inside: the disk -------------------------------------------------------------------------------

    def _saved(self, record: StreamRecord, now: float) -> list[StreamEffect]:
        self._saving = False
        before, self._stored = self._stored, record
        effects: list[StreamEffect] = [Progress()]
        if self._forgetting:
            return [*effects, Forget()]
        if record.reset >= 0:
            effects += [*self._verdict, Discard(self.writer.written)]
            self._verdict = []
        if record.done and not (before and before.done):
            self._over = True
            effects.append(Finished())
            self.reader.release()
        if self.writer.told and self._wanted.floor < 0:
            self._settle()
        return effects + self._go_on(now)

    def _refused(self, text: str, now: float) -> list[StreamEffect]:
        self._saving = False
        if self._forgetting:
            return [Forget()]
        if self._stored is None:
            # It was never known to anybody, or the contact offered it and shall know why nothing comes of it.
            farewell = None if self._wanted.opened_here else Reset(self._wanted.id, ResetReason.DISK, "")
            return self._forget(farewell, Ended(ResetReason.DISK, text, by_contact=False))
        if self._wanted.reset >= 0:
            # Everybody shall know it all the same; at the worst the contact is told of a lost stream later.
            self._stored = replace(self._stored, reset=self._wanted.reset, reset_text=self._wanted.reset_text)
        self._retry_at = now + limits.DISK_RETRY_SECONDS
        told, self._verdict = self._verdict, []
        return [*told, Progress(), *self._go_on(now)]

    def _consume(self, through: int, now: float, *, at_once: bool) -> None:
        if self._over:
            return
        self._commit.at_once |= at_once
        through = min(through, self.reader.position)
        if through > self.reader.consumed:
            self.reader.consumed = through
            self._commit.consumed(now)

    def _skipped(self, now: float) -> list[StreamEffect]:
        self.reader.asks()
        self._consume(self.reader.position, now, at_once=False)
        return self._go_on(now)

    def _save(self, now: float) -> list[StreamEffect]:
        """Bring the disk up to date, if something waits for that or enough has come together."""
        stored, wanted, reader = self._stored, self._wanted, self.reader
        if self._saving or self._forgetting or (self._retry_at is not None and now < self._retry_at):
            return []
        self._retry_at = None
        if stored is not None and wanted is stored:
            lag = reader.consumed - stored.consumed
            if not lag:
                self._commit.clear()
                return []
            if not (self._commit.is_due(now) or reader.is_worth_saving(stored.consumed)):
                return []
        self._saving = True
        self._commit.clear()
        sync = wanted.final and not (stored is not None and stored.final)
        self._wanted = wanted = replace(wanted, consumed=max(reader.consumed, wanted.consumed))
        return [Save(wanted, sync_spool=sync)]

    # -- inside: what to tell the contact -----------------------------------------------------------------

    def _go_on(self, now: float) -> list[StreamEffect]:
        """Everything that follows from the state as it is."""
        if self._said.heard_done and self.reader.end_taken and not self._over:
            return self._done(Done(self._wanted.id))
        stored = self._stored
        frames: list[StreamFrame] = []
        if stored is not None and self._linked and not self._forgetting:
            if stored.reset >= 0 or stored.done:
                frames = self._said.farewell(stored)
            elif self._over:
                pass  # nothing more is said before the disk knows how it ended
            elif stored.opened_here and not self._wanted.accepted:
                if self._may_open:
                    frames = self._said.offer(stored, self.reader)
            else:
                frames = self._said.news(stored, self.reader, self.writer)
                if self._said.complete(stored, self.reader, self.writer) and not self._wanted.done:
                    self._wanted = replace(self._wanted, done=True)
        return [*map(Transmit, frames), *self._save(now)]
