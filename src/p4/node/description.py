"""How the two ends of a link describe themselves to each other, with the candidates that may be used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from p4.core import limits
from p4.core.candidates import keep_candidates
from p4.node.punching import Punching
from p4.ports import Link

__all__ = ["Description"]


class Description:
    """Offer and answer of one link, and what follows them.

    Args:
        wanted: which candidates may be used, of both sides.
    """

    def __init__(self, link: Link, wanted: Callable[[str], bool]) -> None:
        self.punching: Punching | None = None
        """Port guessing beside it, to be set before it begins; ends with it."""
        self._link = link
        self._wanted = wanted
        self._theirs = asyncio.Event()
        """The far end's description is known to the library."""
        self._added: set[str] = set()

    async def offer(self, label: str, found: Callable[[str], None] | None, awaited: frozenset[str]) -> str:
        """See `p4.ports.Link.offer`."""
        ours = await self._link.offer(label, self._only_wanted(found), awaited=awaited)
        return keep_candidates(ours, self._wanted)

    async def answer(self, sdp: str, found: Callable[[str], None] | None) -> str:
        """See `p4.ports.Link.answer`."""
        sdp = keep_candidates(sdp, self._wanted)
        ours = await self._link.answer(sdp, self._only_wanted(found))
        self._theirs.set()
        return keep_candidates(ours, self._wanted)

    async def accept_answer(self, sdp: str) -> None:
        """See `p4.ports.Link.accept_answer`."""
        await self._link.accept_answer(keep_candidates(sdp, self._wanted))
        self._theirs.set()

    async def add_candidates(self, candidates: Sequence[str]) -> None:
        """Take what follows the far end's description, once that is known."""
        await self._theirs.wait()
        for candidate in filter(self._wanted, candidates):
            # Each stream that carries the negotiation brings them all.
            if candidate not in self._added and len(self._added) < limits.NEGOTIATION_CANDIDATES:
                self._added.add(candidate)
                await self._link.add_candidate(candidate)

    @property
    def gathered(self) -> bool:
        """See `p4.ports.Link.gathered`."""
        return self._link.gathered

    def close(self) -> None:
        """The link is over: nobody waits any more."""
        self._theirs.set()
        if self.punching:
            self.punching.close()

    def _only_wanted(self, found: Callable[[str], None] | None) -> Callable[[str], None] | None:
        if found is None:
            return None
        return lambda candidate: found(candidate) if not candidate or self._wanted(candidate) else None
