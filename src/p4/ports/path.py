"""Which way a link goes: over the local network, directly through the internet, or over a relay."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["LinkPath", "PathKind"]


class PathKind(StrEnum):
    """How far apart the two ends of a link are."""

    LAN = "lan"
    """Both ends are on one local network (or one machine, or one VPN)."""
    DIRECT = "direct"
    """The ends talk to each other through the internet, usually through NATs."""
    RELAY = "relay"
    """A TURN server stands between them and passes on what it cannot read."""


@dataclass(frozen=True, slots=True)
class LinkPath:
    """The path that a link uses at the moment, as its library sees it. It may change while the link lives."""

    kind: PathKind
    local: str
    """Type of our candidate (RFC 8445, section 5.1.1): ``host``, ``srflx``, ``prflx`` or ``relay``."""
    remote: str
    """Type of the other side's candidate, likewise. One side may know a type that the other learns late."""
    local_address: str
    """Ours and its port, ``192.0.2.1:9`` or ``[2001:db8::1]:9``; on a relay, the relay's. Empty if hidden."""
    remote_address: str
    """The other side's, likewise."""
    protocol: str
    """What our packets leave in: ``udp`` or ``tcp``. On a relay of ours, towards the relay."""
    round_trip: float | None
    """Seconds, as the library measured it last; None before it has."""
    bytes_sent: int
    """Bytes that the library has sent on it, retransmissions and its own headers included."""
    bytes_received: int
    """Bytes that the library has received on it, likewise."""
