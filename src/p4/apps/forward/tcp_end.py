"""TCP of this machine, as tunnels use it."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from typing import cast

from p4.apps.forward.carrying import ByteEnd
from p4.core import limits

__all__ = ["SystemSockets", "TcpEnd"]

_LINGER_NOT = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
"""Closing a socket with this sends RST (POSIX SO_LINGER; the struct of Winsock has short fields)."""


class TcpEnd(asyncio.Protocol):
    """One TCP connection: bytes as they come, half-close, resets, and back-pressure both ways.

    Args:
        made: told when the connection is there.
    """

    def __init__(self, made: Callable[[TcpEnd], None] | None = None) -> None:
        self._made = made
        self._transport: asyncio.Transport | None = None
        self._hand_over: Callable[[bytes], bool] | None = None
        self._arrived: list[bytes] = []
        self._size = 0
        self._paused_reading = False
        self._ended = False
        self._blocked = False
        self._error: ConnectionError | None = None
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._lost = asyncio.Event()

    # -- for tunnels -------------------------------------------------------------------------------------

    async def read(self) -> bytes:
        """See `ByteEnd.read`."""
        while not self._arrived:
            if self._ended:
                return b""
            if self._error is not None:
                raise self._error
            self._readable.clear()
            await self._readable.wait()
        arrived, self._arrived, self._size = self._arrived, [], 0
        if self._paused_reading and self._transport is not None:
            self._paused_reading = False
            self._transport.resume_reading()
        return arrived[0] if len(arrived) == 1 else b"".join(arrived)

    async def write(self, data: bytes) -> None:
        """See `ByteEnd.write`."""
        if self._error is not None:
            raise self._error
        self._open.write(data)
        while self._blocked:
            if self._error is not None:
                raise self._error
            self._writable.clear()
            await self._writable.wait()

    @property
    def ready(self) -> bool:
        """See `Sink.ready`."""
        return not self._blocked and self._error is None

    def take(self, data: bytes) -> None:
        """See `Sink.take`."""
        self._open.write(data)

    def give_to(self, hand_over: Callable[[bytes], bool]) -> None:
        """See `ByteEnd.give_to`."""
        self._hand_over = hand_over

    def end_writing(self) -> None:
        """See `ByteEnd.end_writing`."""
        if not self._open.is_closing():
            self._open.write_eof()

    def close(self) -> None:
        """See `ByteEnd.close`."""
        self._open.close()

    def abort(self) -> None:
        """See `ByteEnd.abort`."""
        transport = self._open
        if not self._lost.is_set():
            _socket_of(transport).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        transport.abort()

    async def wait_lost(self) -> None:
        """See `ByteEnd.wait_lost`."""
        await self._lost.wait()
        raise self._error or ConnectionAbortedError("The connection was closed.")

    # -- for asyncio -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        # Not asserted: uvloop's transports are no subclass.
        self._transport = transport = cast("asyncio.Transport", transport)
        transport.set_write_buffer_limits(high=limits.TUNNEL_BUFFER_BYTES)
        connection = _socket_of(transport)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._made is not None:
            self._made(self)

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        if self._hand_over is not None and not self._arrived and self._hand_over(data):
            return
        self._arrived.append(data)
        self._size += len(data)
        if self._size >= limits.TUNNEL_BUFFER_BYTES and not self._paused_reading:
            self._paused_reading = True
            self._open.pause_reading()
        self._readable.set()

    def eof_received(self) -> bool:
        """The other side writes no more. True: our own writing goes on."""
        self._ended = True
        self._readable.set()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """It is no more."""
        reason = exc if isinstance(exc, ConnectionError) else ConnectionAbortedError(str(exc or "closed"))
        self._error = reason
        self._lost.set()
        self._readable.set()
        self._writable.set()

    def pause_writing(self) -> None:
        """Enough waits to leave."""
        self._blocked = True

    def resume_writing(self) -> None:
        """There is room again."""
        self._blocked = False
        self._writable.set()

    @property
    def _open(self) -> asyncio.Transport:
        assert self._transport is not None  # noqa: S101 - nobody has it before it is connected
        return self._transport


class _Listener:
    """A listening socket, or one per address of the host."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server
        self.port: int = server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Accept no more."""
        # Not `wait_closed`: since Python 3.12 it waits for the connections that were accepted, too.
        self._server.close()


class SystemSockets:
    """Real TCP; see `Sockets`."""

    async def listen(self, host: str, port: int, accept: Callable[[ByteEnd], None]) -> _Listener:
        """See `Sockets.listen`."""
        loop = asyncio.get_running_loop()
        return _Listener(await loop.create_server(lambda: TcpEnd(accept), host, port))

    async def connect(self, host: str, port: int) -> ByteEnd:
        """See `Sockets.connect`."""
        _, end = await asyncio.get_running_loop().create_connection(TcpEnd, host, port)
        return end


def _socket_of(transport: asyncio.Transport) -> socket.socket:
    found: socket.socket = transport.get_extra_info("socket")
    return found
