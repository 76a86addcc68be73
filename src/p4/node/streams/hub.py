"""All streams with one contact."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from p4.core import limits
from p4.core.identity import PeerId
from p4.core.session.grants import covers
from p4.core.session.stream_frames import Credit, Data, Gone, Open, Reset, ResetReason, StreamFrame
from p4.core.session.streams.events import Cancel, Consume, FrameArrived, LinkUp, MayOpen
from p4.core.session.streams.record import StreamRecord
from p4.errors import FrameError, InputError, LinkError, StateError, StreamError
from p4.node.background import BackgroundTasks
from p4.node.streams.context import StreamContext
from p4.node.streams.driver import StreamDriver
from p4.node.streams.recent import Allowance
from p4.node.streams.sending import Pump, StreamTransport
from p4.node.streams.services import StreamServices
from p4.node.streams.stream import Stream
from p4.node.streams.volatile import VolatileStore
from p4.ports import Clock, Entropy, Store

__all__ = ["StreamHub"]

_log = logging.getLogger(__name__)


def _room_on_disk(unconfirmed: int) -> int:
    return limits.STREAM_SPOOL_BYTES - unconfirmed


class _Offer:
    """A stream that the contact opened and nobody here has accepted. Nothing of it is on disk."""

    __slots__ = ("credit", "frame")

    def __init__(self, frame: Open) -> None:
        self.frame = frame
        self.credit: Credit | None = None


class StreamHub:
    """The streams with a contact, whatever link carries them.

    Args:
        services: where streams that the contact opens wait for an application.
        allowed: whether the contact may use a service of ours.
        peer: passed on to streams.
    """

    def __init__(
        self,
        peer_id: PeerId,
        *,
        store: Store,
        clock: Clock,
        entropy: Entropy,
        services: StreamServices,
        allowed: Callable[[str], bool],
        peer: Any,
    ) -> None:
        self._peer_id = peer_id
        self._peer = peer
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._services = services
        self._allowed = allowed
        self._transport: StreamTransport | None = None
        self._drivers: dict[int, StreamDriver] = {}
        self._streams: dict[int, Stream] = {}
        self._offers: dict[int, _Offer] = {}
        self._tasks = BackgroundTasks(self._broke)
        self._context = StreamContext(
            peer_id,
            store,
            _room_on_disk,
            clock,
            services.budget,
            Allowance(),
            Pump(self._tasks.spawn),
            self._transmit,
            self._tasks.spawn,
            self._forgotten,
        )
        memory = VolatileStore()
        self._volatile = replace(self._context, store=memory, room=memory.room)
        self._closed = False

    @property
    def wants_link(self) -> bool:
        """Whether something can only go on with a link."""
        return bool(self._drivers)

    # -- for the relation -----------------------------------------------------------------------------

    def load(self, records: list[StreamRecord]) -> None:
        """Know the streams of earlier runs. Raises StateError."""
        for record in records:
            spool = self._store.spool(self._peer_id, record.id)
            driver = self._drivers[record.id] = StreamDriver(self._context, record, spool)
            if driver.machine.over:
                continue
            if record.closed:
                driver.discard_rest()
            elif not record.opened_here:
                self._services.offer(
                    record.service, (self._peer_id, record.id), partial(self._claim, record.id)
                )

    async def open(self, service: str, name: str, *, durable: bool = True) -> Stream:
        """A stream to a service of the contact.

        It is the one with this service and name that was opened here and that the application has not left
        nor come to the end of, if there is one; else a new one, which is on disk when this returns.

        Raises:
            InputError: ``bad-name``. StreamError: ``too-many``, ``closed``. StateError: the disk refused.
        """
        if len(name.encode(errors="replace")) > limits.STREAM_NAME_BYTES:
            raise InputError(
                f"The name of a stream has at most {limits.STREAM_NAME_BYTES} bytes. Nothing was done.",
                code="bad-name",
            )
        for stream_id, known in self._drivers.items():
            machine, record = known.machine, known.machine.record
            if not record.opened_here or record.closed or machine.over:
                continue
            if record.final and machine.reader.has_told_all:
                continue
            if (record.service, record.name) == (service, name):
                return self._stream(stream_id)
        self._check_open()
        record = StreamRecord(
            int.from_bytes(self._entropy.token(8), "big"),
            service,
            name,
            opened_here=True,
            created_ms=self._clock.wall_ms(),
        )
        driver = self._drivers[record.id] = StreamDriver(self._kept(durable), record)
        stream = self._stream(record.id)
        driver.begin()
        self._connect(driver)
        while driver.machine.on_disk is None:
            if driver.disk_error is not None:
                raise driver.disk_error
            driver.raise_error()
            await driver.changed()
        return stream

    def unfinished(self, service: str) -> list[Stream]:
        """See `Peer.unfinished`."""
        return [
            self._stream(stream_id)
            for stream_id, driver in self._drivers.items()
            if not driver.machine.over
            and not driver.machine.record.closed
            and covers(service, driver.machine.record.service)
        ]

    def link_up(self, transport: StreamTransport) -> None:
        """A link to a contact that knows streams is in service, and RESUME and GRANTS were sent on it."""
        self._transport = transport
        self._context.pump.link_up(transport)
        for driver in list(self._drivers.values()):
            self._connect(driver)

    def link_down(self) -> None:
        """The link is over."""
        self._transport = None
        self._context.pump.link_down()
        for stream_id in list(self._offers):
            self._withdraw(stream_id)
        for driver in list(self._drivers.values()):
            driver.link_down()

    def data_lost(self, stream_id: int, begin: int, end: int) -> None:
        """A lane ended (spec/lanes.md), and these bytes that were sent on it may not have arrived."""
        driver = self._drivers.get(stream_id)
        if driver is not None:
            driver.machine.writer.lost(begin, end)
            if driver.has_more:
                self._context.pump.ready(driver)

    def grants_changed(self) -> None:
        """What the contact lets us use became known, or changed."""
        transport = self._transport
        if transport is None:
            return
        for driver in list(self._drivers.values()):
            record = driver.machine.record
            if not record.opened_here or record.accepted:
                continue
            if transport.granted(record.service):
                driver.feed(MayOpen())
            else:
                driver.feed(Cancel(ResetReason.NOT_GRANTED, "Ask the contact to grant it."))

    def rights_changed(self) -> None:
        """What the contact may use here changed: what it may not use any more ends."""
        for driver in list(self._drivers.values()):
            self._check_rights(driver)
        for stream_id, offer in list(self._offers.items()):
            if not self._allowed(offer.frame.service):
                self._refuse(stream_id, ResetReason.NOT_GRANTED)

    def handle(self, frame: StreamFrame) -> None:
        """A frame of a stream arrived, on either channel.

        Raises:
            FrameError: the contact broke the specification.
        """
        driver = self._drivers.get(frame.id)
        if driver is not None:
            driver.feed(FrameArrived(frame))
            return
        offer = self._offers.get(frame.id)
        match frame:
            case Open():
                self._opened(frame, offer)
            case Credit() if offer is not None:
                offer.credit = frame
            case Data() | Gone():
                pass
            case _:
                self._withdraw(frame.id)
                self._transmit(Gone(frame.id))

    async def close(self) -> None:
        """The node ends; the streams stay on disk."""
        if self._closed:
            return
        self.link_down()
        for driver in self._drivers.values():
            if not driver.machine.over:
                driver.feed(Consume(0, now=True))
        self._closed = True
        await self._tasks.close(limits.CLOSE_SECONDS)
        self._end("Our node has ended. The stream goes on after the next start.", "closed")

    def forget(self) -> None:
        """The contact was removed; the store has forgotten its streams."""
        self.link_down()
        self._closed = True
        for driver in self._drivers.values():
            self._services.withdraw(driver.machine.record.service, (self._peer_id, driver.machine.record.id))
        self._end("The contact was removed, and with it the stream.", "removed")

    # -- inside ---------------------------------------------------------------------------------------

    def _stream(self, stream_id: int) -> Stream:
        stream = self._streams.get(stream_id)
        if stream is None:
            stream = self._streams[stream_id] = Stream(self._drivers[stream_id], self._peer)
        return stream

    def _check_open(self) -> None:
        if self._closed:
            raise StreamError("Our node has ended. No stream was opened.", code="closed")
        if self.count >= limits.CONTACT_STREAMS_OPEN:
            raise StreamError(
                f"There are {limits.CONTACT_STREAMS_OPEN} streams with the contact already. No other was "
                "opened; end one of them first.",
                code="too-many",
            )

    def _kept(self, durable: bool) -> StreamContext:
        return self._context if durable else self._volatile

    def _has_room(self) -> bool:
        few = len(self._offers) < limits.CONTACT_STREAMS_OFFERED
        return few and self.count < limits.CONTACT_STREAMS_OPEN

    @property
    def count(self) -> int:
        """Streams that are not over, and those that the contact offers."""
        return len(self._offers) + sum(not driver.machine.over for driver in self._drivers.values())

    def _connect(self, driver: StreamDriver) -> None:
        """Tell a stream of the link in service."""
        transport = self._transport
        if transport is None:
            return
        record = driver.machine.record
        self._check_rights(driver)
        driver.feed(LinkUp())
        if record.opened_here and not record.accepted and transport.granted(record.service):
            driver.feed(MayOpen())

    def _check_rights(self, driver: StreamDriver) -> None:
        record = driver.machine.record
        if not record.opened_here and not driver.machine.over and not self._allowed(record.service):
            driver.feed(Cancel(ResetReason.NOT_GRANTED, ""))

    def _opened(self, frame: Open, offer: _Offer | None) -> None:
        if offer is not None:
            if (frame.service, frame.name) != (offer.frame.service, offer.frame.name):
                raise FrameError("A stream is opened under another's number.", code="stream-open")
        elif not self._allowed(frame.service):
            self._transmit(Reset(frame.id, ResetReason.NOT_GRANTED, ""))
        elif not self._has_room():
            self._transmit(Reset(frame.id, ResetReason.TOO_MANY, ""))
        else:
            self._offers[frame.id] = _Offer(frame)
            self._services.offer(frame.service, (self._peer_id, frame.id), partial(self._accept, frame.id))

    async def _accept(self, stream_id: int, durable: bool) -> Stream | None:
        """An application wants the stream that the contact opened."""
        offer = self._offers.pop(stream_id, None)
        if offer is None:
            return None
        record = StreamRecord(
            stream_id,
            offer.frame.service,
            offer.frame.name,
            opened_here=False,
            accepted=True,
            created_ms=self._clock.wall_ms(),
        )
        driver = self._drivers[stream_id] = StreamDriver(self._kept(durable), record)
        stream = self._stream(stream_id)
        driver.begin()
        self._connect(driver)
        if offer.credit is not None:
            driver.feed(FrameArrived(offer.credit))
        while driver.machine.on_disk is None and driver.error is None:
            await driver.changed()
        return stream if driver.machine.on_disk is not None else None

    async def _claim(self, stream_id: int, durable: bool) -> Stream | None:
        """An application wants a stream that was accepted in an earlier run."""
        driver = self._drivers.get(stream_id)
        return None if driver is None or driver.machine.over else self._stream(stream_id)

    def _refuse(self, stream_id: int, reason: ResetReason) -> None:
        self._withdraw(stream_id)
        self._transmit(Reset(stream_id, reason, ""))

    def _withdraw(self, stream_id: int) -> None:
        offer = self._offers.pop(stream_id, None)
        if offer is not None:
            self._services.withdraw(offer.frame.service, (self._peer_id, stream_id))

    def _transmit(self, frame: StreamFrame) -> None:
        transport = self._transport
        if transport is None:
            return
        try:
            transport.send(frame)
        except LinkError as error:
            _log.debug("a link took no more: %s", error.message)
            transport.fail("The link took no more frames of streams.")

    def _forgotten(self, stream_id: int) -> None:
        driver = self._drivers.pop(stream_id, None)
        self._streams.pop(stream_id, None)
        if driver is not None:
            self._services.withdraw(driver.machine.record.service, (self._peer_id, stream_id))

    def _end(self, text: str, code: str) -> None:
        for driver in self._drivers.values():
            driver.end(
                StreamError(
                    text,
                    code=code,
                    consumed=driver.machine.reader.consumed,
                    confirmed=driver.machine.writer.confirmed,
                )
            )
        self._drivers.clear()
        self._streams.clear()

    def _broke(self, error: BaseException) -> None:
        if isinstance(error, StateError):
            _log.warning("a stream: %s", error.message)
        else:
            _log.error("a stream broke", exc_info=error)
