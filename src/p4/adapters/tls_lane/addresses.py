"""The addresses of this machine."""

from __future__ import annotations

import ipaddress
import os
from contextlib import suppress

import psutil

from p4.core.session.lane_addresses import offerable
from p4.core.session.lane_frames import IpAddress

__all__ = ["loopback_needed", "own_addresses"]


def own_addresses() -> list[IpAddress]:
    """Every address of every interface that is up, IPv4 first."""
    found: list[IpAddress] = []
    for name, entries in psutil.net_if_addrs().items():
        state = psutil.net_if_stats().get(name)
        if state is not None and not state.isup:
            continue
        for entry in entries:
            with suppress(ValueError):  # an address of hardware
                found.append(ipaddress.ip_address(entry.address.partition("%")[0]))
    return sorted(found, key=lambda ip: ip.version)


def loopback_needed() -> bool:
    """True if this machine has no other address, or the environment says ``P4_ALLOW_LOOPBACK=1``."""
    return os.environ.get("P4_ALLOW_LOOPBACK") == "1" or not offerable(own_addresses(), loopback=False)
