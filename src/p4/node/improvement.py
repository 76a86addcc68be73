"""Looking for a direct path while a link goes over a relay (spec/signaling.md, Dial policy)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from p4.core import limits
from p4.ports import LinkPath, PathKind

__all__ = ["Improvement"]

_FOLLOWER = 1.5
"""The side that does not lead waits longer by this factor: it acts only where the other one cannot."""


class Improvement:
    """Watches the path of the link in service.

    A path may become a relay's while a link lives, so that a direct one is looked at too, now and then.

    Args:
        improve: tries for a direct link beside the one in service.
        leads: whether we are the side that normally does so.
    """

    def __init__(self, improve: Callable[[], None], *, leads: bool) -> None:
        self._improve = improve
        self._factor = 1.0 if leads else _FOLLOWER
        self._task: asyncio.Task[None] | None = None

    def watch(self, path: Callable[[], Awaitable[LinkPath | None]]) -> None:
        """A link is in service.

        Args:
            path: tells the way it goes; None when it is over.
        """
        self.rest()
        self._task = asyncio.create_task(self._watch(path), name="better path")

    def rest(self) -> None:
        """There is no link in service."""
        if self._task:
            self._task.cancel()
            self._task = None

    async def _watch(self, path: Callable[[], Awaitable[LinkPath | None]]) -> None:
        delay, longest = (seconds * self._factor for seconds in limits.IMPROVE_SECONDS)
        while True:
            await asyncio.sleep(delay)
            found = await path()
            if found is not None and found.kind is PathKind.RELAY:
                self._improve()
                delay = min(2 * delay, longest)
            else:
                delay = longest
