"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FULL", "SHORT", "Scale"]


@dataclass(frozen=True)
class Scale:
    """Counts and durations of one round."""

    messages: int = 40_000
    bulk_seconds: float = 4.0
    trips: int = 2000
    trip_seconds: float = 3.0
    slow_seconds: float = 12.0
    killed_bytes: int = 400_000_000
    file_bytes: int = 1_000_000_000
    small_files: int = 10_000
    contacts: int = 10_000
    contacts_settle_seconds: float = 10.0
    peers: int = 100
    settle_seconds: float = 40.0
    """From the last link to the first look: then the links are idle (spec/link.md, Heartbeat)."""
    idle_seconds: float = 60.0
    """What is done now and then is done once in it: each warm stream is tried, each path is looked at."""
    queued: int = 1_000_000


FULL = Scale()

SHORT = Scale(
    messages=10_000,
    bulk_seconds=2.0,
    trips=500,
    trip_seconds=1.0,
    slow_seconds=5.0,
    killed_bytes=150_000_000,
    file_bytes=250_000_000,
    small_files=2000,
    contacts_settle_seconds=3.0,
    peers=30,
    settle_seconds=3.0,
    idle_seconds=5.0,
    queued=100_000,
)
