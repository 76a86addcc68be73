"""Waking those who wait for something to happen to a stream."""

from __future__ import annotations

import asyncio

__all__ = ["Waiting"]

_MUCH = 16 * 1024
"""Bytes. Whoever waits for less is woken at once: it may be one side of a dialogue."""


class Waiting:
    """Tasks that wait until something has changed. Each looks for itself whether it was what it waits for."""

    __slots__ = ("_timer", "_waiting")

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()
        self._timer = False
        """Whether a timer will wake them."""

    async def wait(self) -> None:
        """Wait for the next change."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)

    def wake(self) -> None:
        """Something has changed."""
        self._timer = False
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def wake_for(self, size: int) -> None:
        """So many bytes more can be read."""
        if size < _MUCH:
            self.wake()
        elif self._waiting and not self._timer:
            # By a timer, because wrtc hands over what has arrived until the loop has something else to do,
            # and timers do not count. One wake-up then serves for all of it.
            self._timer = True
            asyncio.get_running_loop().call_later(0, self.wake)
