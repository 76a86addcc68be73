"""What all ways of asking a router have in common: its address, what it grants, how it fails."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Protocol

from p4.errors import UnreachableError
from p4.ports.mapping import LocalPort, MappingMethod

__all__ = ["Asker", "Gateway", "Lease", "Pace", "RouterRefusedError", "RouterSilentError", "is_public"]


@dataclass(frozen=True, slots=True)
class Gateway:
    """A router, and our address towards it."""

    address: str
    """IPv4, or IPv6 with its zone (``fe80::1%eth0``)."""
    local_address: str
    """Our address that requests come from and mappings lead to; of the same family."""


@dataclass(frozen=True, slots=True)
class Lease:
    """What a router granted."""

    external_port: int
    external_host: str | None
    """As the router says; it may be a private address."""
    lifetime: float
    """Seconds; infinity for ever."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how long routers are asked, seconds.

    Retries follow RFC 6886 section 3.1 (a quarter of a second, doubled each time) for both protocols: PCP's
    own first pause of 3 s is meant for servers far away, and ours is one hop away. They end much sooner than
    there: most networks have no such server, and they are to be left alone.
    """

    first_retry: float = 0.25
    probe_tries: int = 3
    map_tries: int = 4
    upnp_head_start: float = 0.5
    """So long only PCP and NAT-PMP are tried: they answer in milliseconds or not at all."""
    lifetime: int = 3600
    """What we ask for."""
    check: float = 120.0
    """A router is asked this often whether it still is the same one: a restart loses all mappings, and what
    it announces then may get lost."""
    goodbye: float = 1.0
    """Longest time for deleting mappings at the end."""
    again_lost: float = 5.0
    """First pause after a router stopped answering; doubles with each failure."""
    again: float = 600.0
    """Longest pause; also the first where no router ever answered."""
    renew_floor: float = 1.0
    """However short a router's leases are, it is not asked more often."""


class RouterSilentError(UnreachableError):
    """The router did not answer. Code ``router-silent``. Never leaves this package."""

    def __init__(self, gateway: str) -> None:
        super().__init__(
            f"The router {gateway} does not answer requests for port mappings. Direct links work without "
            "them in most networks.",
            code="router-silent",
        )


class RouterRefusedError(UnreachableError):
    """The router answered and refused. Code ``router-refused``. Never leaves this package.

    Args:
        gateway: its address.
        reason: in its words, or the number of its reason.
        again: seconds after which asking again may help.
    """

    def __init__(self, gateway: str, reason: str, *, again: float) -> None:
        super().__init__(
            f"The router {gateway} refused a port mapping ({reason}). Direct links work without it in most "
            "networks.",
            code="router-refused",
        )
        self.again = again


class Asker(Protocol):
    """One way of asking one router."""

    @property
    def method(self) -> MappingMethod:
        """Which one."""

    @property
    def restarts(self) -> int:
        """How often an answer showed that the router lost its mappings, or has another address."""

    async def map(self, port: LocalPort, suggested: int) -> Lease:
        """Ask for a mapping or for more time for it.

        Args:
            port: ours.
            suggested: the external port that we would like.

        Raises:
            RouterSilentError: no answer.
            RouterRefusedError: a refusal.
        """

    async def unmap(self, port: LocalPort, external_port: int) -> None:
        """Ask once for the end of a mapping; does not wait for the answer longer than a moment."""

    async def check(self) -> None:
        """Ask whether the router still is as it was; `restarts` says so.

        Raises:
            RouterSilentError: no answer.
        """

    def close(self) -> None:
        """Release what it holds; deletes nothing."""


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is one of the internet: not private, shared (CGNAT), reserved or local."""
    return address.is_global and not address.is_multicast
