"""Calling all contacts without calling them all at the same moment."""

from __future__ import annotations

import asyncio

from p4.core import limits
from p4.node.peer import Peer
from p4.node.roster import Roster

__all__ = ["Waking"]


class Waking:
    """Wakes the contacts of a roster, those seen last first; each dial costs a circuit."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._later: asyncio.Task[None] | None = None

    def wake_all(self) -> None:
        """Begin to dial everybody."""
        peers = self._roster.latest_first()
        for peer in peers[: limits.WAKE_AT_ONCE]:
            peer.wake()
        if later := peers[limits.WAKE_AT_ONCE :]:
            self.close()
            self._later = asyncio.create_task(_wake_later(later))

    def close(self) -> None:
        """Wake nobody any more."""
        if self._later:
            self._later.cancel()


async def _wake_later(peers: list[Peer]) -> None:
    for peer in peers:
        await asyncio.sleep(1 / limits.DIALS_PER_SECOND)
        peer.wake()
