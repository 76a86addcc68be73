"""An action for an event that comes in bursts: at once for the first, and once more after the last."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

__all__ = ["Burst"]


class Burst:
    """Makes few actions of many requests, without being late for any.

    The first request is carried out at once. Those that follow share one more action, when there was quiet
    for a while and the last action is long enough ago. No two actions run at the same time.

    Args:
        action: raises nothing.
        quiet_seconds: without a request, before the shared action.
        apart_seconds: from the end of an action to the next, at least.
    """

    def __init__(
        self, action: Callable[[], Awaitable[None]], *, quiet_seconds: float, apart_seconds: float
    ) -> None:
        self._action = action
        self._quiet = quiet_seconds
        self._apart = apart_seconds
        self._requested_at = 0.0
        self._wanted = False
        self._ended_at = -apart_seconds
        self._running: asyncio.Task[None] | None = None

    def request(self) -> None:
        """Have it done. Returns at once."""
        loop = asyncio.get_running_loop()
        self._requested_at = loop.time()
        self._wanted = True
        if self._running is None:
            quick = loop.time() - self._ended_at >= self._apart
            self._running = loop.create_task(self._run(quick=quick))

    def close(self) -> None:
        """Do nothing more; an action that runs is cancelled."""
        self._wanted = False
        if self._running is not None:
            self._running.cancel()

    def _wait_seconds(self) -> float:
        due = max(self._requested_at + self._quiet, self._ended_at + self._apart)
        return due - asyncio.get_running_loop().time()

    async def _run(self, *, quick: bool) -> None:
        try:
            while self._wanted:
                while not quick and (wait := self._wait_seconds()) > 0:  # noqa: ASYNC110 - it grows meanwhile
                    await asyncio.sleep(wait)
                quick = self._wanted = False
                await self._action()
                self._ended_at = asyncio.get_running_loop().time()
        finally:
            self._running = None
