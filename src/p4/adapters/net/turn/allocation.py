"""Asking a TURN server for a relay, and giving it back at once."""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass

from p4.adapters.net.turn.wire import (
    Login,
    Reply,
    allocate_request,
    parse_reply,
    release_request,
    reply_length,
)
from p4.core.ice import IceServerUrl
from p4.errors import UnreachableError

__all__ = ["Allocation", "try_allocation"]

_FIRST_REPEAT_SECONDS = 0.5
_LONGEST_REPLY_BYTES = 4096
_WRONG_LOGIN = {401, 441}
"""Unauthorized, and Wrong Credentials (RFC 8656 section 19)."""

_STALE_NONCE = 438


@dataclass(frozen=True, slots=True)
class Allocation:
    """A relay that a server gave us for a moment."""

    relayed: tuple[str, int]
    """Its address and port, as peers would see it."""
    seconds: float
    """From the first packet to the relay."""


async def try_allocation(
    server: IceServerUrl, credentials: tuple[str, str] | None, *, timeout: float
) -> Allocation:
    """Get a relay from a server and give it back.

    Args:
        server: a ``turn:`` or ``turns:`` address.
        credentials: user name and password; None for a server without log-in.
        timeout: seconds for all of it.

    Raises:
        UnreachableError: ``turn-name`` (its name is not known here), ``turn-closed`` (nobody listens, or it
            hung up), ``turn-certificate``, ``turn-silent``, ``turn-login`` (it does not accept these
            credentials), ``turn-wants-login`` or ``turn-refused`` (another refusal).
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(timeout):
            line = await _connect(server)
            try:
                relayed = await _allocate(line, server, credentials)
                return Allocation(relayed, loop.time() - began)
            finally:
                line.close()
    except TimeoutError:
        raise UnreachableError(
            f"The TURN server {server.text} did not answer within {timeout:g} s. It is down, or this network "
            f"lets no {'UDP' if server.transport == 'udp' else 'such connections'} through to it.",
            code="turn-silent",
        ) from None
    except socket.gaierror as error:
        raise UnreachableError(
            f"The name of the TURN server {server.text} is not known here ({error.strerror}).",
            code="turn-name",
        ) from error
    except ssl.SSLCertVerificationError as error:
        raise UnreachableError(
            f"The certificate of the TURN server {server.text} is not accepted: {error.verify_message}.",
            code="turn-certificate",
        ) from error
    except (OSError, EOFError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "strerror", None) or str(error) or "it hung up"
        raise UnreachableError(
            f"The TURN server {server.text} cannot be talked to: {reason}.", code="turn-closed"
        ) from error


async def _allocate(
    line: _Line, server: IceServerUrl, credentials: tuple[str, str] | None
) -> tuple[str, int]:
    login: Login | None = None
    for _ in range(3):  # without log-in, with it, and once more if the nonce has just expired
        transaction = secrets.token_bytes(12)
        reply = await line.ask(allocate_request(transaction, login), transaction)
        if reply.error is None:
            if reply.relayed is None:
                raise _refused(server, "it names no relay")
            await _release(line, login)
            return reply.relayed
        challenged = (reply.error == 401 and login is None) or reply.error == _STALE_NONCE
        if not challenged:
            break
        if credentials is None:
            raise UnreachableError(
                f"The TURN server {server.text} wants a log-in, and none is configured.",
                code="turn-wants-login",
            )
        login = Login(*credentials, reply.realm, reply.nonce)
    if reply.error in _WRONG_LOGIN:
        raise UnreachableError(
            f"The TURN server {server.text} does not accept these credentials.", code="turn-login"
        )
    raise _refused(server, _MEANINGS.get(reply.error or 0, f"error {reply.error}"))


async def _release(line: _Line, login: Login | None) -> None:
    transaction = secrets.token_bytes(12)
    with suppress(OSError, EOFError, TimeoutError):  # it ends by itself after ten minutes
        async with asyncio.timeout(1.0):
            await line.ask(release_request(transaction, login), transaction)


_MEANINGS = {
    300: "it sends us to another server (error 300)",
    403: "it forbids us to use it (error 403)",
    437: "it mixes us up with an earlier client (error 437)",
    442: "it relays no UDP (error 442)",
    486: "this user has too many relays already (error 486)",
    508: "it has no room for more relays (error 508)",
}


def _refused(server: IceServerUrl, why: str) -> UnreachableError:
    return UnreachableError(f"The TURN server {server.text} gives no relay: {why}.", code="turn-refused")


class _Line(ABC):
    """A way to exchange messages with one server."""

    @abstractmethod
    async def ask(self, request: bytes, transaction: bytes) -> Reply:
        """Send a request and wait for its reply."""

    @abstractmethod
    def close(self) -> None:
        """End it."""


async def _connect(server: IceServerUrl) -> _Line:
    loop = asyncio.get_running_loop()
    if server.transport == "udp":
        _, datagrams = await loop.create_datagram_endpoint(_Datagrams, remote_addr=(server.host, server.port))
        return datagrams
    context = ssl.create_default_context() if server.scheme == "turns" else None
    reader, writer = await asyncio.open_connection(server.host, server.port, ssl=context)
    return _Stream(reader, writer)


class _Datagrams(asyncio.DatagramProtocol, _Line):
    """Over UDP, with repetition (RFC 8489 section 6.2.1)."""

    def __init__(self) -> None:
        self._transport: asyncio.DatagramTransport | None = None
        self._transaction = b""
        self._reply: asyncio.Future[Reply] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # what asyncio gives a datagram protocol

    def datagram_received(self, data: bytes, addr: object) -> None:
        reply = parse_reply(data, self._transaction)
        if reply is not None and self._reply is not None and not self._reply.done():
            self._reply.set_result(reply)

    def error_received(self, exc: Exception) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(exc)

    async def ask(self, request: bytes, transaction: bytes) -> Reply:
        self._transaction = transaction
        self._reply = asyncio.get_running_loop().create_future()
        pause = _FIRST_REPEAT_SECONDS
        while True:
            if self._transport is not None:
                self._transport.sendto(request)
            await asyncio.wait({self._reply}, timeout=pause)
            if self._reply.done():
                return self._reply.result()
            pause *= 2

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _Stream(_Line):
    """Over TCP or TLS."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, request: bytes, transaction: bytes) -> Reply:
        self._writer.write(request)
        await self._writer.drain()
        while True:
            head = await self._reader.readexactly(4)
            length = reply_length(head) or 0
            if length > _LONGEST_REPLY_BYTES:
                raise EOFError("what answers there is no TURN server")
            reply = parse_reply(head + await self._reader.readexactly(length - 4), transaction)
            if reply is not None:
                return reply

    def close(self) -> None:
        self._writer.transport.abort()
