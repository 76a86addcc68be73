"""The port-mapping port: who asks the router to pass connections from outside on to us (see `p4.ports`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

__all__ = ["LocalPort", "Mapping", "MappingMethod", "PortMapper", "PortProtocol"]


class PortProtocol(StrEnum):
    """What is mapped."""

    TCP = "tcp"
    UDP = "udp"


class MappingMethod(StrEnum):
    """How a router was asked."""

    PCP = "pcp"
    """Port Control Protocol, RFC 6887."""
    NAT_PMP = "nat-pmp"
    """RFC 6886."""
    UPNP = "upnp"
    """UPnP Internet Gateway Device."""


@dataclass(frozen=True, slots=True, order=True)
class LocalPort:
    """A port of this machine, 1 to 65535, that shall be reachable from outside."""

    protocol: PortProtocol
    port: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """A port of the router that leads to a port of ours; or of IPv6, an opening in its firewall.

    Whoever connects to ``external_host:external_port`` reaches ``internal_port`` of this machine.
    """

    protocol: PortProtocol
    internal_port: int
    external_port: int
    external_host: str | None
    """IPv4 or IPv6 address in canonical form. None: the router did not say, or named an address that is not
    of the internet (another NAT is before it, so that nobody outside reaches this port through that address
    alone). An address that a STUN server sees may still be combined with ``external_port``: a guess."""
    method: MappingMethod
    local_address: str
    """Our address that the mapping leads to. Of an opening for IPv6 it equals ``external_host``."""
    expires: float = field(compare=False)
    """When it ends unless it is renewed (which happens in time), seconds on the loop's clock; infinity if the
    router keeps it for ever."""


class PortMapper(Protocol):
    """Keeps mappings of our ports alive at whatever router offers them."""

    async def start(self, ports: Iterable[LocalPort], observe: Callable[[frozenset[Mapping]], None]) -> None:
        """Begin to ask; returns at once.

        Args:
            ports: those to map; `want` changes them.
            observe: told of all mappings whenever one came, went or changed (not of a mere renewal), on
                the loop's thread. Not told while there are none at first.
        """

    def want(self, ports: Iterable[LocalPort]) -> None:
        """These ports from now on; mappings of others are deleted."""

    @property
    def mappings(self) -> frozenset[Mapping]:
        """All that stand now."""

    @property
    def detail(self) -> str:
        """How it stands, in a sentence for a person."""

    def network_changed(self) -> None:
        """Addresses or routes changed, or the machine slept: find the routers and ask anew, at once."""

    async def close(self) -> None:
        """Delete the mappings and end; takes at most 1 s. May be called twice, and without `start`."""
