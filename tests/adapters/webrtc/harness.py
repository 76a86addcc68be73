"""Two ends of a link in one process, and a path between them that can be cut."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import psutil

from p4.adapters.webrtc import select_backend
from p4.core.ice import IceSettings
from p4.ports import ChannelOpened, Link, LinkBackend, LinkClosed, LinkEvent, LinkMessage

__all__ = [
    "COMBINATIONS",
    "NO_SERVERS",
    "CuttablePath",
    "End",
    "connected",
    "negotiate",
    "two_ends",
    "with_candidate",
]

COMBINATIONS = [("wrtc", "wrtc"), ("aiortc", "aiortc"), ("wrtc", "aiortc"), ("aiortc", "wrtc")]
"""Offerer and answerer: each library with itself and with the other in both roles."""

NO_SERVERS = IceSettings(stun=())
SECONDS = 60.0
"""Patience with one event on a busy machine."""


class End:
    """One end: its link, and what happened on it."""

    def __init__(self, backend: LinkBackend, ice: IceSettings = NO_SERVERS) -> None:
        self.backend = backend
        self.events: list[LinkEvent] = []
        self.on_event: Callable[[LinkEvent], None] | None = None
        self._queue: asyncio.Queue[LinkEvent] = asyncio.Queue()
        self.link: Link = backend.create(ice, self._take)

    def _take(self, event: LinkEvent) -> None:
        self.events.append(event)
        self._queue.put_nowait(event)
        if self.on_event is not None:
            self.on_event(event)

    async def next(self, *, seconds: float | None = None) -> LinkEvent:
        return await asyncio.wait_for(self._queue.get(), SECONDS if seconds is None else seconds)

    async def message(self) -> LinkMessage:
        """The next event, which must be a message."""
        event = await self.next()
        assert isinstance(event, LinkMessage)
        return event

    async def closed(self) -> LinkClosed:
        """The end of the link; what came before it is passed over."""
        while not isinstance(event := await self.next(), LinkClosed):
            pass
        return event


@asynccontextmanager
async def two_ends(
    names: tuple[str, str], ice: IceSettings = NO_SERVERS, *, answerer_ice: IceSettings | None = None
) -> AsyncIterator[tuple[End, End]]:
    """An offerer and an answerer that have not begun; both are closed at the end."""
    backends = [select_backend(name) for name in names]
    offerer, answerer = End(backends[0], ice), End(backends[1], answerer_ice or ice)
    try:
        yield offerer, answerer
    finally:
        for end in (offerer, answerer):
            end.link.close()
        for backend in backends:
            await backend.close()


async def negotiate(offerer: End, answerer: End) -> tuple[str, str]:
    """Offer and answer; gives both descriptions."""
    offer = await offerer.link.offer("chat")
    answer = await answerer.link.answer(offer)
    await offerer.link.accept_answer(answer)
    return offer, answer


@asynccontextmanager
async def connected(names: tuple[str, str], ice: IceSettings = NO_SERVERS) -> AsyncIterator[tuple[End, End]]:
    """An offerer and an answerer whose channel ``chat`` is open on both sides."""
    async with two_ends(names, ice) as (offerer, answerer):
        await negotiate(offerer, answerer)
        for end in (offerer, answerer):
            assert await end.next() == ChannelOpened("chat")
        yield offerer, answerer


def own_address() -> str:
    """An IPv4 address of this machine that candidates may name: loopback's only where there is no other."""
    addresses = [
        entry.address
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family == socket.AF_INET and not entry.address.startswith("127.")
    ]
    return addresses[0] if addresses else "127.0.0.1"


class CuttablePath:
    """Carries the datagrams of two ends through sockets of its own, until it is cut.

    With ``lose_next`` it loses one datagram and is whole again. Each end is told, in the other's
    description, of one candidate only: a socket of this path.
    """

    def __init__(self) -> None:
        self.cut = False
        self._lose_over: int | None = None
        self.lost = asyncio.Event()
        self._transports: list[asyncio.DatagramTransport] = []

    async def between(self, offerer: End, answerer: End) -> None:
        """Negotiate the two ends over this path."""
        offer = await offerer.link.offer("chat")
        towards_offerer = await self._socket(_host_of(offer))
        answer = await answerer.link.answer(with_candidate(offer, towards_offerer.address))
        towards_answerer = await self._socket(_host_of(answer))
        towards_offerer.lead(_host_of(offer), towards_answerer)
        towards_answerer.lead(_host_of(answer), towards_offerer)
        await offerer.link.accept_answer(with_candidate(answer, towards_answerer.address))

    def lose_next(self, *, over: int) -> None:
        """Lose the next datagram of more than ``over`` bytes; ``lost`` is set when that has happened."""
        self._lose_over = over
        self.lost.clear()

    def carries(self, data: bytes) -> bool:
        """Whether this datagram gets through."""
        if self._lose_over is not None and len(data) > self._lose_over:
            self._lose_over = None
            self.lost.set()
            return False
        return not self.cut

    def close(self) -> None:
        for transport in self._transports:
            transport.close()

    async def _socket(self, near: tuple[str, int]) -> _Hop:
        transport, hop = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Hop(self), local_addr=(near[0], 0)
        )
        self._transports.append(transport)
        return hop


class _Hop(asyncio.DatagramProtocol):
    """A socket that stands for one end; what it receives goes to that end, from the other hop."""

    def __init__(self, path: CuttablePath) -> None:
        self._path = path
        self._target: tuple[tuple[str, int], _Hop] | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport
        self.address: tuple[str, int] = transport.get_extra_info("sockname")[:2]

    def lead(self, end: tuple[str, int], other: _Hop) -> None:
        self._target = (end, other)

    def datagram_received(self, data: bytes, _: tuple[str, int]) -> None:
        if self._target is not None and self._path.carries(data):
            end, other = self._target
            other.transport.sendto(data, end)


def _host_of(sdp: str) -> tuple[str, int]:
    found = re.search(r"a=candidate:\S+ 1 udp \d+ (\d+\.\d+\.\d+\.\d+) (\d+) typ host", sdp)
    assert found is not None
    return found[1], int(found[2])


def with_candidate(sdp: str, address: tuple[str, int]) -> str:
    """The description with this host candidate instead of its own."""
    lines = [line for line in sdp.splitlines() if not line.startswith("a=candidate:")]
    candidate = f"a=candidate:1 1 udp 2130706431 {address[0]} {address[1]} typ host"
    lines.insert(lines.index("a=end-of-candidates"), candidate)
    return "\r\n".join([*lines, ""])
