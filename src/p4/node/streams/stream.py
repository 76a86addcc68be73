"""A byte stream as an application has it."""

from __future__ import annotations

from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from p4.core import limits
from p4.core.session.stream_frames import ResetReason
from p4.core.session.streams.events import Cancel, Claim, Consume, EndTaken, Took
from p4.errors import InputError, StreamError
from p4.node.streams.context import Sink
from p4.node.streams.driver import StreamDriver

if TYPE_CHECKING:
    from p4.node.peer import Peer

__all__ = ["Stream"]


class Stream:
    """A pair of byte sequences between us and a contact, one in each direction, beyond links and restarts.

    Get one from `Peer.stream` or `Node.streams`; one task may read while another writes. When the node ends,
    the stream stays: it is there again after the next start.

    What `read` gave counts as consumed when the application reads on, or says so with `consumed`. After a
    restart reading begins again at the first byte that was not consumed. With ``consume_explicitly`` only
    `consumed` counts, and for the end of the contact's direction `consumed`, `aclose` or `wait_done`: an
    application that first brings what it read to its own disk loses nothing even in a power failure.

    A stream comes again after a restart until the application has left it with `aclose` or `reset`, or both
    directions have ended and it knows of that.

    Leave ``async with`` normally, and the end is announced as by `close_writing`; what was written still
    arrives, and what still comes from the contact is discarded. Leave it with an exception, and both
    directions end at once.
    """

    def __init__(self, driver: StreamDriver, peer: Peer) -> None:
        self._driver = driver
        self._peer = peer
        self._machine = driver.machine
        self._ahead = bytearray()
        """Arrived, and not given to the application yet: the beginning of a line or a record."""
        self.consume_explicitly = False
        """Whether only `consumed` says what the application has done with."""
        driver.feed(Claim())

    # -- what it is -------------------------------------------------------------------------------------

    @property
    def peer(self) -> Peer:
        """The contact."""
        return self._peer

    @property
    def service(self) -> str:
        """The service that it was opened to."""
        return self._machine.record.service

    @property
    def name(self) -> str:
        """What tells it apart from other streams of the service."""
        return self._machine.record.name

    @property
    def id(self) -> int:
        """The same number on both sides, chosen at random by the opener."""
        return self._machine.record.id

    @property
    def opened_here(self) -> bool:
        """Whether we opened it."""
        return self._machine.record.opened_here

    @property
    def written(self) -> int:
        """Offset after the last byte that was accepted for the contact. After a restart go on from here."""
        return self._machine.writer.written

    @property
    def writing_closed(self) -> bool:
        """Whether `close_writing` was called, perhaps in an earlier run: `write` takes nothing more."""
        return self._machine.record.final

    @property
    def confirmed(self) -> int:
        """Offset after the last byte that the contact's application is known to have consumed."""
        return self._machine.writer.confirmed

    @property
    def position(self) -> int:
        """Offset of the next byte that `read` gives."""
        return self._machine.reader.position - len(self._ahead)

    def __repr__(self) -> str:
        return f"<Stream {self.service!r} {self.name!r} read {self.position} written {self.written}>"

    # -- writing ----------------------------------------------------------------------------------------

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hand over bytes. When this returns they survive the end of the process.

        Waits while 64 MiB are not confirmed by the contact, whether or not there is a link.

        Raises:
            StreamError: the stream has ended. StateError: the disk refused; ``written`` says how much it has.
        """
        await self._driver.write(data)

    def write_now(self, data: bytes) -> bool:
        """Hand over bytes if that takes no wait, and say whether they were taken; if not, `write` takes them.

        For protocols that are called with what arrives. Only streams that are not durable take any.
        """
        return self._driver.write_now(data)

    async def flush(self) -> None:
        """Return when everything written is safe from a power failure. Raises StateError, StreamError."""
        self._driver.raise_error()
        if self.written > self.confirmed:
            await self._driver.spool.sync()

    async def close_writing(self) -> None:
        """Announce that no more will be written; the other direction goes on. What was written is safe then.

        Raises:
            StreamError: the stream has ended. StateError: the disk refused; try again.
        """
        self._told_end()
        await self._driver.finish()

    async def wait_done(self) -> None:
        """Wait until the contact has consumed everything, has ended its direction, and we have consumed that.

        Raises:
            StreamError: it ended before that.
        """
        self._driver.feed(EndTaken())
        while not self._driver.finished:
            self._driver.raise_error()
            await self._driver.changed()

    async def wait_confirmed(self, through: int) -> None:
        """Wait until the contact's application is known to have consumed everything below an offset.

        Raises:
            StreamError: the stream ended before that.
        """
        while self.confirmed < through and not self._driver.finished:
            self._driver.raise_error()
            await self._driver.changed()

    # -- reading ----------------------------------------------------------------------------------------

    async def read(self, n: int = -1) -> bytes:
        """The next bytes, as soon as there are any: at most ``n``, or at most 64 KiB. Empty at the end.

        Raises:
            StreamError: the stream ended before its end.
        """
        most = limits.LINK_MESSAGE_BYTES if n < 0 else n
        if most == 0:
            return b""
        self._read_on()
        if self._ahead:
            return self._give(most)
        machine = self._machine
        data = machine.take(most)
        if not data:
            return await self._fetch(most)
        if machine.reader.asks():
            self._driver.feed(Took())
        return data

    async def readline(self, limit: int = limits.LINK_MESSAGE_BYTES) -> bytes:
        """The next line with its line end, or what there was at the end of the stream. Empty at the end.

        A cancelled wait loses nothing, nor does a crash: a part of a line does not count as read.

        Args:
            limit: bytes of a piece in which a longer line comes.

        Raises:
            StreamError: the stream ended before its end.
        """
        limit = min(limit, limits.STREAM_SPOOL_BYTES)
        self._read_on()
        searched = 0
        while (end := self._ahead.find(b"\n", searched, limit) + 1) == 0 and len(self._ahead) < limit:
            searched = len(self._ahead)
            piece = await self._fetch(limits.LINK_MESSAGE_BYTES)
            if not piece:
                break
            self._ahead += piece
        return self._give(end or limit)

    async def readexactly(self, n: int) -> bytes:
        """Exactly so many bytes, up to 64 MiB. A cancelled wait loses nothing, nor does a crash.

        Raises:
            StreamError: ``incomplete`` with the bytes that there were, or as `read`.
            InputError: ``too-large``.
        """
        if n > limits.STREAM_SPOOL_BYTES:
            # The contact's writer waits until what it wrote counts as read, and this waits for the writer.
            raise InputError(
                f"At most {limits.STREAM_SPOOL_BYTES} bytes are read at once, not {n}. Nothing was read; "
                "read them in pieces.",
                code="too-large",
            )
        self._read_on()
        while len(self._ahead) < n:
            piece = await self._fetch(n - len(self._ahead))
            if not piece:
                partial = self._give(n)
                raise StreamError(
                    f"The stream ended well, but after {len(partial)} of {n} bytes.",
                    code="incomplete",
                    consumed=self._machine.reader.consumed,
                    confirmed=self.confirmed,
                    by_contact=True,
                    partial=partial,
                )
            if len(piece) == n:
                return piece
            self._ahead += piece
        return self._give(n)

    def pour_into(self, sink: Sink) -> None:
        """From now on give what arrives to a sink at once, as long as it is ready; the rest is for `read`.

        It saves the turns of a task for protocols that are called with what arrives. Use it beside a task
        that reads: that one gets what the sink has no room for, the end, and the errors.
        """
        self._driver.deliver = partial(self._pour, sink)

    def _pour(self, sink: Sink) -> bool:
        driver, machine = self._driver, self._machine
        while sink.ready and not self._ahead:
            data = machine.take(limits.LINK_MESSAGE_BYTES)
            if not data:
                return not machine.reader.at_end
            sink.take(data)
            driver.read_on(self.position)
            if machine.reader.asks():
                driver.feed(Took())
        return False

    def _read_on(self) -> None:
        """The application asks for more: it has done with what it was given."""
        self._driver.raise_error()
        if not self.consume_explicitly and self._machine.reader.consumed < self.position:
            self._driver.read_on(self.position)

    async def _fetch(self, most: int) -> bytes:
        """The next bytes that arrived; none at the end."""
        driver, machine = self._driver, self._machine
        while True:
            driver.raise_error()
            data = machine.take(most)
            if data:
                if machine.reader.asks():
                    driver.feed(Took())
                return data
            if driver.finished or (machine.reader.at_end and machine.record.reset < 0):
                self._told_end()
                return b""
            if machine.reader.asks():
                driver.feed(Took())
            await driver.changed()

    def _told_end(self) -> None:
        """The application knows how the contact's direction ends, or goes on without waiting for it."""
        if not self.consume_explicitly and not self._machine.reader.end_taken:
            self._driver.feed(EndTaken())

    def _give(self, most: int) -> bytes:
        given = bytes(self._ahead[:most])
        del self._ahead[:most]
        return given

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> bytes:
        data = await self.read()
        if not data:
            raise StopAsyncIteration
        return data

    async def consumed(self, through: int | None = None, *, knows_end: bool = True) -> None:
        """The application has done with what it read; return when it will not come again.

        Args:
            through: offset of the first byte that it still needs; None for everything that was read.
            knows_end: whether it knows of the end of the contact's direction, should this be all there is.

        Raises:
            StreamError: the stream ended before its end.
        """
        driver, machine = self._driver, self._machine
        through = self.position if through is None else min(through, self.position)
        driver.feed(Consume(through, now=True))
        if knows_end and machine.reader.at_end and through == machine.reader.end:
            driver.feed(EndTaken())
        while not driver.finished and not ((stored := machine.on_disk) and stored.consumed >= through):
            driver.raise_error()
            await driver.changed()

    # -- ending -----------------------------------------------------------------------------------------

    async def reset(self, text: str = "") -> None:
        """End both directions at once. What was not consumed is discarded on both sides.

        When this returns, and when `read` or `write` tell of it with a StreamError, that is on our disk: the
        stream does not come again after a restart.

        Args:
            text: for a person at the other side; up to 1 KiB.
        """
        await self._cancel(ResetReason.CANCELLED, text)

    async def aclose(self) -> None:
        """End it well: announce that no more comes, and discard what still arrives. Nothing written is lost.

        Raises:
            StreamError: the stream ended before its end. StateError: the disk refused; try again.
        """
        if not self._driver.finished:
            await self._driver.finish(leave=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.aclose()
        else:
            await self._cancel(ResetReason.FAILED, "")

    async def _cancel(self, reason: ResetReason, text: str) -> None:
        driver, machine = self._driver, self._machine
        shortened = text.encode()[: limits.STREAM_NAME_BYTES].decode(errors="ignore")
        driver.feed(Cancel(reason, shortened))
        while machine.over and machine.saving and not driver.closed:
            await driver.changed()
