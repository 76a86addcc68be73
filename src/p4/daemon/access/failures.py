"""A limit for guessing: after too many wrong tokens or codes, those who bring more of them wait."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from p4.core import limits
from p4.errors import AccessError

__all__ = ["FailureLimit"]


class FailureLimit:
    """Counts failed attempts. One for all: on one machine nobody can be told apart.

    Who shows what is valid is never kept waiting, so nobody can shut others out by failing on purpose. A
    guess at 256 bits succeeds never; the limit keeps processor and log free of those who try.

    Args:
        now: monotonic seconds.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures: deque[float] = deque(maxlen=limits.TOKEN_FAILURES)

    async def failed(self) -> None:
        """An attempt failed.

        Raises:
            AccessError: ``too-many``, after a wait, instead of the reason why it failed.
        """
        now = self._now()
        full = len(self._failures) == limits.TOKEN_FAILURES
        too_many = full and self._failures[0] > now - limits.TOKEN_FAILURE_SECONDS
        self._failures.append(now)
        if too_many:
            await asyncio.sleep(limits.TOKEN_FAILURE_WAIT_SECONDS)
            raise AccessError(
                "Too many wrong tokens or login codes came in. Nothing was done. Try again in a minute.",
                code="too-many",
            )
