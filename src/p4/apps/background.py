"""The work that an app has under way as long as it runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from p4.errors import LocalError

__all__ = ["Background"]

_log = logging.getLogger(__name__)


class Background:
    """Tasks of which nobody waits for the result. One that ends by a bug is told of in the log, at once."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Let a coroutine run beside everything else.

        Args:
            name: what it does, for the log.
        """
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Cancel all of it, and wait until it has ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not (
            isinstance(error, LocalError) and error.code == "closed"
        ):  # the store, or the node, ended first
            _log.error("%s ended by a bug", task.get_name(), exc_info=error)
