"""Times and reachability as short words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from p4.node.status import NodeStatus

__all__ = ["ago", "duration", "now_ms", "reachability"]

_UNITS = (("day", 86400), ("h", 3600), ("min", 60))


def duration(seconds: float) -> str:
    """``40 s``, ``5 min``, ``2 h 5 min``, ``3 days 4 h``: at most two parts."""
    whole = max(0, int(seconds))
    for index, (unit, length) in enumerate(_UNITS):
        if whole >= length:
            count, rest = divmod(whole, length)
            words = f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}"
            below = _UNITS[index + 1 : index + 2]
            if below and rest >= below[0][1]:
                words += f" {rest // below[0][1]} {below[0][0]}"
            return words
    return f"{whole} s"


def ago(moment_ms: int, now_ms: int) -> str:
    """How long ago something was: ``now``, ``3 min ago``, ``never`` for 0."""
    if not moment_ms:
        return "never"
    seconds = (now_ms - moment_ms) / 1000
    return "now" if seconds < 2 else f"{duration(seconds)} ago"


def now_ms() -> int:
    """Unix time in milliseconds, by this machine's clock."""
    return time.time_ns() // 1_000_000


def reachability(node: NodeStatus, now_ms: int) -> str:
    """Whether others can reach the node, and how long ago that was tried out."""
    if not node.reachable:
        return node.reachability
    return "yes" if node.checked_ms is None else f"yes, checked {ago(node.checked_ms, now_ms)}"
