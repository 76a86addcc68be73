"""The port of discovery on the local network: announcements go out and come in (spec/lan.md, `p4.ports`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["LanDeparture", "LanDiscovery", "LanEvent", "LanSighting"]


@dataclass(frozen=True, slots=True)
class LanSighting:
    """An announcement on our network, new or changed. Anybody can make one, or repeat somebody else's."""

    name: str
    """Names the announcement until its `LanDeparture`; means nothing else."""
    tags: tuple[bytes, ...]
    """1 to ``limits.LAN_TAGS``."""
    addresses: tuple[str, ...]
    """Where its node is: 1 to ``limits.LAN_ADDRESSES`` IP addresses, on a local network that we are on; a
    link-local IPv6 address with the interface (``fe80::1%2``)."""
    port: int
    """Of its signaling, TCP."""


@dataclass(frozen=True, slots=True)
class LanDeparture:
    """An announcement was taken back, has run out, or was on a network that we left."""

    name: str


LanEvent = LanSighting | LanDeparture


class LanDiscovery(Protocol):
    """Announces us on every local network that we are on, and tells of other announcements there."""

    async def start(self, port: int, observe: Callable[[LanEvent], bool]) -> None:
        """Begin, as soon as there is something to `announce`; until then nothing is sent and nobody heard.

        Never fails: where there is no network, or none that can be used, it begins when there is one.

        Args:
            port: TCP port of our signaling on all interfaces; 0 if nobody can reach it. Then we are not
                announced and see others all the same.
            observe: called on the loop, with our own announcements left out; at most
                ``limits.LAN_SIGHTING_BURST`` sightings at once and ``LAN_SIGHTINGS_PER_SECOND``, of at most
                ``limits.LAN_SIGHTINGS`` announcements at a time. Returns whether it is a contact's: where
                there are too many, the others depart, the oldest first.
        """

    def announce(self, tags: tuple[bytes, ...]) -> None:
        """Show these tags from now on, under new names. None: send nothing and listen to nobody."""

    def network_changed(self) -> None:
        """Our addresses changed, or the machine slept: begin again on the networks that there are now.

        What was seen before departs; what is still there is seen again.
        """

    async def close(self) -> None:
        """Take our announcement back and stop. Takes less than 1 s; ``observe`` is not called any more."""
