"""Times, sizes and rates as short words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from p4.node.status import NodeStatus

__all__ = ["ago", "duration", "milliseconds", "now_ms", "rate", "reachability", "size"]

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


def milliseconds(seconds: float | None) -> str:
    """A round trip: ``0.4 ms``, ``38 ms``, ``1.2 s``, or a dash where it is not known."""
    if seconds is None:
        return "–"
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"


def size(count: float) -> str:
    """Bytes: ``812 B``, ``1.2 kB``, ``35 MB`` (powers of 1000)."""
    if count < 1000:
        return f"{count:.0f} B"
    count, unit = count / 1000, "kB"
    for larger in ("MB", "GB"):
        if count >= 999.5:
            count, unit = count / 1000, larger
    return f"{count:.1f} {unit}" if count < 9.95 else f"{count:.0f} {unit}"


def rate(count: float | None) -> str:
    """Bytes a second, or a dash where they are not known. What heartbeats take is shown as nothing."""
    if count is None:
        return "–"
    return "0" if count < 500 else f"{size(count)}/s"


def now_ms() -> int:
    """Unix time in milliseconds, by this machine's clock."""
    return time.time_ns() // 1_000_000


def reachability(node: NodeStatus, now_ms: int) -> str:
    """Whether others can reach the node, and how long ago that was tried out."""
    if not node.reachable:
        return node.reachability
    return "yes" if node.checked_ms is None else f"yes, checked {ago(node.checked_ms, now_ms)}"
