"""Carries out what the machine of one stream decides: on its record, its spool and the link."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from p4.core import limits
from p4.core.identity import PeerId
from p4.core.session.stream_frames import Data, ResetReason, encode_data
from p4.core.session.streams.events import (
    Cancel,
    Discard,
    DiskRefused,
    Ended,
    Finish,
    Finished,
    Forget,
    Forgotten,
    FrameArrived,
    LinkDown,
    Progress,
    Readable,
    Save,
    Saved,
    StreamEffect,
    StreamEvent,
    TimePassed,
    Took,
    Transmit,
    WillWrite,
    Wrote,
)
from p4.core.session.streams.machine import StreamMachine
from p4.core.session.streams.record import StreamRecord
from p4.errors import StateError, StreamError
from p4.node.streams.context import StreamContext
from p4.node.streams.outcome import error_of
from p4.node.streams.pacing import Pace
from p4.node.streams.recent import RecentBytes
from p4.node.streams.volatile import VolatileSpool
from p4.node.streams.waiting import Waiting
from p4.ports import Spool

__all__ = ["StreamDriver"]

_log = logging.getLogger(__name__)

_PIECE_BYTES = 256 * 1024
"""Written to the spool, and offered to the link, at a time."""

_READABLE = [Readable()]


class StreamDriver:
    """One stream.

    Args:
        record: see `StreamMachine`.
        spool: of a stream of an earlier run.
    """

    def __init__(self, context: StreamContext, record: StreamRecord, spool: Spool | None = None) -> None:
        self._context = context
        self._spool = spool
        stretch = None if spool is None else (spool.start, spool.end)
        self.machine = StreamMachine(record, context.budget, spool=stretch)
        self.queued = False
        """See `p4.node.streams.sending.Sender`."""
        self.error: StreamError | None = None
        """Why it ended before its end."""
        self.disk_error: StateError | None = None
        """The latest refusal of the disk."""
        self.closed = False
        """Whether nothing is carried out any more, because the node ends or the contact was removed."""
        self.finished = record.done
        """Whether both directions ended well."""
        self.writing = asyncio.Lock()
        self.deliver: Callable[[], bool] | None = None
        """Takes what has arrived without a task's turn; False: it is left for whoever waits."""
        self._recent = RecentBytes(context.allowance)
        self._fetching = False
        self._discarding = False
        self._discarded = 0
        self._timer: asyncio.TimerHandle | None = None
        waiting = Waiting()
        self.changed = waiting.wait
        """Wait until something that an application may wait for has happened."""
        self._pace = Pace(self.machine.writer, waiting.wait)
        self._wake = waiting.wake
        self._wake_for = waiting.wake_for

    @property
    def peer_id(self) -> PeerId:
        """The contact."""
        return self._context.peer_id

    @property
    def spool(self) -> Spool:
        """The bytes written. Raises StateError."""
        if self._spool is None:
            self._spool = self._context.store.spool(self.peer_id, self.machine.record.id)
        return self._spool

    # -- events ---------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A stream is opened or accepted now: save it."""
        self._carry_out(self.machine.begin())

    def feed(self, event: StreamEvent) -> None:
        """Something happened. Raises FrameError if it is a frame that breaks the specification."""
        if self.closed:
            return
        now = self._context.clock.monotonic()
        if type(event) is FrameArrived and type(event.frame) is Data:
            _, offset, data = event.frame
            effects = self.machine.data(offset, data, now)
            if effects == _READABLE:
                if self.deliver is None or not self.deliver():
                    self._wake_for(len(data))
            elif effects:
                self._carry_out(effects)
            return
        effects = self.machine.handle(event, now)
        if effects or type(event) is not Took:
            self._carry_out(effects)

    def read_on(self, through: int) -> None:
        """The application needs the bytes below ``through`` no more."""
        if self.closed:
            return
        effects = self.machine.consume(through, self._context.clock.monotonic())
        if effects:
            self._carry_out(effects)
        elif self._timer is None:
            self._arm()

    def link_down(self) -> None:
        """The link is over."""
        self._recent.clear()
        self.feed(LinkDown())
        self._wake()

    def discard_rest(self) -> None:
        """The application wants nothing of what still arrives."""
        self._carry_out(self.machine.discard_rest(self._context.clock.monotonic()))

    def end(self, error: StreamError) -> None:
        """Whoever waits gets an error; nothing more is carried out."""
        self.closed = True
        if not self.finished:
            self.error = self.error or error
        self._wake()
        self._recent.clear()
        self.machine.reader.release()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._spool is not None:
            self._spool.close()

    def raise_error(self) -> None:
        """Raise StreamError if the stream ended before its end."""
        if self.error is not None:
            raise self.error.with_traceback(None)

    # -- writing --------------------------------------------------------------------------------------

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """See `Stream.write`."""
        view = memoryview(data).cast("B")
        shared = isinstance(view.obj, bytes) and view.nbytes == len(view.obj) <= limits.STREAM_RECENT_BYTES[0]
        async with self.writing:
            done = 0
            while done < len(view):
                room = await self._room()
                size = min(room, _PIECE_BYTES)
                # The spool, the link and memory share a piece. What can change is copied once for that; and
                # what is large, or its last bytes would keep all of it in memory.
                piece = view[done : done + size]
                if not shared:
                    piece = memoryview(bytes(piece))
                await self._append(piece)
                done += len(piece)
                await self._pace.keep()

    def write_now(self, data: bytes) -> bool:
        """See `Stream.write_now`."""
        if self.error is not None or self.finished or self.writing.locked() or self._pace.is_ahead:
            return False
        spool = self.spool
        if not isinstance(spool, VolatileSpool) or self._may_write_now() < len(data):
            return False
        spool.add(data)
        self._appended(memoryview(data))
        return True

    async def finish(self, *, leave: bool = False) -> None:
        """See `Stream.close_writing`, and `Stream.aclose` for ``leave``."""
        async with self.writing:
            if self._spool is not None:
                await self._spool.sync()
                self.feed(Wrote(self._spool.end))
            self.feed(Finish(leave))
        while not self.finished and not (
            (stored := self.machine.on_disk) and (stored.closed if leave else stored.final)
        ):
            self.raise_error()
            await self.changed()

    async def _room(self) -> int:
        """Wait until more may be written; returns how many bytes."""
        machine = self.machine
        while True:
            self.raise_error()
            if machine.record.final or self.finished:
                raise StreamError("The end of this stream was announced. Nothing was written.", code="ended")
            if not machine.may_write:
                self.feed(WillWrite())
            if (room := self._may_write_now()) > 0:
                return room
            await self.changed()

    def _may_write_now(self) -> int:
        machine = self.machine
        if not machine.may_write or machine.over or machine.record.final:
            return 0
        return self._context.room(machine.writer.written - machine.writer.confirmed)

    async def _append(self, piece: bytes | memoryview) -> None:
        try:
            await self.spool.append(piece)
        except asyncio.CancelledError:
            self._context.spawn(self._catch_up())
            raise
        self._appended(piece)

    def _appended(self, piece: bytes | memoryview) -> None:
        writer = self.machine.writer
        end = self.spool.end
        offset = end - len(piece)
        # Kept before it is offered, so that the link gets it from here, and only if its turn is near.
        if writer.heard and offset - writer.sent < limits.STREAM_RECENT_BYTES[0]:
            self._recent.add(offset, piece)
        self.feed(Wrote(end))

    async def _catch_up(self) -> None:
        """The caller was cancelled while a thread wrote: see what became of it."""
        try:
            await self.spool.sync()
        except StateError as error:
            _log.debug("after a write that was cancelled: %s", error.message)
        self.feed(Wrote(self.spool.end))

    # -- sending --------------------------------------------------------------------------------------

    @property
    def has_more(self) -> bool:
        """See `p4.node.streams.sending.Sender`."""
        return self.machine.sendable > 0

    def next_frame(self, most: int) -> bytes | None:
        """See `p4.node.streams.sending.Sender`."""
        machine = self.machine
        sendable = machine.sendable
        if not sendable or self._fetching:
            return None
        offset = machine.writer.sent
        parts = self._recent.at(offset, min(most, sendable))
        if not parts:
            self._fetching = True
            size = min(self._recent.gap(offset), sendable)
            self._context.spawn(self._fetch(offset, size))
            return None
        machine.take_to_send(sum(map(len, parts)))
        if self._pace.near_again():
            self._wake()
        return encode_data(machine.record.id, offset, parts)

    async def _fetch(self, offset: int, size: int) -> None:
        try:
            data = await self.spool.read(offset, size)
        except StateError as error:
            self._fetching = False
            self.feed(Cancel(ResetReason.DISK, ""))
            _log.warning("a stream ends: %s", error.message)
            return
        self._fetching = False
        if self.machine.sendable and self.machine.writer.sent == offset:
            self._recent.put_back(offset, data)
        self._offer()

    def _offer(self) -> None:
        if self.machine.sendable and not self._fetching and not self.queued:
            self._context.pump.ready(self)

    # -- effects ----------------------------------------------------------------------------------------

    def _carry_out(self, effects: list[StreamEffect]) -> None:
        for effect in effects:
            match effect:
                case Transmit(frame):
                    self._context.transmit(frame)
                case Readable() | Progress():
                    self._wake()
                case Save():
                    self._context.spawn(self._save(effect))
                case Discard(through):
                    self._discarded = max(self._discarded, through)
                    if not self._discarding and self._spool is not None:
                        self._discarding = True
                        self._context.spawn(self._discard(self._spool))
                case Forget():
                    self._context.spawn(self._forget())
                case Finished():
                    self.finished = True
                    self._wake()
                case Ended():
                    self.error = error_of(effect, self.machine)
                    self._wake()
        if not self.queued:
            self._offer()
        if self._timer is None:
            self._arm()

    async def _save(self, effect: Save) -> None:
        try:
            if effect.sync_spool and self._spool is not None:
                await self._spool.sync()
            await self._context.store.save_stream(self.peer_id, effect.record)
        except StateError as error:
            self.disk_error = error
            _log.warning("a stream's state could not be written: %s", error.message)
            self.feed(DiskRefused(error.message))
        else:
            self.feed(Saved(effect.record))

    async def _discard(self, spool: Spool) -> None:
        done = 0
        try:
            while done < self._discarded:
                done = self._discarded
                await spool.discard(done)
        except StateError as error:
            _log.debug("bytes of a stream stay on disk a little longer: %s", error.message)
        finally:
            self._discarding = False

    async def _forget(self) -> None:
        stream_id = self.machine.record.id
        try:
            await self._context.store.forget_stream(self.peer_id, stream_id)
            if self._spool is not None:
                await self._spool.remove()
        except StateError as error:
            # The contact does not know it any more, so that it ends for good after the next start.
            _log.warning("what is left of a stream could not be removed: %s", error.message)
        self.feed(Forgotten())
        self._context.forgotten(stream_id)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._recent.clear()
        self._wake()

    # -- time -------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        deadline = self.machine.deadline
        if deadline is not None:
            # One timer, looked at when it fires: the deadline moves with every read.
            self._timer = asyncio.get_running_loop().call_at(deadline, self._time_passed)

    def _time_passed(self) -> None:
        self._timer = None
        deadline = self.machine.deadline
        if deadline is None:
            return
        if self._context.clock.monotonic() >= deadline:
            self.feed(TimePassed())
        else:
            self._arm()
