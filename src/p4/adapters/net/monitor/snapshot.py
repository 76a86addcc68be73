"""What a monitor compares: the usable addresses and the default routes of one moment."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Route", "Snapshot", "Source", "usable_address"]


@dataclass(frozen=True, slots=True)
class Route:
    """A default route, the way out of this machine."""

    gateway: bytes
    """Address of the next router, 4 or 16 bytes; empty where the network itself is the destination."""
    interface: int
    """Index of the interface."""
    priority: int
    """Lower ones are preferred."""
    table: int
    """Number of the routing table."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The network of this machine at one moment. Equal snapshots mean that nothing changed for us."""

    addresses: frozenset[str] = frozenset()
    routes: frozenset[Route] = frozenset()


class Source(Protocol):
    """Where snapshots come from, and how one learns that a new one is worth taking."""

    @property
    def poll_seconds(self) -> float | None:
        """How often a snapshot must be taken because nothing announces changes; None: `open` announces."""

    def open(self, hint: Callable[[], None], failed: Callable[[], None]) -> None:
        """Begin: call ``hint`` on the running loop whenever something may have changed.

        ``failed`` is called at most once, when no more hints can come.

        Raises:
            OSError: this machine does not offer it, or forbids it.
        """

    def snapshot(self) -> Snapshot:
        """The network now. Takes a few milliseconds at most.

        Raises:
            OSError: it cannot be read at the moment.
        """

    def close(self) -> None:
        """Stop; may be called twice and without `open`."""


def usable_address(text: str) -> str | None:
    """The canonical form of an address that others can reach us from or at, else None.

    Args:
        text: IPv4 or IPv6, possibly with a zone (``fe80::1%eth0``); anything else gives None.

    Loopback, link-local (they work on one cable only and say nothing of the way out), multicast and
    unspecified addresses are not usable. Private and shared ones are: most machines have no others.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        return None
    return str(address)
