"""Opening a signaling stream to a contact, with a second try beside a slow first one."""

from __future__ import annotations

import asyncio

from p4.core import limits
from p4.core.address import RendezvousAddress
from p4.errors import RendezvousError
from p4.ports import Rendezvous, SignalStream

__all__ = ["dial"]


async def dial(rendezvous: list[Rendezvous], address: RendezvousAddress, *, fresh: bool) -> SignalStream:
    """Reach an address with whatever speaks its transport.

    A stale onion descriptor can hold a dial for as long as Tor likes. So a dial that is not through after
    ``limits.HEDGE_SECONDS`` gets a second one beside it that fetches the descriptor anew; the first
    stream that opens is used.

    Raises:
        RendezvousError: ``no-transport``, or why the last of them failed.
    """
    for candidate in rendezvous:
        if candidate.transport is address.transport:
            return await _hedged(candidate, address, fresh=fresh)
    raise RendezvousError(
        f"This node has no {address.transport.value} rendezvous and cannot reach {address}. "
        f"Start it in {address.transport.value} mode.",
        code="no-transport",
    )


async def _hedged(rendezvous: Rendezvous, address: RendezvousAddress, *, fresh: bool) -> SignalStream:
    first = _start(rendezvous, address, fresh=fresh)
    dials = {first}
    try:
        done, pending = await asyncio.wait(dials, timeout=limits.HEDGE_SECONDS)
        if not done:
            dials.add(_start(rendezvous, address, fresh=True))
            pending = dials
        while True:
            for dial in done:
                if dial.exception() is None:
                    dials.discard(dial)
                    return dial.result()
            if not pending:
                return first.result()
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for dial in dials:
            dial.add_done_callback(_close_unused)
            dial.cancel()


def _start(rendezvous: Rendezvous, address: RendezvousAddress, *, fresh: bool) -> asyncio.Task[SignalStream]:
    return asyncio.create_task(rendezvous.dial(address, timeout=limits.DIAL_SECONDS, fresh=fresh))


def _close_unused(dial: asyncio.Task[SignalStream]) -> None:
    # It may have succeeded in the same turn of the loop as the one that is used.
    if not dial.cancelled() and dial.exception() is None:
        dial.result().close()
