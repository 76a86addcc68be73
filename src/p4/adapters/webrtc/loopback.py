"""Whether loopback addresses are to be offered to the other side.

Both libraries leave them out, rightly: nobody else can reach them. But on a machine without any other
address (a container without network, a laptop in flight mode) two nodes could then not even talk to
each other on it.
"""

from __future__ import annotations

import os

import psutil

__all__ = ["loopback_needed"]


def loopback_needed() -> bool:
    """True if there are no other addresses, or the environment says ``P4_ALLOW_LOOPBACK=1``."""
    if os.environ.get("P4_ALLOW_LOOPBACK") == "1":
        return True
    return not any(
        entry.family.name in {"AF_INET", "AF_INET6"} and _leaves_this_host(entry.address)
        for entries in psutil.net_if_addrs().values()
        for entry in entries
    )


def _leaves_this_host(address: str) -> bool:
    # A link-local IPv6 address needs an interface with it, which no candidate can name.
    return not address.startswith(("127.", "fe80:")) and address != "::1"
