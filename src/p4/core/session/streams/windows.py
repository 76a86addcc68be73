"""How much memory readers may promise to contacts, all together."""

from __future__ import annotations

from p4.core import limits

__all__ = ["WindowBudget"]


_SPARE = 12
"""One part of so many is for the least windows, when nothing else is left: 1024 of them in 48 MiB."""


class WindowBudget:
    """The memory of all readers of a node.

    Windows grow only out of the first half, so that streams which begin later find something. A beginning
    window is at most a sixteenth of what is left: however many streams there are, there is a little more.

    Args:
        total: bytes.
    """

    __slots__ = ("_total", "used")

    def __init__(self, total: int = limits.STREAM_WINDOWS_BYTES) -> None:
        self._total = total
        self.used = 0
        """Bytes of all windows."""

    def begin(self) -> int:
        """A window for a reader that has none; never less than ``limits.STREAM_LEAST_WINDOW_BYTES``."""
        left = self._total - self._total // _SPARE - self.used
        window = max(limits.STREAM_LEAST_WINDOW_BYTES, min(limits.STREAM_FIRST_WINDOW_BYTES, left // 16))
        self.used += window
        return window

    def grow(self, window: int) -> int:
        """Twice the window if there is room, else the same."""
        larger = min(2 * window, limits.STREAM_WINDOW_BYTES)
        if self.used + larger - window > self._total // 2:
            return window
        self.used += larger - window
        return larger

    def give_back(self, size: int) -> None:
        """Some bytes of a window are not promised any more."""
        self.used -= size
