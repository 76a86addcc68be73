"""How much of something a contact may do: so much at once, and for ever at a rate."""

from __future__ import annotations

__all__ = ["Allowance"]


class Allowance:
    """A token bucket.

    Args:
        burst: what may be taken at once.
        per_second: what comes back in a second.
        now: monotonic seconds.
    """

    def __init__(self, burst: float, per_second: float, now: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._level = burst
        self._at = now

    def take(self, amount: float, now: float) -> bool:
        """Take so much if there is so much; else take nothing.

        Returns:
            Whether it was taken.
        """
        self._level = min(self._burst, self._level + (now - self._at) * self._per_second)
        self._at = now
        if amount > self._level:
            return False
        self._level -= amount
        return True
