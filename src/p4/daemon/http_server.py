"""uvicorn as we want it: ends when it is told, installs no signal handlers, waits for no slow head."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httptools
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from p4.core import limits

__all__ = ["HttpServer"]


class _BoundedHeads(HttpToolsProtocol):
    """Gives a connection up whose request has no whole head in time (a "slow loris"), or one without end."""

    _head_timer: asyncio.TimerHandle | None = None
    _in_head = True
    """Whether the next bytes belong to the head of a request, or begin one."""
    _head_size = 0
    _replayed = False
    """Whether the parser is given a head again that was looked at before."""
    _moved = False
    """Whether the parser has found anything whole in the bytes that it was given last."""
    _pending = 0
    """Bytes that it may have kept because they are no whole."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_expecting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head and self._head_timer is None:
            self._expect_head()  # the first bytes of another request
        self._moved = False
        self._unset_keepalive_if_required()
        self._parse(data)
        self._pending = 0 if self._moved else self._pending + len(data)
        if self._pending > limits.API_HEADER_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def _parse(self, data: bytes) -> None:
        try:
            while data:
                data = self._feed(data)
        except httptools.HttpParserError:
            self.send_400_response("This is no HTTP request.")

    def _feed(self, data: bytes) -> bytes:
        """Give the parser bytes; what it has left of them is for another one."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if not self._should_upgrade():
                self._stay()
                return data[upgrade.args[0] :]
            self.handle_websocket_upgrade()
        return b""

    def _stay(self) -> None:
        """Go on with HTTP/1.1 when a client would also speak something else, such as HTTP/2 (RFC 9110, 7.8).

        The parser takes every upgrade for the end of HTTP, so another one reads the body and what follows.
        """
        framing = {b"content-length", b"transfer-encoding"}
        lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] in framing]
        self.parser = httptools.HttpRequestParser(self)
        self._replayed = True
        try:
            self.parser.feed_data(b"POST / HTTP/1.1\r\n" + b"".join(lines) + b"\r\n")
        finally:
            self._replayed = False

    def on_message_begin(self) -> None:
        if not self._replayed:
            self._head_size = 0
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._replayed:
            self._count(len(url))
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._replayed:
            return
        self._count(len(name) + len(value))
        if self._in_head:  # and not behind a body in chunks (RFC 9112, 7.1.2): nobody has looked at that
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._replayed:
            return
        self._moved = True
        self._in_head = False
        self._stop_expecting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade() and not self._should_upgrade():
            return  # its body has not been read: `_stay` does that
        self._moved = True
        self._in_head = True
        super().on_message_complete()

    def _count(self, size: int) -> None:
        self._head_size += size
        if self._head_size > limits.API_HEADER_BYTES:
            raise ValueError("the head of the request is too long")  # the parser makes it a bad request

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(limits.API_HEADER_SECONDS, self._too_slow)

    def _stop_expecting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()


class HttpServer:
    """Serves an application on one socket, on the running loop."""

    def __init__(self, application: ASGIApp, listening: socket.socket) -> None:
        self._listening = listening
        self._server = uvicorn.Server(
            uvicorn.Config(
                application,
                http=_BoundedHeads,
                ws="websockets-sansio",
                ws_max_size=limits.API_FRAME_BYTES,
                ws_per_message_deflate=False,
                ws_ping_interval=limits.API_PING_SECONDS,
                ws_ping_timeout=limits.API_PING_SECONDS,
                limit_concurrency=limits.API_CONNECTIONS,
                timeout_keep_alive=limits.API_IDLE_SECONDS,
                timeout_graceful_shutdown=1,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
            )
        )
        self._started = False

    async def start(self) -> None:
        """Begin to accept connections."""
        # `serve` of uvicorn would install signal handlers, which are the program's own business, and wake up
        # ten times a second to see whether it should end.
        self._server.config.load()
        self._server.lifespan = self._server.config.lifespan_class(self._server.config)
        await self._server.startup(sockets=[self._listening])
        self._started = True

    async def close(self) -> None:
        """Accept no more, let what is under way answer for a moment, end the rest."""
        if not self._started:
            return
        self._started = False
        try:
            async with asyncio.timeout(limits.API_END_SECONDS):
                await self._server.shutdown(sockets=[self._listening])
        except TimeoutError:
            pass
        tasks = set(self._server.server_state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=limits.API_LAST_ANSWER_SECONDS)
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
