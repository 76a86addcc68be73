"""An action for events that come in bursts: once, when a burst seems to be over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from p4.errors import P4Error

__all__ = ["Burst"]


_T = TypeVar("_T")

QUIET_SECONDS, BURST_SECONDS = 0.15, 0.75
"""A change of network is many events, and Tor is told once: told a second time while it builds circuits, it
is reachable two seconds later."""


class Burst:
    """Makes one action of many requests.

    It is carried out when there was quiet for a while, but not much later than the first request. Requests
    that come during an action are another burst.

    Args:
        action: raises nothing.
        quiet_seconds: without a request, before the action.
        most_seconds: from the first request to the action, at most.
    """

    def __init__(
        self,
        action: Callable[[], Awaitable[None]],
        *,
        quiet_seconds: float = QUIET_SECONDS,
        most_seconds: float = BURST_SECONDS,
    ) -> None:
        self._action = action
        self._quiet = quiet_seconds
        self._most = most_seconds
        self._first_at: float | None = None
        self._last_at = 0.0
        self._running: asyncio.Task[None] | None = None
        self._done = 0

    def request(self) -> None:
        """Have it done. Returns at once."""
        loop = asyncio.get_running_loop()
        self._last_at = loop.time()
        if self._first_at is None:
            self._first_at = self._last_at
        if self._running is None:
            self._running = loop.create_task(self._run())

    async def through(self, attempt: Callable[[], Awaitable[_T]], broken: Callable[[P4Error], bool]) -> _T:
        """Do what the action would break: when it is over, and again if it came in between.

        Args:
            attempt: does it; raises what this raises.
            broken: whether an error of an attempt looks as if the action had caused it.
        """
        while True:
            while self._running is not None:
                await asyncio.wait([self._running])
                await asyncio.sleep(0)  # it may have begun again
            done = self._done
            try:
                return await attempt()
            except P4Error as error:
                if not broken(error) or (done == self._done and self._running is None):
                    raise

    def close(self) -> None:
        """Do nothing more; an action that runs is cancelled."""
        self._first_at = None
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> None:
        time = asyncio.get_running_loop().time
        try:
            while self._first_at is not None:
                due = min(self._last_at + self._quiet, self._first_at + self._most)
                if due > time():
                    await asyncio.sleep(due - time())
                else:
                    self._first_at = None
                    self._done += 1
                    await self._action()
        finally:
            self._running = None
