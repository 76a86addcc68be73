"""A client of Tor's control port: commands, events, and the news of Tor's death.

Authentication (control-spec section 3.24) proves both ways that the other end belongs to us: whoever
may command Tor may point our onion address elsewhere, and a program that only pretends to be Tor must
not learn the cookie. So SAFECOOKIE is used wherever Tor offers it, and is the only method over TCP.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Self, cast

from p4.adapters.tor.control_wire import (
    ASYNCHRONOUS,
    Reply,
    ReplyParser,
    command_line,
    parse_arguments,
)
from p4.errors import TorError

__all__ = ["ControlConnection", "Endpoint"]

Endpoint = Path | int
"""A Unix socket, or a TCP port on 127.0.0.1."""

COMMAND_SECONDS = 10.0
"""A living Tor answers in milliseconds; one that takes this long hangs."""

_SERVER_KEY = b"Tor safe cookie authentication server-to-controller hash"
_CLIENT_KEY = b"Tor safe cookie authentication controller-to-server hash"
_COOKIE_BYTES = 32


class ControlConnection(asyncio.Protocol):
    """One connection to Tor's control port. Make it with `connect`.

    Args:
        on_event: called with each asynchronous reply, in order.
        on_lost: called once when the connection ends without `close`; with ownership taken, Tor then
            ends too.
    """

    def __init__(self, on_event: Callable[[Reply], None], on_lost: Callable[[], None]) -> None:
        self._on_event = on_event
        self._on_lost = on_lost
        self._parser = ReplyParser()
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[asyncio.Future[Reply]] = deque()
        self._closed = False

    @classmethod
    async def connect(
        cls,
        endpoint: Endpoint,
        *,
        cookie_file: Path | None,
        on_event: Callable[[Reply], None] = lambda reply: None,
        on_lost: Callable[[], None] = lambda: None,
        private_socket: bool = False,
    ) -> Self:
        """Connect and authenticate.

        Args:
            endpoint: Unix socket or TCP port on 127.0.0.1.
            cookie_file: our Tor's cookie. Only this file is ever read, whatever the other end names.
            private_socket: the socket is in our own 0700 directory, so a Tor without authentication
                may be taken.

        Raises:
            TorError: ``control-refused`` (nobody listens), ``not-authenticated`` or
                ``bad-control-reply``.
        """
        loop = asyncio.get_running_loop()
        connection = cls(on_event, on_lost)
        try:
            if isinstance(endpoint, int):
                await loop.create_connection(lambda: connection, "127.0.0.1", endpoint)
            else:
                await loop.create_unix_connection(lambda: connection, str(endpoint))
        except OSError as error:
            raise TorError(
                f"Tor's control port cannot be reached: {error.strerror or error}.", code="control-refused"
            ) from error
        try:
            safe_only = isinstance(endpoint, int)
            await connection._authenticate(cookie_file, safe_only=safe_only, allow_none=private_socket)
        except BaseException:
            connection.close()
            raise
        return connection

    async def command(self, *words: str, timeout: float = COMMAND_SECONDS) -> Reply:
        """Send one command and wait for its reply.

        Raises:
            TorError: ``command-failed`` with Tor's own words, ``control-lost``, ``control-silent`` (no
                reply within ``timeout`` seconds) or ``bad-command``.
        """
        line = command_line(words)
        if self._transport is None or self._closed:
            raise _lost()
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        # A cancelled waiter stays in the queue, so that its reply is not taken for another's.
        self._waiting.append(answer)
        self._transport.write(line)
        try:
            async with asyncio.timeout(timeout):
                reply = await answer
        except TimeoutError as error:
            raise TorError(
                f"Tor did not answer {words[0]} within {timeout:g} seconds; it hangs.", code="control-silent"
            ) from error
        if not reply.succeeded:
            raise TorError(f"Tor refused {words[0]}: {reply.text} ({reply.code}).", code="command-failed")
        return reply

    def close(self) -> None:
        """End the connection. Never waits, may be called again; ``on_lost`` is not called."""
        self._closed = True
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio.Protocol -----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there (called by asyncio)."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Bytes arrived (called by asyncio)."""
        try:
            replies = self._parser.feed(data)
        except TorError as error:
            self._fail_waiting(error)
            if self._transport is not None:
                self._transport.abort()
            return
        for reply in replies:
            if reply.code == ASYNCHRONOUS:
                if not self._closed:
                    self._on_event(reply)
            elif self._waiting:
                answer = self._waiting.popleft()
                if not answer.done():
                    answer.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over (called by asyncio)."""
        self._transport = None
        self._fail_waiting(_lost())
        if not self._closed:
            self._closed = True
            self._on_lost()

    # --- inside -----------------------------------------------------------------------------------------

    def _fail_waiting(self, error: TorError) -> None:
        while self._waiting:
            answer = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(error)

    async def _authenticate(self, cookie_file: Path | None, *, safe_only: bool, allow_none: bool) -> None:
        methods = _methods(await self.command("PROTOCOLINFO", "1"))
        plain = not safe_only
        try:
            if cookie_file is not None and "SAFECOOKIE" in methods:
                await self._prove_cookie(_read_cookie(cookie_file))
            elif cookie_file is not None and "COOKIE" in methods and plain:
                await self.command("AUTHENTICATE", _read_cookie(cookie_file).hex())
            elif "NULL" in methods and allow_none and plain:
                await self.command("AUTHENTICATE")
            else:
                raise _unacceptable(methods)
        except TorError as error:
            if error.code not in {"command-failed", "control-lost"}:
                raise
            raise TorError(
                "Tor did not accept the control cookie, so it is not the Tor that P4 started. Perhaps "
                "another program holds its control port.",
                code="not-authenticated",
            ) from error

    async def _prove_cookie(self, cookie: bytes) -> None:
        """SAFECOOKIE: both ends prove to know the cookie, and neither sends it."""
        ours = secrets.token_bytes(32)
        challenge = await self.command("AUTHCHALLENGE", "SAFECOOKIE", ours.hex())
        named = parse_arguments(challenge.lines[0].text).named
        theirs, proof = _unhex(named.get("SERVERNONCE", "")), _unhex(named.get("SERVERHASH", ""))
        message = cookie + ours + theirs
        if not hmac.compare_digest(hmac.digest(_SERVER_KEY, message, hashlib.sha256), proof):
            raise TorError(
                "What listens on Tor's control port does not know our cookie, so it is not the Tor that P4 "
                "started. Nothing secret was sent to it.",
                code="not-authenticated",
            )
        await self.command("AUTHENTICATE", hmac.digest(_CLIENT_KEY, message, hashlib.sha256).hex())


def _methods(reply: Reply) -> set[str]:
    for line in reply.lines:
        if line.text.startswith("AUTH "):
            return set(parse_arguments(line.text).named.get("METHODS", "").split(","))
    return set()


def _unacceptable(methods: set[str]) -> TorError:
    offered = ", ".join(sorted(methods)) or "no method"
    return TorError(
        f"Tor's control port offers {offered}, and P4 accepts only its own Tor, proved by a cookie. Perhaps "
        "another program holds this port.",
        code="not-authenticated",
    )


def _read_cookie(path: Path) -> bytes:
    try:
        cookie = path.read_bytes()
    except OSError as error:
        raise TorError(
            f"Tor's control cookie {path} cannot be read: {error.strerror}.", code="not-authenticated"
        ) from error
    if len(cookie) != _COOKIE_BYTES:
        raise TorError(f"Tor's control cookie {path} is damaged.", code="not-authenticated")
    return cookie


def _unhex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _lost() -> TorError:
    return TorError("Tor ended, or closed its control port.", code="control-lost")
