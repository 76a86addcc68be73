"""How long to wait before the next attempt (spec/signaling.md, Dial policy)."""

from __future__ import annotations

from collections.abc import Callable

from p4.core import limits

__all__ = ["Pace"]


class Pace:
    """Delays in seconds, each with its jitter.

    Args:
        jitter: gives numbers between 0 and 1.
        longest: the longest delay after failures.
    """

    def __init__(self, jitter: Callable[[], float], longest: float) -> None:
        self._jitter = jitter
        self._longest = longest

    def after_failures(self, failures: int) -> float:
        """Before the next attempt after so many failures in a row."""
        delay: float = min(limits.RETRY_FIRST_SECONDS * 2 ** min(failures - 1, 16), self._longest)
        return delay * (1 + limits.RETRY_JITTER * (2 * self._jitter() - 1))

    def after_busy(self) -> float:
        """Before an attempt of our own if the contact's does not arrive."""
        return limits.BUSY_SECONDS * (1 + self._jitter())

    def after_cancel(self, *, lower: bool) -> float:
        """After both gave way to each other; ``lower``: ours is the lower id."""
        return self._jitter() * limits.STAGGER_SECONDS + (0.0 if lower else 3 * limits.STAGGER_SECONDS)

    def quiet(self, protocol: int) -> float:
        """What a contact that may be version 1 gets to dial first; ``protocol`` 1 if it is known to be."""
        low, high = limits.QUIET_V1_SECONDS if protocol == 1 else limits.QUIET_SECONDS
        return low + (high - low) * self._jitter()
