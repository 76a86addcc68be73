"""Choosing the rendezvous that speaks an address' transport."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

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
        self._kept: dict[RendezvousAddress, SignalStream] = {}

    def keep(self, address: RendezvousAddress, stream: SignalStream) -> None:
        """The next dial to an address, if it comes soon, shall use a stream that is open already.

        Args:
            stream: its far end is the owner of the address, and waits for a request there.
        """
        self._close_kept(address)
        self._kept[address] = stream
        asyncio.get_running_loop().call_later(limits.FIRST_BYTE_SECONDS, self._close_kept, address, stream)

    def _close_kept(self, address: RendezvousAddress, stream: SignalStream | None = None) -> None:
        kept = self._kept.get(address)
        if kept is not None and stream in (None, kept):
            del self._kept[address]
            kept.close()

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
        if not fresh and (kept := self._kept.pop(address, None)) is not None:
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
