"""Replay protection per sender (spec/envelope.md)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ReplayWindow"]


@dataclass(frozen=True, slots=True)
class ReplayWindow:
    """Which envelopes of one sender were accepted already."""

    floor_ms: int = 0
    entries: tuple[tuple[int, bytes], ...] = ()
