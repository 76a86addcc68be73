"""Many may work together, or one alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

__all__ = ["Turns"]


class Turns:
    """Lets any number work side by side until one needs to be alone; whoever comes then waits for it.

    For operations that may overlap among themselves but not with one that changes what they rely on.
    """

    def __init__(self) -> None:
        self._together = 0
        self._alone = False
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Work beside others."""
        await self._until(lambda: not self._alone)
        self._together += 1
        try:
            yield
        finally:
            self._together -= 1
            self._changed.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Work while nobody else does."""
        await self._until(lambda: not self._alone)
        self._alone = True
        try:
            await self._until(lambda: not self._together)
            yield
        finally:
            self._alone = False
            self._changed.set()

    async def _until(self, possible: Callable[[], bool]) -> None:
        while not possible():
            self._changed.clear()
            await self._changed.wait()
