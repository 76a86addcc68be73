"""A SOCKS5 client for Tor's SOCKS port (RFC 1928, RFC 1929, Tor's socks-extensions and proposal 304).

Everything that Tor answers has a length known beforehand, so the handshake reads exactly its own bytes
from a plain socket, and the peer's first line can never be lost in a buffer.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

from p4.adapters.net.lines import LineStream
from p4.adapters.tor.control import Endpoint
from p4.errors import RendezvousError

__all__ = ["SOCKS_ERRORS", "SocksError", "dial_through_tor"]

_VERSION = 5
_USER_AND_PASSWORD = 2
_CONNECT = 1
_IPV4, _DOMAIN_NAME, _IPV6 = 1, 3, 4
_ADDRESS_BYTES = {_IPV4: 4, _IPV6: 16}

_AGAIN = "P4 tries again by itself."


@dataclass(frozen=True, slots=True)
class SocksError:
    """What a SOCKS reply code means to a person, and its stable name."""

    code: str
    sentence: str


SOCKS_ERRORS = {
    0x01: SocksError("circuit-failed", f"Tor could not build a working path to the peer this time. {_AGAIN}"),
    0x02: SocksError("not-allowed", "This Tor's own rules (torrc) forbid the connection."),
    0x03: SocksError("no-route", f"Tor has no path into the network at the moment. {_AGAIN}"),
    0x04: SocksError("host-unreachable", f"Tor could not reach the peer's onion address. {_AGAIN}"),
    0x05: SocksError(
        "refused", f"The peer's Tor answers, but no P4 listens behind it at the moment. {_AGAIN}"
    ),
    0x06: SocksError("timeout", f"The peer's onion address did not answer in time. {_AGAIN}"),
    0x07: SocksError("not-supported", "This Tor does not know the command that P4 gave; it may be too old."),
    0x08: SocksError("not-supported", "This Tor does not know onion addresses; it may be too old."),
    0xF0: SocksError(
        "no-descriptor",
        "The peer's onion address is not published: the peer is offline, or it has just started and is "
        f"still publishing. {_AGAIN}",
    ),
    0xF1: SocksError(
        "bad-descriptor", f"What is published for the peer's onion address is damaged. {_AGAIN}"
    ),
    0xF2: SocksError(
        "introduction-failed",
        "The peer's onion address is published, but nobody answers there: the peer has just gone, or has "
        f"restarted and not yet published anew. {_AGAIN}",
    ),
    0xF3: SocksError(
        "rendezvous-failed", f"The peer heard us, but the two paths through Tor did not meet. {_AGAIN}"
    ),
    0xF4: SocksError(
        "authorization-missing",
        "The peer's onion address admits only clients with a key, and we have none. Ask the peer for a new "
        "invite.",
    ),
    0xF5: SocksError(
        "authorization-wrong",
        "The peer's onion address does not accept our client key (any more). Ask the peer for a new invite.",
    ),
    0xF6: SocksError(
        "bad-onion-address", "Tor says that the peer's onion address is not valid. Check the invite."
    ),
    0xF7: SocksError(
        "introduction-timeout",
        f"The peer's onion address is published, but its entry points do not answer in time. {_AGAIN}",
    ),
}
"""Each code of RFC 1928 section 6 and of Tor's ``ExtendedErrors`` (tor manual, SocksPort)."""


async def dial_through_tor(
    endpoint: Endpoint, host: str, port: int, *, isolation: str, description: str
) -> LineStream:
    """Open a stream through Tor. Sets no time-out; safe to cancel.

    Args:
        endpoint: Tor's SOCKS port: Unix socket, or TCP port on 127.0.0.1.
        host: onion address; Tor resolves it.
        port: virtual port.
        isolation: streams with different values never share a circuit (``IsolateSOCKSAuth``); at most
            255 bytes of ASCII.
        description: of the resulting stream.

    Raises:
        RendezvousError: a code of `SOCKS_ERRORS`, ``tor-down`` (nobody listens) or ``socks-broken``.
    """
    loop = asyncio.get_running_loop()
    family = socket.AF_INET if isinstance(endpoint, int) else socket.AF_UNIX
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        try:
            target = ("127.0.0.1", endpoint) if isinstance(endpoint, int) else str(endpoint)
            await loop.sock_connect(sock, target)
        except OSError as error:
            raise RendezvousError(
                f"Tor is not running at the moment. P4 restarts it and then dials again. ({error.strerror})",
                code="tor-down",
            ) from error
        try:
            await _greet(sock, isolation.encode("ascii"))
            await _connect(sock, host.encode("ascii"), port)
        except OSError as error:
            raise _broken("the connection to Tor broke") from error
        if isinstance(endpoint, int):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _, stream = await loop.create_connection(lambda: LineStream(description), sock=sock)
    except BaseException:
        sock.close()
        raise
    return stream


async def _greet(sock: socket.socket, isolation: bytes) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, bytes([_VERSION, 1, _USER_AND_PASSWORD]))
    version, method = await _receive_exactly(sock, 2)
    if version != _VERSION or method != _USER_AND_PASSWORD:
        raise _broken("it does not speak SOCKS5 as Tor does")
    # RFC 1929. Tor checks neither; both together name the isolation group.
    await loop.sock_sendall(sock, b"\x01\x02p4" + bytes([len(isolation)]) + isolation)
    _, status = await _receive_exactly(sock, 2)
    if status != 0:
        raise _broken("it refused the isolation credentials")


async def _connect(sock: socket.socket, host: bytes, port: int) -> None:
    loop = asyncio.get_running_loop()
    request = bytes([_VERSION, _CONNECT, 0, _DOMAIN_NAME, len(host)]) + host + port.to_bytes(2, "big")
    await loop.sock_sendall(sock, request)
    version, code, _, kind = await _receive_exactly(sock, 4)
    if version != _VERSION:
        raise _broken("it does not speak SOCKS5")
    if code != 0:
        known = SOCKS_ERRORS.get(code)
        if known is None:
            raise _broken(f"it gave the unknown error 0x{code:02x}")
        raise RendezvousError(known.sentence, code=known.code)
    length = _ADDRESS_BYTES.get(kind)
    if length is None:
        if kind != _DOMAIN_NAME:
            raise _broken("it gave an unknown kind of address")
        length = (await _receive_exactly(sock, 1))[0]
    await _receive_exactly(sock, length + 2)


async def _receive_exactly(sock: socket.socket, count: int) -> bytes:
    loop = asyncio.get_running_loop()
    received = b""
    while len(received) < count:
        part = await loop.sock_recv(sock, count - len(received))
        if not part:
            raise _broken("it closed the connection")
        received += part
    return received


def _broken(reason: str) -> RendezvousError:
    return RendezvousError(f"Tor's SOCKS port failed: {reason}. {_AGAIN}", code="socks-broken")
