"""Times, sizes and rates as short words. Those that diagnosis needs too come from there."""

from __future__ import annotations

from p4.diagnosis.words import ago, duration, now_ms, reachability

__all__ = ["ago", "duration", "milliseconds", "now_ms", "rate", "reachability", "size"]


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
