"""Which of this machine's addresses its packets to the rest of the world come from."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress

__all__ = ["outward_address"]

_TARGETS = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Documentation addresses (RFC 5737, RFC 3849): asking for the route to them sends nothing."""


def outward_address(family: socket.AddressFamily) -> str | None:
    """The address that packets of a family come from now; None without a route. Sends nothing."""
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((_TARGETS[family], 9))
        host = str(probe.getsockname()[0])
        address = ipaddress.ip_address(host)
        if not (address.is_loopback or address.is_unspecified or address.is_link_local):
            return host
    return None
