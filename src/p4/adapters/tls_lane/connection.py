"""One TLS connection that carries frames, each behind its length."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import cast

from p4.core import limits
from p4.core.session.stream_frames import DATA_HEAD_BYTES
from p4.errors import LinkError
from p4.ports.lane import LaneClosed, LaneMessage, LaneReady, LaneSink

__all__ = ["FrameConnection"]

_LENGTH = struct.Struct(">I")
_LONGEST = limits.LANE_DATA_BYTES + DATA_HEAD_BYTES
_BUFFER_BYTES = 512 * 1024
"""Enough for our own frames; grows to the longest allowed one if the other side sends such."""
_LEAST_ROOM = 64 * 1024
"""With less room behind what has arrived, that is moved to the front: a TLS record has 16 KiB."""


class FrameConnection(asyncio.BufferedProtocol):
    """Implements `p4.ports.lane.Lane` after the handshake of TLS.

    A `asyncio.BufferedProtocol`: TLS decrypts straight into the buffer from which frames are read.

    Args:
        sink: told of everything, in order.
        admit: for a listener: given the first 32 bytes, says whether they are the token; None for a dialler.
    """

    def __init__(self, sink: LaneSink, admit: Callable[[bytes], bool] | None = None) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when TLS is up; a listener's when the token was shown, too. Fails with LinkError."""
        self._sink = sink
        self._admit = admit
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray(_LEAST_ROOM)
        self._begin = 0
        self._end = 0
        self._ready = False
        self._over = False
        self._broken = "the connection was closed"

    # -- the port ---------------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Queue a frame."""
        if self._over or not self._ready or self._transport is None:
            raise LinkError("The lane is not open.", code="not-open")
        self._transport.writelines((_LENGTH.pack(len(frame)), frame))

    def close(self) -> None:
        """End it at once."""
        self._over = True
        if self._transport is not None:
            self._transport.abort()
        self._fail()

    # -- for the dialler --------------------------------------------------------------------------------

    def show(self, token: bytes, sink: LaneSink) -> bool:
        """The other end is the right one: send the token; the listener's first frame then opens the lane.

        Args:
            sink: told of everything from now on.

        Returns:
            Whether the connection still stands.
        """
        self._sink = sink
        if self._over or self._transport is None:
            return False
        self._transport.write(token)
        return True

    # -- the protocol -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TLS is up."""
        # Not asserted: uvloop's transports are no subclass.
        self._transport = cast("asyncio.Transport", transport)
        if self._over:
            self._transport.abort()
        elif self._admit is None and not self.opened.done():
            self.opened.set_result(None)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to put what arrives."""
        if len(self._buffer) - self._end < _LEAST_ROOM:
            waiting = self._buffer[self._begin : self._end]
            if len(waiting) + _LEAST_ROOM > len(self._buffer):
                self._buffer = bytearray(max(_BUFFER_BYTES, 2 * len(self._buffer)))
            self._buffer[: len(waiting)] = waiting
            self._begin, self._end = 0, len(waiting)
        return memoryview(self._buffer)[self._end :]

    def buffer_updated(self, nbytes: int) -> None:
        """Some bytes have arrived."""
        self._end += nbytes
        if self._admit is not None and not self._check_token(self._admit):
            return
        while not self._over and self._next_frame():
            pass
        if self._begin == self._end:
            self._begin = self._end = 0

    def eof_received(self) -> bool:
        """The other side has ended it."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._transport = None
        if not self._over:
            self._over = True
            self._fail()
            self._sink(LaneClosed(self._broken if exc is None else f"the connection broke ({exc})"))

    # -- inside -----------------------------------------------------------------------------------------

    def _check_token(self, admit: Callable[[bytes], bool]) -> bool:
        if self._end - self._begin < limits.LANE_TOKEN_BYTES:
            return False
        end = self._begin + limits.LANE_TOKEN_BYTES
        shown = bytes(self._buffer[self._begin : end])
        self._begin = end
        if self._over or not admit(shown):
            self.close()
            return False
        self._admit = None
        self._open()
        if not self.opened.done():
            self.opened.set_result(None)
        return True

    def _next_frame(self) -> bool:
        """Pass on a frame if it is there as a whole."""
        begin = self._begin + _LENGTH.size
        if begin > self._end:
            return False
        (length,) = _LENGTH.unpack_from(self._buffer, self._begin)
        if not 0 < length <= _LONGEST:
            self._break_off("the other side sent a frame of an impossible length")
            return False
        end = begin + length
        if end > self._end:
            return False
        self._begin = end
        self._open()
        if self._over:
            return False
        with memoryview(self._buffer)[begin:end] as frame:
            self._sink(LaneMessage(frame))
        return True

    def _open(self) -> None:
        if not self._ready:
            self._ready = True
            self._sink(LaneReady())

    def _break_off(self, reason: str) -> None:
        self._broken = reason
        if self._transport is not None:
            self._transport.abort()

    def _fail(self) -> None:
        if not self.opened.done():
            self.opened.set_exception(LinkError("The lane did not open.", code="not-open"))
            self.opened.exception()  # looked at only by whoever waits
