"""Asking STUN servers from one UDP socket, with repetition (RFC 8489 section 6.2.1)."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final, cast

from p4.adapters.net.stun.codec import (
    TRANSACTION_BYTES,
    Address,
    BindingAnswer,
    binding_request,
    parse_answer,
    transaction_of,
)
from p4.core.ice import parse_stun_url
from p4.errors import UnreachableError

__all__ = ["ANSWER_SECONDS", "StunClient", "StunSocket", "open_stun_socket", "resolve_server"]

ANSWER_SECONDS: Final = 3.0
"""Patience with one server: requests go out after 0, 0.5 and 1.5 s, and two slow round trips fit."""

_FIRST_REPEAT_SECONDS = 0.5
"""RFC 8489 section 6.2.1: the first repetition after 500 ms, then twice that each time."""


class StunClient:
    """The exchange of Binding requests on a socket that somebody else reads and writes.

    Args:
        send: writes one datagram to a numeric address. An OSError counts as a datagram that was lost.
    """

    def __init__(self, send: Callable[[bytes, Address], None]) -> None:
        self._send = send
        self._open: dict[bytes, tuple[Address | None, asyncio.Future[BindingAnswer]]] = {}

    async def ask(
        self,
        server: Address,
        *,
        change_address: bool = False,
        change_port: bool = False,
        timeout: float = ANSWER_SECONDS,
        repeat: float | None = None,
    ) -> BindingAnswer:
        """Ask the server at a numeric address what it sees.

        Args:
            server: where the request goes.
            change_address: ask for the answer from the server's other address (RFC 5780).
            change_port: ask for the answer from its other port.
            timeout: seconds until it counts as silent.
            repeat: seconds until the first repetition (0.5 if None); each further one takes twice as long.

        Returns:
            The first valid answer. It may be a refusal (``error``).

        Raises:
            UnreachableError: code ``stun-silent``.
        """
        transaction = secrets.token_bytes(TRANSACTION_BYTES)
        request = binding_request(transaction, change_address=change_address, change_port=change_port)
        answered: asyncio.Future[BindingAnswer] = asyncio.get_running_loop().create_future()
        # An answer that was asked to come from elsewhere has another source, which may be any.
        self._open[transaction] = (None if change_address or change_port else server, answered)
        try:
            async with asyncio.timeout(timeout):
                pause = repeat or _FIRST_REPEAT_SECONDS
                while True:
                    with suppress(OSError):  # no route at this moment: the same as lost on the way
                        self._send(request, server)
                    await asyncio.wait({answered}, timeout=pause)
                    if answered.done():
                        return answered.result()
                    pause *= 2
        except TimeoutError:
            raise UnreachableError(
                f"The STUN server at {server[0]} port {server[1]} did not answer within {timeout:g} s. "
                "It may be down, or this network lets no UDP through.",
                code="stun-silent",
            ) from None
        finally:
            del self._open[transaction]

    def received(self, data: bytes, source: Address) -> bool:
        """Give a datagram that arrived on the socket.

        Returns:
            Whether it was an answer to one of our requests; others are the caller's.
        """
        transaction = transaction_of(data)
        if transaction is None or transaction not in self._open:
            return False
        server, answered = self._open[transaction]
        if server is not None and not _same_address(server, source):
            return True
        answer = parse_answer(data)
        if answer is not None and not answered.done():
            answered.set_result(answer)
        return True


class StunSocket(asyncio.DatagramProtocol):
    """A UDP socket of its own for Binding requests. Made by `open_stun_socket`; close it."""

    def __init__(self) -> None:
        self._client = StunClient(self._write)
        self._transport: asyncio.DatagramTransport | None = None
        self.ask = self._client.ask

    @property
    def local(self) -> Address:
        """The address and port that the socket is bound to; the address may be the wildcard."""
        assert self._transport is not None  # noqa: S101 - set before open_stun_socket returns
        name = self._transport.get_extra_info("sockname")
        return name[0], name[1]

    def close(self) -> None:
        """Close the socket; open questions end as if unanswered."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.DatagramProtocol`."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int] | tuple[str, int, int, int]) -> None:
        """See `asyncio.DatagramProtocol`."""
        self._client.received(data, (addr[0], addr[1]))

    def _write(self, data: bytes, address: Address) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, address)


async def open_stun_socket(family: socket.AddressFamily, port: int = 0) -> StunSocket:
    """Bind a socket for Binding requests on all addresses of one family.

    Raises:
        OSError: this machine does not know the family, or the port is taken.
    """
    # Bound by hand: asyncio would take both families for the IPv6 wildcard.
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        if family is socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(("::" if family is socket.AF_INET6 else "0.0.0.0", port))  # noqa: S104 - answers come anywhere
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_datagram_endpoint(StunSocket, sock=bound)
    except BaseException:
        bound.close()
        raise
    return protocol


async def resolve_server(
    url: str, family: socket.AddressFamily, timeout: float = ANSWER_SECONDS
) -> list[Address]:
    """All addresses of one family of a server that is given as ``stun:host[:port]``.

    Returns:
        Nothing if the name is not known, has no address of the family, or the name server is silent.

    Raises:
        InputError: code ``stun-url``.
    """
    server = parse_stun_url(url)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            found = await loop.getaddrinfo(server.host, server.port, family=family, type=socket.SOCK_DGRAM)
    except (OSError, TimeoutError, UnicodeError):
        return []
    return list(dict.fromkeys((str(name[0]), int(name[1])) for *_, name in found))


def _same_address(one: Address, other: Address) -> bool:
    """Compare without the zone that the system adds to link-local addresses."""
    hosts = [ipaddress.ip_address(host.partition("%")[0]) for host in (one[0], other[0])]
    return hosts[0] == hosts[1] and one[1] == other[1]
