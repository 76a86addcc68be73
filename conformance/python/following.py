"""Iterators that are asked with a time limit, and lose nothing by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from p4.errors import LocalError

__all__ = ["Following", "timed_out"]

Item = TypeVar("Item")


def timed_out(seconds: float) -> LocalError:
    """The error that the protocol wants when something did not come in time."""
    return LocalError(f"Nothing came within {seconds:g} s.", code="timeout")


class Following(Generic[Item]):
    """An iterator of which `next` may give up waiting; what comes later is there for the next one."""

    def __init__(self, items: AsyncIterator[Item]) -> None:
        self._items = items
        self._next: asyncio.Task[Item] | None = None

    async def next(self, seconds: float) -> Item:
        """The next item. Raises LocalError ``timeout``, and what the iterator raises."""
        if self._next is None:
            self._next = asyncio.create_task(self._step())
        done, _ = await asyncio.wait({self._next}, timeout=seconds)
        if not done:
            raise timed_out(seconds)
        task, self._next = self._next, None
        return task.result()

    async def close(self) -> None:
        """Wait for nothing more."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait({self._next})
        closing = getattr(self._items, "aclose", None)
        if closing is not None:
            await closing()

    async def _step(self) -> Item:
        return await anext(self._items)
