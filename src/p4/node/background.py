"""Work that nobody waits for, until its owner ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine

__all__ = ["BackgroundTasks", "all_of"]

_log = logging.getLogger(__name__)


class BackgroundTasks:
    """Tasks that end with their owner.

    Args:
        failed: told of the exception of a task that has one.
    """

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Begin something; after `close` nothing begins any more."""
        if self._closed:
            work.close()
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def close(self, patience: float) -> None:
        """Let what runs finish for up to ``patience`` seconds, then cancel it."""
        self._closed = True
        if self._tasks:
            # Writes to disk are among them.
            await asyncio.wait(self._tasks, timeout=patience)
        for task in self._tasks:
            task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._failed(error)


async def all_of(*work: Awaitable[None]) -> None:
    """Wait for all; one that fails must not keep the others from ending, so it is only logged."""
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, BaseException):
            _log.error("while the node ended", exc_info=outcome)
