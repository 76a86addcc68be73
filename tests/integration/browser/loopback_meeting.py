"""Meeting places of the local network, for nodes in one process: found in a table instead of by multicast.

Not every machine passes multicast on to itself. The streams are TCP on 127.0.0.1, as real ones would be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from p4.adapters.net.direct import DirectRendezvous
from p4.adapters.net.lines import StreamAcceptor
from p4.core.address import RendezvousAddress, Transport
from p4.errors import RendezvousError
from p4.ports import SignalStream
from p4.ports.pairing import MeetingKind

__all__ = ["LoopbackMeetings", "one_network"]


@dataclass
class _Place:
    """Implements `p4.ports.pairing.HostedPlace`."""

    server: asyncio.Server
    acceptor: StreamAcceptor
    address: RendezvousAddress | None = None

    @property
    def port(self) -> int:
        return int(self.server.sockets[0].getsockname()[1])

    async def wait_open(self) -> None:
        """It is open from the beginning."""

    async def close(self) -> None:
        self.server.close()
        self.acceptor.stop()


@dataclass
class LoopbackMeetings:
    """Implements `p4.ports.pairing.MeetingPlaces` for `MeetingKind.LAN`; see `one_network`."""

    table: dict[bytes, _Place]
    _own: list[_Place] = field(default_factory=list)
    _dialler: DirectRendezvous = field(default_factory=lambda: DirectRendezvous("127.0.0.1", 0))

    @property
    def kind(self) -> MeetingKind:
        return MeetingKind.LAN

    async def host(self, seed: bytes, accept: Callable[[SignalStream], Awaitable[None]]) -> _Place:
        acceptor = StreamAcceptor(accept, "inbound, meeting on loopback")
        server = await asyncio.get_running_loop().create_server(acceptor.protocol, "127.0.0.1", 0)
        place = self.table[seed] = _Place(server, acceptor)
        self._own.append(place)
        return place

    async def visit(
        self, seed: bytes, *, address: RendezvousAddress | None = None, timeout: float
    ) -> SignalStream:
        place = self.table.get(seed)
        if place is None or not place.server.is_serving():
            raise RendezvousError("Nobody hosts this place.", code="not-found")
        where = RendezvousAddress(Transport.DIRECT, "127.0.0.1", place.port)
        return await self._dialler.dial(where, timeout=timeout)

    async def close(self) -> None:
        for place in self._own:
            await place.close()
            await place.acceptor.close()


def one_network() -> Callable[[], LoopbackMeetings]:
    """Makes the meeting places of nodes that find each other."""
    return partial(LoopbackMeetings, {})
