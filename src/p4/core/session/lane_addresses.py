"""Which addresses a stream lane may use (spec/lanes.md, "Stream lanes")."""

from __future__ import annotations

from collections.abc import Iterable

from p4.core import limits
from p4.core.session.lane_frames import IpAddress, LaneAddress

__all__ = ["LOWEST_PORT", "dialable", "offerable"]

LOWEST_PORT = 1024
"""Lower ports belong to services of the system, which no listener of ours uses."""


def offerable(own: Iterable[IpAddress], *, loopback: bool) -> list[IpAddress]:
    """Addresses of this machine to listen on: those that others can reach.

    Args:
        loopback: there are no others, and the contact may be on this machine.
    """
    kept = [ip for ip in dict.fromkeys(own) if _is_usable(ip, loopback=loopback)]
    return kept[: limits.LANE_ADDRESSES]


def dialable(addresses: Iterable[LaneAddress], *, loopback: bool) -> list[LaneAddress]:
    """Addresses of a contact that we may connect to: it shall not make us speak to anything else.

    Args:
        loopback: as for `offerable`.
    """
    return [at for at in addresses if at.port >= LOWEST_PORT and _is_usable(at.ip, loopback=loopback)]


def _is_usable(ip: IpAddress, *, loopback: bool) -> bool:
    mapped = getattr(ip, "ipv4_mapped", None)
    if mapped is not None:
        return False  # another way to write an IPv4 address, which could hide what it is
    if ip.is_loopback:
        return loopback
    return not (ip.is_unspecified or ip.is_multicast or ip.is_link_local or ip.is_reserved)
