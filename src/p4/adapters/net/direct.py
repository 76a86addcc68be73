"""Direct rendezvous: signaling over plain TCP to ``host:port``, IPv4 and IPv6.

The envelopes are the same as over an onion service, so whoever reads or changes this TCP stream learns
who talks to whom and when, and nothing else (spec/threat-model).
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from p4.adapters.net.lines import LineStream, StreamAcceptor
from p4.adapters.net.outward import outward_address
from p4.core.address import RendezvousAddress, Transport
from p4.errors import InputError, InviteError, RendezvousError
from p4.ports import RendezvousPhase, RendezvousStatus, SignalStream

__all__ = ["AcceptedStream", "DirectRendezvous"]

_HAPPY_EYEBALLS_SECONDS = 0.25
"""Head start of one address before the next is tried beside it (RFC 8305 section 5)."""

_BACKLOG = 128
"""Connections the kernel may hold until we accept them."""

_JOIN_SECONDS, _JOINED = 0.6, 4
"""A connection that is not answered is joined by further ones, at this interval, so many at a time.

The kernel repeats a lost SYN ever more rarely, after 1, 3 and 7 s; a path that comes back shall not wait."""

_KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPALIVE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
"""Seconds of silence, seconds between probes, number of probes; macOS calls the first TCP_KEEPALIVE."""


class DirectRendezvous:
    """Listens on a TCP port and dials others; implements `p4.ports.Rendezvous`.

    Args:
        host: interface to listen on: an address, a name, or ``0.0.0.0`` / ``::`` for all interfaces.
        port: TCP port; 0 lets the system choose one.
        advertise: what others shall dial, as ``host``, ``host:port``, ``[v6]`` or ``[v6]:port``. None
            takes the listening address; where that is all interfaces, the one this machine uses
            towards the rest of the network, and the status says so.
    """

    def __init__(self, host: str, port: int, advertise: str | None = None) -> None:
        self._host = host
        self._port = port
        self._advertise = advertise
        self._servers: list[asyncio.Server] = []
        self._acceptor: StreamAcceptor | None = None
        self._observe: Callable[[RendezvousStatus], None] = lambda status: None
        self._status = RendezvousStatus(RendezvousPhase.STOPPED, 0, "Not listening.")

    @property
    def transport(self) -> Transport:
        """Always `Transport.DIRECT`."""
        return Transport.DIRECT

    @property
    def status(self) -> RendezvousStatus:
        """The latest status."""
        return self._status

    async def start(
        self,
        accept: Callable[[SignalStream], Awaitable[None]],
        observe: Callable[[RendezvousStatus], None],
    ) -> RendezvousAddress:
        """Listen and give the address to put into invites.

        Raises:
            InputError: ``bad-address`` (host or advertise is unusable), ``no-address`` (nothing
                sensible to advertise), ``address-in-use`` or ``cannot-listen``.
        """
        self._observe = observe
        self._acceptor = StreamAcceptor(accept, "inbound, direct")
        try:
            port = await self._listen(self._acceptor)
            address, note = self._address_to_advertise(port)
        except BaseException:
            await self.close()
            raise
        listening = _join(self._host, port)
        self._set_status(RendezvousPhase.READY, 100, f"Listening on {listening}.{note}", address)
        return address

    async def dial(self, address: RendezvousAddress, *, timeout: float, fresh: bool = False) -> SignalStream:
        """Open a TCP stream; all addresses of a name are tried, with RFC 8305's head starts.

        ``fresh`` changes nothing here: nothing is cached.

        Raises:
            RendezvousError: ``timeout``, ``refused``, ``name-not-found``, ``no-route`` or ``dial-failed``.
        """
        target = _join(address.host, address.port)
        try:
            async with asyncio.timeout(timeout):
                transport, stream = await _connect(address.host, address.port, target)
        except TimeoutError as error:
            raise RendezvousError(
                f"{target} did not answer within {timeout:g} seconds. The peer may be switched off, or a "
                "firewall swallows the connection.",
                code="timeout",
            ) from error
        except OSError as error:
            raise _dial_error(target, error) from error
        _prepare_socket(transport)
        return stream

    async def network_changed(self, *, connected: bool = True) -> None:
        """Nothing to do: a listening socket serves whatever addresses there are."""

    async def close(self) -> None:
        """Stop listening and end every inbound stream. Takes at most 1.5 s."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        if self._acceptor is not None:
            await self._acceptor.close()
        self._set_status(RendezvousPhase.STOPPED, 0, "Not listening.", None)

    # --- inside -----------------------------------------------------------------------------------------

    async def _listen(self, acceptor: StreamAcceptor) -> int:
        """Listen on every address that the host means, all on one port; returns that port."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(
                self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
        except (OSError, UnicodeError) as error:
            raise InputError(
                f"{self._host!r} is no address of this machine to listen on. Give an IP address, or "
                "0.0.0.0 for all IPv4 and :: for all IPv6 interfaces.",
                code="bad-address",
            ) from error
        port, refused = self._port, None
        for host in dict.fromkeys(str(entry[4][0]) for entry in found):
            try:
                server = await loop.create_server(
                    lambda: AcceptedStream(acceptor), host, port, backlog=_BACKLOG, start_serving=False
                )
            except OSError as error:
                refused = error
                if error.errno == errno.EADDRINUSE:
                    break
                continue  # a name like localhost may mean IPv6 on a machine without it
            # Kept before it serves: cancelled inside create_server, asyncio would lose the socket.
            self._servers.append(server)
            await server.start_serving()
            port = server.sockets[0].getsockname()[1]
        if refused is not None and (not self._servers or refused.errno == errno.EADDRINUSE):
            raise _listen_error(self._host, port, refused) from refused
        return port

    def _address_to_advertise(self, port: int) -> tuple[RendezvousAddress, str]:
        if self._advertise is not None:
            host, given_port = _split(self._advertise)
            if _is_wildcard(host):
                raise InputError(
                    f"{host} means “every interface” and cannot be dialled. Advertise the address or name "
                    "under which peers reach this machine.",
                    code="bad-address",
                )
            return _checked(host, port if given_port is None else given_port), ""
        if not _is_wildcard(self._host):
            return _checked(self._host, port), ""
        outward = outward_address(socket.AF_INET6 if ":" in self._host else socket.AF_INET)
        if outward is None:
            raise InputError(
                f"P4 listens on {self._host}, which means every interface, and found no address of this "
                "machine that peers could dial. Say which one with --advertise-host.",
                code="no-address",
            )
        return _checked(outward, port), (
            f" Peers are told to dial {_join(outward, port)}, chosen from this machine's addresses; "
            "use --advertise-host to give another."
        )

    def _set_status(
        self, phase: RendezvousPhase, progress: int, text: str, address: RendezvousAddress | None
    ) -> None:
        self._status = RendezvousStatus(phase, progress, text, address)
        self._observe(self._status)


class AcceptedStream(LineStream):
    """An inbound TCP stream: tunes its socket, then is accepted like any other."""

    def __init__(self, acceptor: StreamAcceptor) -> None:
        super().__init__("inbound, direct", acceptor.begin)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there (called by asyncio)."""
        _prepare_socket(transport)
        super().connection_made(transport)


