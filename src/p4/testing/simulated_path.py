"""The path that a simulated link tells of."""

from __future__ import annotations

from p4.ports import LinkPath, PathKind
from p4.testing.world import Process

__all__ = ["simulated_path"]


def simulated_path(
    near: Process, far: Process, sent: int, received: int, *, relayed: bool = False
) -> LinkPath:
    """A path between two places, whose names stand for addresses.

    Args:
        near: our end.
        far: the other end.
        sent: bytes that our end sent.
        received: bytes that the other end sent.
        relayed: it goes over a relay instead of directly.
    """
    # Not drawn: looking at a path must not change what the seed decides.
    round_trip = sum(near.world.conditions.link_latency)
    return LinkPath(
        kind=PathKind.RELAY if relayed else PathKind.DIRECT,
        local="relay" if relayed else "host",
        remote="host",
        local_address=near.place,
        remote_address=far.place,
        protocol="udp",
        round_trip=round_trip,
        bytes_sent=sent,
        bytes_received=received,
    )
