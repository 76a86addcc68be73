"""A stream between two of our contacts that we pass on without reading it (spec/introduction.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from p4.core import limits
from p4.core.identity import PeerId
from p4.core.session.introduction_frames import CeaseReason
from p4.node.introduction_link import IntroductionLink

__all__ = ["Crossing"]


class Crossing:
    """Two passages, one on each link: what arrives on one leaves on the other.

    Args:
        asker: who began it, its link and its number there.
        target: whom it wants to reach, and that link.
        may_pass: whether a contact may have a line of so many bytes passed on now.
        over: told once when it has ended.
    """

    def __init__(
        self,
        asker: tuple[PeerId, IntroductionLink, int],
        target: tuple[PeerId, IntroductionLink],
        *,
        may_pass: Callable[[PeerId, int], bool],
        over: Callable[[Crossing], None],
    ) -> None:
        self.asker, asker_link, number = asker
        self.target, target_link = target
        self.asking = _Side(self, self.asker, asker_link)
        """Where the asker's frames go."""
        self.asking.number = number
        self._targeted = _Side(self, self.target, target_link)
        self._may_pass = may_pass
        self._over = over
        self._ended = False
        self._timer = asyncio.get_running_loop().call_later(
            limits.INTRODUCTION_SECONDS, self.end, CeaseReason.OVER
        )

    def pass_on(self, came: _Side, line: bytes) -> None:
        """A line arrived on one side."""
        other = self._targeted if came is self.asking else self.asking
        # Nothing is kept here: what cannot leave at once ends the stream.
        if not self._may_pass(came.peer_id, len(line)) or other.link.room() <= 0:
            self.end(CeaseReason.REFUSED)
            return
        if other.number is None:
            other.number = other.link.begin(other)
        other.link.convey(other.number, line)

    def end(self, reason: CeaseReason) -> None:
        """It is over: tell both sides, as far as they do not know."""
        if self._ended:
            return
        self._ended = True
        self._timer.cancel()
        self._over(self)
        for side in (self.asking, self._targeted):
            if side.number is not None:
                side.link.cease(side.number, reason)


class _Side:
    """One link's end of it; a `p4.node.introduction_link.Passage`."""

    def __init__(self, crossing: Crossing, peer_id: PeerId, link: IntroductionLink) -> None:
        self.peer_id = peer_id
        self.link = link
        self.number: int | None = None
        self._crossing = crossing

    def conveyed(self, line: bytes) -> None:
        self._crossing.pass_on(self, line)

    def ceased(self, reason: CeaseReason) -> None:
        # This side's link has forgotten the number already, so only the other one is told.
        self._crossing.end(reason)