def _prepare_socket(transport: asyncio.BaseTransport) -> None:
    """Small lines go out at once; a peer that vanished without a word is noticed by the kernel."""
    sock = transport.get_extra_info("socket")
    with suppress(OSError):  # not every system knows every option, and the stream works without them
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if (option := getattr(socket, name, None)) is not None:
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, option, value)


async def _connect(host: str, port: int, target: str) -> tuple[asyncio.Transport, LineStream]:
    """The first of several connections that is answered. Raises OSError if one is refused or impossible."""
    loop = asyncio.get_running_loop()
    connect: Callable[..., Coroutine[Any, Any, tuple[asyncio.Transport, LineStream]]] = loop.create_connection
    # Only where there is a choice: cancelled in such a race, asyncio may lose a socket that just connected.
    # And only asyncio's own loops race: uvloop tries one address after the other.
    if isinstance(loop, asyncio.BaseEventLoop) and not _is_address(host):
        connect = partial(connect, happy_eyeballs_delay=_HAPPY_EYEBALLS_SECONDS)
    attempts: list[asyncio.Task[tuple[asyncio.Transport, LineStream]]] = []
    try:
        while True:
            if len(attempts) == _JOINED:
                oldest = attempts.pop(0)
                oldest.add_done_callback(_close_late)
                oldest.cancel()
            attempts.append(
                loop.create_task(connect(lambda: LineStream(f"outbound, direct, {target}"), host, port))
            )
            done, _ = await asyncio.wait(attempts, timeout=_JOIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if done:
                winner = min(done, key=lambda attempt: attempt.exception() is not None)
                attempts.remove(winner)
                return winner.result()
    finally:
        for attempt in attempts:
            attempt.add_done_callback(_close_late)
            attempt.cancel()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _close_late(attempt: asyncio.Task[tuple[asyncio.Transport, LineStream]]) -> None:
    """A connection that nobody waits for any more: closed if it came about, forgotten if it failed."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result()[0].abort()


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _split(text: str) -> tuple[str, int | None]:
    """``host``, ``host:port``, ``[v6]``, ``[v6]:port`` or a bare IPv6 address."""
    try:
        return str(ipaddress.ip_address(text)), None
    except ValueError:
        pass
    match = re.fullmatch(r"(?:\[([^\[\]]+)\]|([^:\[\]]+))(?::(\d{1,5}))?", text)
    if match is None:
        raise InputError(
            f"{text[:80]!r} is neither HOST nor HOST:PORT (an IPv6 address with a port goes in brackets).",
            code="bad-address",
        )
    return match[1] or match[2], int(match[3]) if match[3] else None


def _checked(host: str, port: int) -> RendezvousAddress:
    try:
        return RendezvousAddress(Transport.DIRECT, host, port)
    except InviteError as error:
        raise InputError(error.message, code=error.code) from error


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listen_error(host: str, port: int, error: OSError) -> InputError:
    if error.errno == errno.EADDRINUSE:
        return InputError(
            f"Port {port} on {host} is taken by another program. Choose another with --signal-port, or 0 "
            "for any free one.",
            code="address-in-use",
        )
    return InputError(
        f"P4 cannot listen on {_join(host, port)}: {error.strerror or error}. Choose another address or "
        "port (--signal-host, --signal-port).",
        code="cannot-listen",
    )


def _dial_error(target: str, error: OSError) -> RendezvousError:
    if isinstance(error, ConnectionRefusedError):
        return RendezvousError(
            f"The machine at {target} answers, but no P4 listens there at the moment.", code="refused"
        )
    if isinstance(error, socket.gaierror):
        return RendezvousError(
            f"The name in {target} is not known here. Check it, and this machine's network.",
            code="name-not-found",
        )
    if error.errno in {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL}:
        return RendezvousError(
            f"There is no way from this machine's network to {target} at the moment.", code="no-route"
        )
    return RendezvousError(f"Dialling {target} failed: {error.strerror or error}.", code="dial-failed")
