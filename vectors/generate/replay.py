"""The replay window (spec/envelope.md, Replay). Only the last step of a vector is the point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vectors.generate.common import DAY_MS, NOW_MS, Vector


def vectors() -> Iterator[Vector]:
    yield _vector("first", "the first envelope of a sender", [_accept(1, 100)], floor=0, entries=1)
    yield _vector(
        "reordered",
        "older than the last, but never seen",
        [_accept(1, 100), _accept(2, 99)],
        floor=0,
        entries=2,
    )
    yield _vector(
        "same_time", "another nonce at the same time", [_accept(1, 100), _accept(2, 100)], floor=0, entries=2
    )
    yield _vector("repeated", "the same envelope again", [_accept(1, 100), _accept(1, 100)])
    yield _vector("nonce_reused", "a known nonce at another time", [_accept(1, 100), _accept(1, 101)])
    yield _vector(
        "repeated_after_restart",
        "the window was stored and loaded in between",
        [_accept(1, 100), {"restart": True}, _accept(1, 100)],
    )
    full = [_accept(number, 100 + number) for number in range(4)]
    yield _vector(
        "evicted", "forgotten for lack of room, and still refused", [*full, _accept(9, 200), _accept(0, 100)]
    )
    yield _vector(
        "evicted_raises_floor",
        "the oldest goes and the floor rises to it",
        [*full, _accept(9, 200)],
        floor=100,
        entries=4,
    )
    yield _vector(
        "never_seen_below_floor",
        "below the floor nobody can tell: refused",
        [*full, _accept(9, 200), _accept(8, 100)],
    )
    yield _vector(
        "reordered_above_floor",
        "above the floor order does not matter",
        [*full, _accept(9, 200), _accept(8, 150)],
        floor=101,
        entries=4,
    )
    yield _vector(
        "evicted_after_restart",
        "the floor is stored too",
        [*full, _accept(9, 200), {"restart": True}, _accept(0, 100)],
    )
    yield _vector(
        "evicts_itself",
        "older than everything in a full window: accepted once",
        [*full, _accept(8, 50)],
        floor=50,
        entries=4,
    )
    yield _vector("evicted_itself_repeated", "and only once", [*full, _accept(8, 50), _accept(8, 50)])
    yield _vector(
        "evicted_same_time",
        "two share the oldest time: both go, both stay refused",
        [_accept(0, 100), _accept(1, 100), *[_accept(n, 100 + n) for n in (2, 3, 4)], _accept(1, 100)],
    )
    old = [_accept(1, NOW_MS), _accept(2, NOW_MS + DAY_MS)]
    yield _vector(
        "pruned",
        "forgotten because of its age, and still refused",
        [*old, {"prune_now_ms": NOW_MS + DAY_MS + 1}, _accept(1, NOW_MS)],
    )
    yield _vector(
        "prune_keeps",
        "exactly as old as accepted: kept",
        [*old, {"prune_now_ms": NOW_MS + DAY_MS}, _accept(3, NOW_MS)],
        floor=0,
        entries=3,
    )
    yield _vector(
        "prune_wrong_clock",
        "our clock was years ahead for a moment: newer envelopes still pass",
        [*old, {"prune_now_ms": 2 * NOW_MS}, _accept(3, NOW_MS + DAY_MS + 1)],
        floor=NOW_MS + DAY_MS,
        entries=1,
    )


def _accept(number: int, timestamp_ms: int) -> dict[str, Any]:
    return {"nonce_hex": f"{number:032x}", "timestamp_ms": timestamp_ms}


def _vector(
    name: str, comment: str, steps: list[dict[str, Any]], floor: int | None = None, entries: int = 0
) -> Vector:
    given = {"capacity": 4, "steps": steps}
    if floor is None:
        return Vector("replay", name, comment, "steps", given, "replay", "replayed")
    value = {"floor_ms": floor, "entries": entries}
    return Vector("replay", name, comment, "steps", given, "replay", value=value)
