"""When it is time to write to disk what an application has consumed."""

from __future__ import annotations

from p4.core import limits

__all__ = ["CommitTime"]


class CommitTime:
    """A while after the last bytes that were consumed, and not too long after the first that are not written.

    Both spans are ``limits.STREAM_COMMIT_SECONDS``; moments are monotonic seconds.
    """

    __slots__ = ("_latest", "at", "at_once")

    def __init__(self) -> None:
        self.at: float | None = None
        """When to write at the latest, as things are; None if there is nothing to write."""
        self.at_once = False
        """Whether somebody waits for it."""
        self._latest = 0.0

    def consumed(self, now: float) -> None:
        """More was consumed."""
        soon, latest = limits.STREAM_COMMIT_SECONDS
        if self.at is None:
            self._latest = now + latest
        self.at = min(now + soon, self._latest)

    def is_due(self, now: float) -> bool:
        """Whether to write now."""
        return self.at_once or (self.at is not None and now >= self.at)

    def clear(self) -> None:
        """It is being written."""
        self.at, self.at_once = None, False
