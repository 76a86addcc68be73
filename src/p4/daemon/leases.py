"""What ends by itself after a time: messages that a program took without keeping a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Leases"]


class Leases:
    """Timers of one daemon."""

    def __init__(self) -> None:
        self._timers: set[asyncio.TimerHandle] = set()

    def __len__(self) -> int:
        return len(self._timers)

    def begin(self, seconds: float, ended: Callable[[], None]) -> Callable[[], None]:
        """Call ``ended`` after a time, unless the daemon ends before.

        Returns:
            To be called when there is nothing left to end.
        """

        def end() -> None:
            self._timers.discard(timer)
            ended()

        timer = asyncio.get_running_loop().call_later(seconds, end)
        self._timers.add(timer)

        def give_up() -> None:
            timer.cancel()
            self._timers.discard(timer)

        return give_up

    def close(self) -> None:
        """End no more leases: the node ends, and what was not done comes after its next start."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
