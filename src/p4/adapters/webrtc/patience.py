"""How long candidates are gathered: a server that does not answer must not slow every reconnection."""

from __future__ import annotations

from p4.core import limits

__all__ = ["GatheringPatience"]


class GatheringPatience:
    """The cap on the next gathering, by what happened at the last one. One for all links of a backend.

    A STUN or TURN server that is silent costs a gathering its whole cap. After that the next few give it
    little time, and then one gives it the whole cap again: it may only have been slow.
    """

    def __init__(self) -> None:
        self._short_left = 0

    def seconds(self, *, relay_only: bool) -> float:
        """The cap for a gathering that begins now. Without host candidates there is nothing to hurry with."""
        return limits.GATHER_SILENT_SECONDS if self._short_left and not relay_only else limits.GATHER_SECONDS

    def ended(self, *, complete: bool) -> None:
        """A gathering has ended: every server answered (or failed), or the cap was reached."""
        if complete:
            self._short_left = 0
        elif self._short_left:
            self._short_left -= 1
        else:
            self._short_left = limits.GATHER_SHORT_TIMES
