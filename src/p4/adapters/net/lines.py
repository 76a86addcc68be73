"""Lines of signaling over one asyncio transport, for onion and direct rendezvous alike.

A stranger decides what arrives here, so memory is bounded before anything is looked at: one stream
never holds more than `limits.SIGNALING_LINE_BYTES` of unread input, whatever asyncio would read ahead.
That is why this is a protocol of its own and not `asyncio.StreamReader`, which may hold some 400 KiB.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from p4.core import limits
from p4.errors import RendezvousError, SignalingError

__all__ = ["LineStream", "StreamAcceptor"]

_CHUNK_BYTES = 8 * 1024
"""Read at a time: most lines (an SDP with candidates) fit, and an idle stream costs little."""


class LineStream(asyncio.BufferedProtocol):
    """One byte stream that carries lines; implements `p4.ports.SignalStream`.

    Args:
        description: which way and to whom, for the log; without secrets.
        connected: called once when the transport is there (used by `StreamAcceptor`).
    """

    def __init__(self, description: str, connected: Callable[[LineStream], None] | None = None) -> None:
        self._description = description
        self._connected = connected
        self._transport: asyncio.Transport | None = None
        self._chunk = bytearray()
        self._unread = bytearray()
        self._searched = 0
        self._reading_paused = False
        self._ended = False
        self._closed = False
        self._broken: str | None = None
        self._arrival: asyncio.Future[None] | None = None
        self._taken: set[asyncio.Future[None]] = set()
        self._writing_paused = False

    # --- SignalStream ---------------------------------------------------------------------------------

    @property
    def description(self) -> str:
        """Which way and to whom, for the log."""
        return self._description

    @property
    def closed(self) -> bool:
        """Whether it was closed here, or has broken."""
        return self._closed or self._broken is not None

    async def receive_line(self) -> bytes | None:
        r"""The next line without its ``\n``; None after the other side's end or our own `close`.

        Lines that arrived before the stream ended or broke are given first. Safe to cancel: nothing
        that arrived is lost.

        Raises:
            SignalingError: code ``line-too-long``; the stream is closed.
            RendezvousError: code ``stream-broken``.
        """
        if self._arrival is not None:
            raise RuntimeError("two tasks read from one LineStream")
        while True:
            line = self._next_line()
            if line is not None:
                return line
            if self._closed:
                return None
            if len(self._unread) >= limits.SIGNALING_LINE_BYTES:
                self.close()
                raise SignalingError(
                    f"A signaling line is longer than {limits.SIGNALING_LINE_BYTES} bytes.",
                    code="line-too-long",
                )
            if self._broken is not None:
                raise self._broken_error()
            if self._ended:
                return None
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None

    async def send_line(self, line: bytes) -> None:
        r"""Write one line (given without ``\n``) and wait until the operating system took all of it.

        Raises:
            RendezvousError: code ``stream-broken``.
        """
        if self._transport is None or self._closed or self._broken is not None:
            raise self._broken_error()
        self._transport.write(line + b"\n")
        if self._writing_paused:
            taken = asyncio.get_running_loop().create_future()
            self._taken.add(taken)
            try:
                await taken
            finally:
                self._taken.discard(taken)
        if self._broken is not None:
            raise self._broken_error()

    def close(self) -> None:
        """End both directions at once. Never waits, may be called again."""
        self._closed = True
        self._unread.clear()
        self._searched = 0
        if self._transport is not None:
            self._transport.abort()
        self._wake()

    # --- asyncio.BufferedProtocol ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport is there (called by asyncio)."""
        self._transport = cast("asyncio.Transport", transport)
        # High water 0: send_line then returns when the kernel has the bytes, so close() loses nothing.
        self._transport.set_write_buffer_limits(high=0)
        if self._closed:
            self._transport.abort()
        elif self._connected is not None:
            self._connected(self)

    def get_buffer(self, sizehint: int) -> bytearray:
        """Where the next bytes go: never more than may still be held (called by asyncio)."""
        room = limits.SIGNALING_LINE_BYTES - len(self._unread)
        self._chunk = bytearray(max(1, min(_CHUNK_BYTES, room)))
        return self._chunk

    def buffer_updated(self, nbytes: int) -> None:
        """``nbytes`` arrived (called by asyncio)."""
        if self._closed:
            return
        self._unread += memoryview(self._chunk)[:nbytes]
        self._chunk = bytearray()
        if len(self._unread) >= limits.SIGNALING_LINE_BYTES and self._transport is not None:
            self._reading_paused = True
            self._transport.pause_reading()
        self._wake_reader()

    def eof_received(self) -> bool:
        """The other side will send no more; our direction stays open for a reply (called by asyncio)."""
        self._ended = True
        self._wake_reader()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone (called by asyncio)."""
        if not self._ended or exc is not None:
            self._broken = _reason(exc)
        self._ended = True
        self._transport = None
        self._wake()

    def pause_writing(self) -> None:
        """The kernel takes no more at the moment (called by asyncio)."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """The kernel has everything (called by asyncio)."""
        self._writing_paused = False
        self._wake_writers()

    # --- inside -----------------------------------------------------------------------------------------

    def _next_line(self) -> bytes | None:
        end = self._unread.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._unread)
            return None
        line = bytes(self._unread[:end])
        del self._unread[: end + 1]
        self._searched = 0
        if self._reading_paused and self._transport is not None:
            self._reading_paused = False
            self._transport.resume_reading()
        return line

    def _broken_error(self) -> RendezvousError:
        reason = self._broken or "it was closed on this side"
        return RendezvousError(
            f"The signaling stream ({self._description}) broke: {reason}. "
            "Nothing is lost; P4 dials again by itself.",
            code="stream-broken",
        )

    def _wake_reader(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def _wake_writers(self) -> None:
        for taken in self._taken:
            if not taken.done():
                taken.set_result(None)

    def _wake(self) -> None:
        if self._writing_paused and self._broken is None:
            self._broken = "it was closed while a line was being sent"
        self._wake_reader()
        self._wake_writers()


def _reason(error: Exception | None) -> str:
    if error is None:
        return "the connection was closed"
    if isinstance(error, ConnectionError):
        return "the other side cut the connection"
    return getattr(error, "strerror", None) or type(error).__name__


class StreamAcceptor:
    """Runs one task for each inbound stream and ends them all when it is closed.

    Args:
        accept: awaited for each stream; owns it. The stream is closed when it returns.
        description: of every inbound stream, for the log.
        most: streams at a time; the oldest is closed for a new one. None leaves that to ``accept``.
    """

    def __init__(
        self,
        accept: Callable[[LineStream], Awaitable[None]],
        description: str,
        *,
        most: int | None = None,
    ) -> None:
        self._accept = accept
        self._description = description
        self._most = most
        self._tasks: dict[asyncio.Task[None], LineStream] = {}
        self._closed = False

    def protocol(self) -> LineStream:
        """A protocol factory for ``loop.create_server`` and its like."""
        return LineStream(self._description, self.begin)

    @property
    def busy(self) -> bool:
        """Whether a stream that was accepted is still served."""
        return bool(self._tasks)

    def stop(self) -> None:
        """Accept nobody any more; streams that were accepted go on."""
        self._closed = True

    async def close(self) -> None:
        """Close every inbound stream, cancel its task and wait until all are over."""
        self.stop()
        tasks = list(self._tasks.items())
        for task, stream in tasks:
            stream.close()
            task.cancel()
        if tasks:
            await asyncio.wait([task for task, _ in tasks], timeout=1.0)

    def begin(self, stream: LineStream) -> None:
        """Serve a stream whose transport is there, in a task of its own."""
        if self._closed:
            stream.close()
            return
        if self._most is not None:
            open_now = [each for each in self._tasks.values() if not each.closed]
            for oldest in open_now[: len(open_now) + 1 - self._most]:
                oldest.close()
        task = asyncio.get_running_loop().create_task(self._serve(stream))
        self._tasks[task] = stream
        task.add_done_callback(self._finished)

    async def _serve(self, stream: LineStream) -> None:
        try:
            await self._accept(stream)
        finally:
            stream.close()

    def _finished(self, task: asyncio.Task[None]) -> None:
        stream = self._tasks.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # One stream's bug must not end the listener; asyncio's handler logs it with its traceback.
            task.get_loop().call_exception_handler(
                {"message": f"accepting {stream.description} failed", "exception": error, "task": task}
            )
