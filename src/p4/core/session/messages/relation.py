"""Where the messages of a relation stand when the process starts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RelationState"]


@dataclass(frozen=True, slots=True)
class RelationState:
    """What the store remembers of both queues; the fields mean what they mean in `p4.ports.PeerRecord`."""

    out_epoch: bytes = b""
    out_first: int = 1
    out_next: int = 1
    out_offered: int = 1
    out_retired: tuple[bytes, ...] = ()
    out_waiting: int = 0
    in_epoch: bytes = b""
    in_next: int = 1
    in_retired: tuple[tuple[bytes, int], ...] = ()
    in_waiting: int = 0
    in_waiting_bytes: int = 0
