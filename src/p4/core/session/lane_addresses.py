"""Which addresses a stream lane may use (spec/lanes.md, "Stream lanes")."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from p4.core import limits
from p4.core.session.lane_frames import IpAddress, LaneAddress

__all__ = ["LOWEST_PORT", "dialable", "offerable"]

LOWEST_PORT = 1024
"""Lower ports belong to services of the system, which no listener of ours uses."""


def offerable(own: Iterable[IpAddress], *, loopback: bool, local_only: bool = False) -> list[IpAddress]:
    """Addresses of this machine to listen on: those that others can reach.

    Args:
        loopback: there are no others, and the contact may be on this machine.
        local_only: none that reaches further than a local network.
    """
    usable = partial(_is_usable, loopback=loopback, local_only=local_only)
    kept = list(filter(usable, dict.fromkeys(own)))
    return kept[: limits.LANE_ADDRESSES]


def dialable(
    addresses: Iterable[LaneAddress], *, loopback: bool, local_only: bool = False
) -> list[LaneAddress]:
    """Addresses of a contact that we may connect to: it shall not make us speak to anything else.

    Args:
        loopback: as for `offerable`.
        local_only: likewise.
    """
    usable = partial(_is_usable, loopback=loopback, local_only=local_only)
    return [at for at in addresses if at.port >= LOWEST_PORT and usable(at.ip)]


def _is_usable(ip: IpAddress, *, loopback: bool, local_only: bool) -> bool:
    mapped = getattr(ip, "ipv4_mapped", None)
    if mapped is not None:
        return False  # another way to write an IPv4 address, which could hide what it is
    if local_only and not ip.is_private:
        return False
    if ip.is_loopback:
        return loopback
    return not (ip.is_unspecified or ip.is_multicast or ip.is_link_local or ip.is_reserved)
