"""UDP over datagrams: the forward that listens, and the port that is served (spec/forward.md)."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from p4.apps.forward.names import reply_service
from p4.apps.forward.sources import Sources, pack, unpack
from p4.apps.forward.tunnel import Figures, Tunnel
from p4.core import limits
from p4.errors import FrameError, P4Error
from p4.node.datagrams import DatagramSubscription, ReceivedDatagram
from p4.node.node import BaseNode
from p4.node.peer import Peer

__all__ = ["UdpForward", "UdpServed"]

_log = logging.getLogger(__name__)

_SOURCE_NUMBERS = 2 ** (8 * limits.TUNNEL_HEADER_BYTES)
_EARLY_PACKETS = 16
"""Packets of a source that wait until the socket to the target is there."""


class _UdpEnd:
    """What both ends share: sending, counting, saying once what goes wrong."""

    def __init__(self, node: BaseNode, tunnel: Tunnel, failed: Callable[[str], None]) -> None:
        self.figures = Figures()
        self._node = node
        self._tunnel = tunnel
        self._failed = failed
        self._told: set[str] = set()
        self._subscription: DatagramSubscription | None = None
        self._reading: asyncio.Task[None] | None = None

    def _subscribe(self, service: str, take: Callable[[ReceivedDatagram], None]) -> None:
        self._subscription = self._node.datagrams(service)
        self._reading = asyncio.create_task(self._read(self._subscription, take))

    async def _read(
        self, subscription: DatagramSubscription, take: Callable[[ReceivedDatagram], None]
    ) -> None:
        async for received in subscription:
            self.figures.dropped += subscription.dropped
            subscription.dropped = 0
            take(received)

    async def _unsubscribe(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def _send(self, peer: Peer, service: str, source: int, packet: bytes) -> None:
        if len(packet) > limits.TUNNEL_DATAGRAM_BYTES:
            self.figures.too_large += 1
            self._tell(
                "too-large",
                f"A UDP packet of {len(packet)} bytes was dropped: at most {limits.TUNNEL_DATAGRAM_BYTES} "
                "can be carried. Further ones are only counted.",
            )
            return
        try:
            sent = peer.send_datagram(service, pack(source, packet))
        except P4Error as error:
            self._tell(error.code, error.message)
            sent = False
        if sent:
            self.figures.packets_sent += 1
            self.figures.sent += len(packet)
        else:
            self.figures.dropped += 1

    def _took(self, packet: bytes) -> None:
        self.figures.packets_received += 1
        self.figures.received += len(packet)

    def _tell(self, code: str, text: str) -> None:
        if code not in self._told:
            self._told.add(code)
            self._failed(text)


class UdpForward(_UdpEnd, asyncio.DatagramProtocol):
    """Listens for packets here; they go to a port that a contact serves, and what it answers comes back.

    Args:
        first: number of the first source. Numbers of earlier runs must not be expected any more, so it is
            chosen at random.
        failed: told once of each kind of trouble, in a sentence.
    """

    def __init__(self, node: BaseNode, tunnel: Tunnel, first: int, failed: Callable[[str], None]) -> None:
        super().__init__(node, tunnel, failed)
        self._next = first
        self._numbers: Sources[tuple[str, int], int] = Sources()
        self._addresses: dict[int, tuple[str, int]] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._now = asyncio.get_running_loop().time

    @property
    def port(self) -> int | None:
        """Where it listens; None while it does not."""
        return None if self._transport is None else self._transport.get_extra_info("sockname")[1]

    async def open(self) -> None:
        """Listen. Raises OSError."""
        endpoint = self._tunnel.endpoint
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=(endpoint.host, endpoint.port)
        )
        self._transport = transport
        self._subscribe(reply_service(self._tunnel.name), self._reply)

    async def close(self) -> None:
        """Listen no more."""
        await self._unsubscribe()
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def sweep(self) -> None:
        """Forget the sources that were silent for long."""
        self._forget(self._numbers.expire(self._now()))

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """A packet of a program here."""
        now = self._now()
        number = self._numbers.touch(addr, now)
        if number is None:
            number, self._next = self._next, (self._next + 1) % _SOURCE_NUMBERS
            self._forget(self._numbers.add(addr, number, now))
            self._addresses[number] = addr
            self.figures.connections += 1
            self.figures.open = len(self._addresses)
        try:
            peer = self._node.peer(self._tunnel.contact)
        except P4Error as error:
            self.figures.dropped += 1
            self._tell(error.code, error.message)
            return
        self._send(peer, self._tunnel.service, number, data)

    def error_received(self, exc: Exception) -> None:
        """A program that is not there any more was sent an answer."""
        _log.debug("%s: %s", self._tunnel.service, exc)

    def _reply(self, received: ReceivedDatagram) -> None:
        if received.peer.peer_id != self._tunnel.contact or self._transport is None:
            return
        try:
            number, packet = unpack(received.data)
        except FrameError as error:
            _log.debug("%s: %s", self._tunnel.service, error.message)
            return
        address = self._addresses.get(number)
        if address is None:
            return
        self._numbers.touch(address, self._now())
        self._took(packet)
        self._transport.sendto(packet, address)

    def _forget(self, numbers: list[int]) -> None:
        for number in numbers:
            del self._addresses[number]
        self.figures.open = len(self._addresses)


class UdpServed(_UdpEnd):
    """Packets of contacts, led to one host and port; each of their sources has a socket of its own."""

    def __init__(self, node: BaseNode, tunnel: Tunnel, failed: Callable[[str], None]) -> None:
        super().__init__(node, tunnel, failed)
        self._sources: dict[str, Sources[int, _Source]] = {}
        self._now = asyncio.get_running_loop().time

    async def open(self) -> None:
        """Take packets from now on."""
        self._subscribe(self._tunnel.service, self._arrived)

    async def close(self) -> None:
        """Take no more, and close all sockets."""
        await self._unsubscribe()
        for sources in self._sources.values():
            for source in sources.clear():
                source.close()
        self._sources.clear()

    def sweep(self) -> None:
        """Close the sockets over which nothing went for long."""
        for contact, sources in list(self._sources.items()):
            for source in sources.expire(self._now()):
                source.close()
            if not len(sources):
                del self._sources[contact]
        self._count()

    def _arrived(self, received: ReceivedDatagram) -> None:
        try:
            number, packet = unpack(received.data)
        except FrameError as error:
            _log.debug("%s: %s", self._tunnel.service, error.message)
            return
        sources = self._sources.setdefault(received.peer.peer_id, Sources())
        source = sources.touch(number, self._now())
        if source is None:
            source = _Source(self, received.peer, number)
            for gone in sources.add(number, source, self._now()):
                gone.close()
            self.figures.connections += 1
            self._count()
            source.open(self._tunnel.endpoint.host, self._tunnel.endpoint.port)
        self._took(packet)
        source.send(packet)

    def answer(self, peer: Peer, number: int, packet: bytes) -> None:
        """The target sent something back to a source."""
        sources = self._sources.get(peer.peer_id)
        if sources is not None and sources.touch(number, self._now()) is not None:
            self._send(peer, reply_service(self._tunnel.name), number, packet)

    def unreachable(self, reason: str) -> None:
        """The target cannot be sent to."""
        self.figures.dropped += 1
        self._tell("target", f"UDP packets for {self._tunnel.endpoint} do not arrive: {reason}.")

    def _count(self) -> None:
        self.figures.open = sum(len(sources) for sources in self._sources.values())


class _Source(asyncio.DatagramProtocol):
    """The socket that stands for one source of a contact; connected, so that it hears the target alone."""

    def __init__(self, served: UdpServed, peer: Peer, number: int) -> None:
        self._served = served
        self._peer = peer
        self._number = number
        self._transport: asyncio.DatagramTransport | None = None
        self._early: deque[bytes] = deque(maxlen=_EARLY_PACKETS)
        self._opening: asyncio.Task[None] | None = None
        self._closed = False

    def open(self, host: str, port: int) -> None:
        """Make the socket; packets that come before it is there wait."""
        self._opening = asyncio.create_task(self._open(host, port))

    async def _open(self, host: str, port: int) -> None:
        try:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: self, remote_addr=(host, port)
            )
        except OSError as error:
            self._served.unreachable(str(error))
            return
        if self._closed:
            transport.close()
            return
        self._transport = transport
        while self._early:
            transport.sendto(self._early.popleft())

    def send(self, packet: bytes) -> None:
        """To the target."""
        if self._transport is None:
            self._early.append(packet)
        else:
            self._transport.sendto(packet)

    def close(self) -> None:
        """Close the socket."""
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: object) -> None:
        """From the target."""
        self._served.answer(self._peer, self._number, data)

    def error_received(self, exc: Exception) -> None:
        """The target is not there (ICMP)."""
        self._served.unreachable(getattr(exc, "strerror", None) or str(exc))
