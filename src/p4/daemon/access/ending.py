"""Ends that many wait for without a task each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Ending"]


class Ending(asyncio.Event):
    """Set once, when something is over for good. A task per request that waits for it would cost much."""

    def __init__(self) -> None:
        super().__init__()
        self._callbacks: dict[Callable[[], None], None] = {}

    def set(self) -> None:
        """It is over: wake who waits, and call who wanted to be called."""
        super().set()
        callbacks, self._callbacks = self._callbacks, {}
        for callback in callbacks:
            callback()

    def add_callback(self, callback: Callable[[], None]) -> None:
        """Call this once it is over; now, if it is."""
        if self.is_set():
            callback()
        else:
            self._callbacks[callback] = None

    def remove_callback(self, callback: Callable[[], None]) -> None:
        """Do not call it any more."""
        self._callbacks.pop(callback, None)
