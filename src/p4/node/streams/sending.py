"""Sending the bytes of all streams with a contact, each in its turn."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol

from p4.core.session.stream_frames import StreamFrame
from p4.errors import LinkError

__all__ = ["Pump", "Sender", "StreamTransport"]

_log = logging.getLogger(__name__)


class StreamTransport(Protocol):
    """What a link offers to streams."""

    def send(self, frame: StreamFrame) -> None:
        """Send a frame on the ordered channel. Raises LinkError."""

    def send_data(self, data: bytes) -> None:
        """Send an encoded DATA frame, in no order. Raises LinkError."""

    def bulk_room(self) -> int:
        """Bytes of DATA that may be queued now; 0 or less while enough wait."""

    @property
    def bulk_turn(self) -> int:
        """Most bytes of one DATA frame, for as much as `bulk_room` said last."""

    def bulk_drained(self) -> Awaitable[None]:
        """Wait until there is room, or the link is over."""

    def granted(self, service: str) -> bool:
        """Whether the contact is known to let us use a service."""

    def fail(self, reason: str) -> None:
        """End the link; a new one follows."""


class Sender(Protocol):
    """A stream that has bytes to send."""

    queued: bool
    """Whether it waits for its turn; the pump's own mark."""

    @property
    def has_more(self) -> bool:
        """Whether there is something to send."""

    def next_frame(self, most: int) -> bytes | None:
        """An encoded DATA frame with up to so many bytes, which count as sent; None if none are at hand."""


class Pump:
    """Sends what streams have, in turn, as fast as a link takes it.

    Args:
        spawn: begins a task.
    """

    def __init__(self, spawn: Callable[[Coroutine[None, None, None]], None]) -> None:
        self._spawn = spawn
        self._transport: StreamTransport | None = None
        self._waiting: deque[Sender] = deque()
        self._running = False
        self._draining: StreamTransport | None = None

    def link_up(self, transport: StreamTransport) -> None:
        """Send on this link from now on."""
        self._transport = transport

    def link_down(self) -> None:
        """Send nothing any more."""
        self._transport = None
        for sender in self._waiting:
            sender.queued = False
        self._waiting.clear()

    def ready(self, sender: Sender) -> None:
        """A stream has something to send: send it now if there is room."""
        if self._transport is None:
            return
        if not sender.queued:
            sender.queued = True
            self._waiting.append(sender)
        self._run()

    def _run(self) -> None:
        transport = self._transport
        if self._running or transport is None:
            return
        self._running = True
        try:
            room = 0
            while self._waiting and self._transport is transport:
                if room <= 0:
                    # Asked for again only when the last answer is used up: with some links it costs much.
                    room = transport.bulk_room()
                if room <= 0:
                    self._wait_for_room(transport)
                    return
                sender = self._waiting.popleft()
                sender.queued = False
                # A whole turn also where less room is left: many small messages cost more than a full queue.
                frame = sender.next_frame(transport.bulk_turn)
                if frame is None:
                    continue
                if sender.has_more:
                    sender.queued = True
                    self._waiting.append(sender)
                transport.send_data(frame)
                room -= len(frame)
        except LinkError as error:
            _log.debug("a link took no more: %s", error.message)
            transport.fail("The link took no more bytes of streams.")
        finally:
            self._running = False

    def _wait_for_room(self, transport: StreamTransport) -> None:
        if self._draining is not transport:
            self._draining = transport
            self._spawn(self._drain(transport))

    async def _drain(self, transport: StreamTransport) -> None:
        try:
            await transport.bulk_drained()
        finally:
            if self._draining is transport:
                self._draining = None
        self._run()
