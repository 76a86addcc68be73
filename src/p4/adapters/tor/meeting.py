"""Meeting places as temporary onion services: `p4.ports.pairing` over the node's own Tor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from p4.adapters.tor.onion_seed import onion_address
from p4.adapters.tor.rendezvous import TorRendezvous
from p4.adapters.tor.side_services import SideService
from p4.core.address import RendezvousAddress
from p4.errors import RendezvousError
from p4.ports import SignalStream
from p4.ports.pairing import MeetingKind

__all__ = ["OnionMeetingPlaces"]

_DIAL_SECONDS = 20.0
"""Longest single attempt to reach a place."""

_AGAIN_SECONDS = (0.5, 2.0)
"""Before a further attempt, at first and at most: the host may still be publishing."""

_HOPELESS = frozenset({"bad-onion-address", "not-allowed", "not-supported"})
"""Failures that no further attempt changes."""


class OnionMeetingPlaces:
    """Implements `p4.ports.pairing.MeetingPlaces` for `MeetingKind.ONION`.

    The seed is the service's Ed25519 key, so host and visitor compute the same address and nothing more has
    to be told. Each place has a socket and, in Tor, circuits of its own: nothing but their being in one Tor
    joins them to the node's address. Where there are no Unix sockets a place is also a TCP port on 127.0.0.1
    that local users can reach; what they get there is what every visitor gets.

    Visits use the rendezvous' way of dialling, with its own time-outs, and after a failure a descriptor that
    is fetched anew. Tor holds them while it still connects to its network; the rendezvous' status says how
    far it is, and so does the error of a visit that ran out of time before.

    Args:
        rendezvous: whose Tor is used; it need not be started yet.
    """

    def __init__(self, rendezvous: TorRendezvous) -> None:
        self._rendezvous = rendezvous
        self._visits: set[asyncio.Task[SignalStream]] = set()

    @property
    def kind(self) -> MeetingKind:
        """Always `MeetingKind.ONION`."""
        return MeetingKind.ONION

    async def host(self, seed: bytes, accept: Callable[[SignalStream], Awaitable[None]]) -> _OnionPlace:
        """See `p4.ports.pairing.MeetingPlaces`.

        Raises:
            LocalError: ``already-hosted``.
        """
        return _OnionPlace(self._rendezvous, await self._rendezvous.side_services.add(seed, accept))

    async def visit(
        self, seed: bytes, *, address: RendezvousAddress | None = None, timeout: float
    ) -> SignalStream:
        """See `p4.ports.pairing.MeetingPlaces`. ``address`` is not needed.

        Raises:
            RendezvousError: the code of the last attempt (`TorRendezvous.dial`), or ``closed``.
        """
        visit = asyncio.get_running_loop().create_task(self._visit(onion_address(seed), timeout))
        self._visits.add(visit)
        visit.add_done_callback(self._visits.discard)
        try:
            return await asyncio.shield(visit)
        except asyncio.CancelledError:
            if visit.cancelled():
                raise RendezvousError(
                    "The node ended while it looked for the other device.", code="closed"
                ) from None
            visit.add_done_callback(_close_result)
            visit.cancel()
            raise

    async def close(self) -> None:
        """See `p4.ports.pairing.MeetingPlaces`."""
        for visit in self._visits:
            visit.cancel()
        await self._rendezvous.side_services.close()

    async def _visit(self, address: RendezvousAddress, timeout: float) -> SignalStream:
        loop = asyncio.get_running_loop()
        deadline, pause, fresh = loop.time() + timeout, _AGAIN_SECONDS[0], False
        while True:
            left = deadline - loop.time()
            try:
                return await self._rendezvous.dial(address, timeout=min(left, _DIAL_SECONDS), fresh=fresh)
            except RendezvousError as error:
                if error.code in _HOPELESS or loop.time() + pause >= deadline:
                    raise
                fresh = error.code != "tor-down"
            await asyncio.sleep(pause)
            pause = min(2 * pause, _AGAIN_SECONDS[1])


class _OnionPlace:
    """A place that we hold open; implements `p4.ports.pairing.HostedPlace`."""

    address = None
    """The seed is enough."""

    def __init__(self, rendezvous: TorRendezvous, service: SideService) -> None:
        self._rendezvous = rendezvous
        self._service = service

    async def wait_open(self) -> None:
        """See `p4.ports.pairing.HostedPlace`."""
        await self._service.published.wait()

    async def close(self) -> None:
        """See `p4.ports.pairing.HostedPlace`."""
        await self._rendezvous.side_services.remove(self._service)


def _close_result(visit: asyncio.Task[SignalStream]) -> None:
    """A visit that nobody waits for any more: its stream is of no use, its failure of no interest."""
    if not visit.cancelled() and visit.exception() is None:
        visit.result().close()
