"""Meeting places on the local network: `p4.ports.pairing` by multicast DNS and TCP (spec/lan.md)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable

from p4.adapters.lan.discovery import MulticastDiscovery
from p4.adapters.lan.interfaces import local_interfaces
from p4.adapters.net.direct import DirectRendezvous
from p4.adapters.net.lines import LineStream, StreamAcceptor
from p4.core import limits
from p4.core.address import RendezvousAddress, Transport
from p4.core.lan import (
    announced_tags,
    meeting_filling_key,
    meeting_tag,
    meeting_tags_around,
    period_of,
    reachable_addresses,
)
from p4.errors import LocalError, RendezvousError
from p4.ports import SignalStream
from p4.ports.lan import LanDeparture, LanEvent, LanSighting
from p4.ports.pairing import MeetingKind

__all__ = ["LanMeetingPlaces"]

_HEAD_START_SECONDS = 0.25
"""Of one address of a place before the next is tried beside it."""

_NEW_ONES_SECONDS = 2.0
"""So long a further visit waits for a place where it was not yet, before it goes to one again."""

_LISTEN_ONLY = (bytes(limits.LAN_TAG_BYTES),)
"""What `MulticastDiscovery` is given to announce so that it listens; without a port nothing is sent."""

_LOOK_SECONDS = 5.0
"""How often the period and the networks are looked at: a place lives for minutes, and seldom moves."""

_SEEDS = 64
"""Seeds whose visits are remembered."""


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class LanMeetingPlaces:
    """Implements `p4.ports.pairing.MeetingPlaces` for `MeetingKind.LAN`.

    Each place has a TCP port and an announcement of its own, under random names, that looks like that of any
    device with P4; only who has the seed recognises its tag. A place admits only addresses on a network that
    this machine is on.

    For two-word codes the seed is public and says nothing about the words but the shelf that both sides
    compute from them (spec/pairing.md). So inviters beside each other are told apart by their shelf: a guest
    goes only to those of its own, and hardly ever spends the one guess of somebody else's code. Where two
    share a shelf, visits go from one to the other.

    Args:
        wall_ms: the clock by which tags change, Unix milliseconds.
    """

    def __init__(self, wall_ms: Callable[[], int] = _wall_ms) -> None:
        self._wall_ms = wall_ms
        self._dialler = DirectRendezvous("127.0.0.1", 0)  # used to dial only; it listens to nothing
        self._places: list[_LanPlace] = []
        self._visits: set[asyncio.Task[SignalStream]] = set()
        self._visited: dict[bytes, dict[str, int]] = {}
        self._closed = False

    @property
    def kind(self) -> MeetingKind:
        """Always `MeetingKind.LAN`."""
        return MeetingKind.LAN

    async def host(self, seed: bytes, accept: Callable[[SignalStream], Awaitable[None]]) -> _LanPlace:
        """See `p4.ports.pairing.MeetingPlaces`.

        Raises:
            LocalError: ``cannot-listen``: no TCP port can be opened.
        """
        place = _LanPlace(seed, accept, self._wall_ms)
        self._places = [each for each in self._places if each.busy]
        self._places.append(place)
        await place.open()
        return place

    async def visit(
        self, seed: bytes, *, address: RendezvousAddress | None = None, timeout: float
    ) -> SignalStream:
        """See `p4.ports.pairing.MeetingPlaces`. ``address`` is not needed.

        Raises:
            RendezvousError: ``not-found`` (no such place shows itself), ``closed``, or the code of
                `p4.adapters.net.direct.DirectRendezvous.dial`.
        """
        visit = asyncio.get_running_loop().create_task(self._visit(seed, timeout))
        self._visits.add(visit)
        visit.add_done_callback(self._visits.discard)
        try:
            return await asyncio.shield(visit)
        except asyncio.CancelledError:
            if self._closed and visit.done():
                raise RendezvousError(
                    "The node ended while it looked for the other device.", code="closed"
                ) from None
            visit.add_done_callback(_close_result)
            visit.cancel()
            raise

    async def close(self) -> None:
        """See `p4.ports.pairing.MeetingPlaces`."""
        self._closed = True
        visits = list(self._visits)
        for visit in visits:
            visit.cancel()
        places, self._places = self._places, []
        await asyncio.gather(*(place.end() for place in places), *visits, return_exceptions=True)

    async def _visit(self, seed: bytes, timeout: float) -> SignalStream:
        loop = asyncio.get_running_loop()
        visited = self._visited.setdefault(seed, {})
        if len(self._visited) > _SEEDS:
            self._visited.pop(next(iter(self._visited)))
        search = _Search(seed, self._wall_ms, visited)
        begun, failure = loop.time(), _not_found()
        try:
            await search.start()
            while True:
                left = begun + timeout - loop.time()
                try:
                    async with asyncio.timeout(left):
                        sighting = await search.next(begun + _NEW_ONES_SECONDS)
                        visited[sighting.name] = visited.get(sighting.name, 0) + 1
                        return await self._reach(sighting)
                except TimeoutError:
                    raise failure from None
                except RendezvousError as error:
                    failure = error
        finally:
            await search.close()

    async def _reach(self, sighting: LanSighting) -> SignalStream:
        """A stream to the first of its addresses that answers."""
        waiting = list(sighting.addresses)
        running: set[asyncio.Task[SignalStream]] = set()
        try:
            while True:
                if waiting:
                    address = RendezvousAddress(Transport.DIRECT, waiting.pop(0), sighting.port)
                    dial = self._dialler.dial(address, timeout=limits.ENDPOINT_SECONDS)
                    running.add(asyncio.ensure_future(dial))
                done, running = await asyncio.wait(
                    running,
                    timeout=_HEAD_START_SECONDS if waiting else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for dialled in done:
                    if dialled.exception() is None:
                        running |= done - {dialled}
                        return dialled.result()
                if not running and not waiting:
                    return next(iter(done)).result()  # raises
        finally:
            for dialled in running:
                dialled.add_done_callback(_close_result)
                dialled.cancel()


class _Search:
    """Looks for the announcements of a place.

    Args:
        visited: how often which of them were visited, by name.
    """

    def __init__(self, seed: bytes, wall_ms: Callable[[], int], visited: dict[str, int]) -> None:
        self._seed = seed
        self._wall_ms = wall_ms
        self._visited = visited
        self._discovery = MulticastDiscovery()
        self._seen: dict[str, LanSighting] = {}
        self._tried: set[str] = set()
        self._news = asyncio.Event()

    async def start(self) -> None:
        """Listen."""
        await self._discovery.start(0, self._observe)
        self._discovery.announce(_LISTEN_ONLY)

    async def next(self, patient_until: float) -> LanSighting:
        """The next to go to: one that was never visited; after this moment also another one.

        It was not given before in this search, unless it has changed since.
        """
        loop = asyncio.get_running_loop()
        while True:
            self._news.clear()
            here = [each for each in self._seen.values() if each.name not in self._tried]
            new = [each for each in here if each.name not in self._visited]
            if not new and loop.time() >= patient_until:
                new = sorted(here, key=lambda each: self._visited.get(each.name, 0))
            if new:
                self._tried.add(new[0].name)
                return new[0]
            left = patient_until - loop.time()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), left if left > 0 and here else None)

    async def close(self) -> None:
        """Listen no more."""
        await self._discovery.close()

    def _observe(self, event: LanEvent) -> bool:
        if isinstance(event, LanDeparture):
            self._seen.pop(event.name, None)
            return False
        if meeting_tags_around(self._seed, period_of(self._wall_ms())).isdisjoint(event.tags):
            return False
        self._seen[event.name] = event
        self._tried.discard(event.name)
        self._news.set()
        return True


class _LanPlace:
    """A place that we hold open; implements `p4.ports.pairing.HostedPlace`."""

    address = None
    """The seed is enough."""

    def __init__(
        self,
        seed: bytes,
        accept: Callable[[SignalStream], Awaitable[None]],
        wall_ms: Callable[[], int],
    ) -> None:
        self._seed = seed
        self._filling = meeting_filling_key(seed)
        self._wall_ms = wall_ms
        self._acceptor = StreamAcceptor(accept, "inbound, meeting nearby", most=limits.MEETING_VISITORS)
        self._discovery = MulticastDiscovery()
        self._servers: list[asyncio.Server] = []
        self._showing: asyncio.Task[None] | None = None
        self._shown = asyncio.Event()

    @property
    def busy(self) -> bool:
        """Whether it is open, or somebody who was accepted is still here."""
        return self._showing is not None or self._acceptor.busy

    async def open(self) -> None:
        """Listen and begin to show it. Raises LocalError."""
        port = await self._listen()
        await self._discovery.start(port, lambda event: False)
        self._showing = asyncio.create_task(self._show(), name="meeting place nearby")

    async def wait_open(self) -> None:
        """See `p4.ports.pairing.HostedPlace`."""
        await self._shown.wait()

    async def close(self) -> None:
        """See `p4.ports.pairing.HostedPlace`."""
        self._acceptor.stop()
        for server in self._servers:
            server.close()
        self._servers.clear()
        if self._showing is not None:
            self._showing.cancel()
            await asyncio.wait([self._showing])
            self._showing = None
        await self._discovery.close()

    async def end(self) -> None:
        """`close`, and end the streams of visitors."""
        await asyncio.gather(self.close(), self._acceptor.close())

    async def _show(self) -> None:
        """Show the tag of each period; begin anew on whatever networks there are then."""
        networks = frozenset[str]()
        while True:
            here = frozenset(str(address) for each in local_interfaces() for address in each.local_addresses)
            period = period_of(self._wall_ms())
            if here != networks:
                networks = here
                self._discovery.network_changed()
            self._discovery.announce(announced_tags([meeting_tag(self._seed, period)], self._filling, period))
            if here:
                self._shown.set()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _listen(self) -> int:
        """The port, the same for both families; IPv6 where there is any."""
        loop, port = asyncio.get_running_loop(), 0
        for host in ("0.0.0.0", "::"):  # noqa: S104 - who is not on a local network is turned away
            try:
                server = await loop.create_server(self._visitor, host, port, start_serving=False)
            except OSError as error:
                if port:
                    continue
                raise LocalError(
                    f"No port can be opened for pairing on the local network: {error.strerror or error}. "
                    "Nothing was begun.",
                    code="cannot-listen",
                ) from error
            self._servers.append(server)
            await server.start_serving()
            port = server.sockets[0].getsockname()[1]
        return port

    def _visitor(self) -> LineStream:
        return _Visitor(self._acceptor)


class _Visitor(LineStream):
    """An inbound stream, if it comes from a network that we are on."""

    def __init__(self, acceptor: StreamAcceptor) -> None:
        super().__init__("inbound, meeting nearby", acceptor.begin)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there (called by asyncio)."""
        if not _is_nearby(transport.get_extra_info("peername")):
            self.close()
        with contextlib.suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)


def _is_nearby(peer: tuple[object, ...]) -> bool:
    host = str(peer[0]).partition("%")[0]
    scope = peer[3] if len(peer) > 3 else 0
    return bool(reachable_addresses([f"{host}%{scope}" if scope else host], local_interfaces()))


def _close_result(visit: asyncio.Task[SignalStream]) -> None:
    """Nobody waits for it any more: its stream is of no use, its failure of no interest."""
    if not visit.cancelled() and visit.exception() is None:
        visit.result().close()


def _not_found() -> RendezvousError:
    return RendezvousError(
        "On this network no device shows itself with this invite. Check that both are on the same network, "
        "and that the invite is still open.",
        code="not-found",
    )
