"""How far a writer may run ahead of what is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from p4.core import limits
from p4.core.session.streams.writer import Writer

__all__ = ["Pace"]

_NEAR_BYTES = limits.STREAM_RECENT_BYTES[0] // 2
"""So much that is written and not sent is near enough to be sent from memory."""

_PATIENCE_SECONDS = 0.1
_PROGRESS_BYTES = 256 * 1024
"""A writer waits for a contact that takes so much in that time: more than 2.6 MB/s."""

_AHEAD_BYTES = 4 * 1024 * 1024
"""A writer that runs ahead looks again, after so many bytes, whether that is still needed."""


class Pace:
    """Lets a writer wait for what it wrote to be sent: what runs far ahead has to be read back from the disk.

    A contact that takes little, or none, makes nobody wait before the spool is full.

    Args:
        writer: what is written and what was sent.
        changed: waits for anything to change.
    """

    def __init__(self, writer: Writer, changed: Callable[[], Awaitable[None]]) -> None:
        self._writer = writer
        self._changed = changed
        self._waiting = False
        self._ahead_until = 0

    async def keep(self) -> None:
        """Wait until little is unsent, or the contact has shown that it is slow."""
        writer = self._writer
        while self.is_ahead and writer.heard and writer.written >= self._ahead_until:
            before = writer.sent
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    while self.is_ahead and writer.heard:
                        self._waiting = True
                        await self._changed()
            if self.is_ahead and writer.sent - before < _PROGRESS_BYTES:
                self._ahead_until = writer.written + _AHEAD_BYTES

    def near_again(self) -> bool:
        """Whether a writer waits and need not any more; said once."""
        if self._waiting and not self.is_ahead:
            self._waiting = False
            return True
        return False

    @property
    def is_ahead(self) -> bool:
        """Whether much is written and not sent."""
        return self._writer.written - self._writer.sent > _NEAR_BYTES
