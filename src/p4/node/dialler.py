"""Choosing the rendezvous that speaks an address' transport."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from p4.core import limits
from p4.core.address import RendezvousAddress
from p4.errors import RendezvousError
from p4.ports import Rendezvous, SignalStream

__all__ = ["Dialler"]


class Dialler:
    """Opens signaling streams to contacts. One for the whole node.

    Args:
        rendezvous: the first that has an address' transport is used for it.
    """

    def __init__(self, rendezvous: Sequence[Rendezvous]) -> None:
        self._rendezvous = rendezvous
        self._kept: list[tuple[frozenset[RendezvousAddress], SignalStream]] = []

    def keep(self, addresses: Collection[RendezvousAddress], stream: SignalStream) -> None:
        """The next dial to one of these addresses, if it comes soon, shall use a stream that is open already.

        Args:
            addresses: of the owner of the far end, which waits for a request there.
        """
        kept = (frozenset(addresses), stream)
        self._kept.append(kept)
        asyncio.get_running_loop().call_later(limits.FIRST_BYTE_SECONDS, self._give_up, kept)

    def close(self) -> None:
        """End what is kept."""
        for kept in list(self._kept):
            self._give_up(kept)

    def _give_up(self, kept: tuple[frozenset[RendezvousAddress], SignalStream]) -> None:
        if kept in self._kept:
            self._kept.remove(kept)
            kept[1].close()

    def _take(self, address: RendezvousAddress) -> SignalStream | None:
        for kept in self._kept:
            if address in kept[0]:
                self._kept.remove(kept)
                return kept[1]
        return None

    async def dial_endpoint(self, address: RendezvousAddress) -> SignalStream:
        """Open a stream to an address that is quick to try. Raises RendezvousError."""
        return await self._dial(address, timeout=limits.ENDPOINT_SECONDS, fresh=False)

    async def dial(self, address: RendezvousAddress, *, fresh: bool) -> SignalStream:
        """Open a stream to a signaling address.

        Args:
            fresh: forget what is cached about the address first.

        Raises:
            RendezvousError: ``no-transport``, or why the dial failed.
        """
        if not fresh and (kept := self._take(address)) is not None:
            return kept
        return await self._dial(address, timeout=limits.DIAL_SECONDS, fresh=fresh)

    async def _dial(self, address: RendezvousAddress, *, timeout: float, fresh: bool) -> SignalStream:
        for rendezvous in self._rendezvous:
            if rendezvous.transport is address.transport:
                return await rendezvous.dial(address, timeout=timeout, fresh=fresh)
        raise RendezvousError(
            f"This node has no {address.transport.value} rendezvous and cannot reach {address}. "
            f"Start it in {address.transport.value} mode.",
            code="no-transport",
        )
