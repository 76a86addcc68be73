"""Opening signaling streams to contacts, with further tries beside a slow first one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from p4.core import limits
from p4.core.address import RendezvousAddress
from p4.errors import RendezvousError
from p4.ports import Rendezvous, SignalStream

__all__ = ["Dialler"]


class Dialler:
    """Reaches an address with whatever speaks its transport. One for the whole node.

    Args:
        rendezvous: the first that has the address' transport is used.
    """

    def __init__(self, rendezvous: Sequence[Rendezvous]) -> None:
        self._rendezvous = rendezvous
        self._hedges = 0

    async def dial(self, address: RendezvousAddress, *, fresh: bool) -> SignalStream:
        """Open a stream to a signaling address.

        A stale onion descriptor can hold a dial for as long as Tor likes. So a dial that is not through
        gets others beside it after each of ``limits.HEDGE_SECONDS``, which fetch the descriptor anew; the
        first stream that opens is used, the others are closed.

        Args:
            fresh: also the first dial fetches the descriptor anew.

        Raises:
            RendezvousError: ``no-transport``, or why the first dial failed.
        """
        for candidate in self._rendezvous:
            if candidate.transport is address.transport:
                return await self._race(candidate, address, fresh=fresh)
        raise RendezvousError(
            f"This node has no {address.transport.value} rendezvous and cannot reach {address}. "
            f"Start it in {address.transport.value} mode.",
            code="no-transport",
        )

    async def _race(self, rendezvous: Rendezvous, address: RendezvousAddress, *, fresh: bool) -> SignalStream:
        first = _start(rendezvous, address, fresh=fresh)
        dials = {first}
        pauses = iter(limits.HEDGE_SECONDS)
        hedges = 0
        try:
            while pending := {dial for dial in dials if not dial.done()}:
                done, _ = await asyncio.wait(
                    pending, timeout=next(pauses, None), return_when=asyncio.FIRST_COMPLETED
                )
                for dial in done:
                    if dial.exception() is None:
                        dials.discard(dial)
                        return dial.result()
                if not done and self._hedges < limits.HEDGED_DIALS:
                    self._hedges += 1
                    hedges += 1
                    dials.add(_start(rendezvous, address, fresh=True))
            return first.result()
        finally:
            self._hedges -= hedges
            for dial in dials:
                dial.add_done_callback(_close_unused)
                dial.cancel()


def _start(rendezvous: Rendezvous, address: RendezvousAddress, *, fresh: bool) -> asyncio.Task[SignalStream]:
    return asyncio.create_task(rendezvous.dial(address, timeout=limits.DIAL_SECONDS, fresh=fresh))


def _close_unused(dial: asyncio.Task[SignalStream]) -> None:
    # It may have succeeded in the same turn of the loop as the one that is used.
    if not dial.cancelled() and dial.exception() is None:
        dial.result().close()
