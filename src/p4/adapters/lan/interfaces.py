"""Which local networks this machine is on."""

from __future__ import annotations

import ipaddress

from p4.core.lan import LanInterface

__all__ = ["local_interfaces"]


def local_interfaces() -> tuple[LanInterface, ...]:
    """The interfaces with an address that may be announced (spec/lan.md, Addresses). Asks the system.

    Returns:
        In the order of their numbers; none if the system does not tell.
    """
    import ifaddr  # comes with zeroconf, and is as little needed before

    found: dict[int, list[ipaddress.IPv4Interface | ipaddress.IPv6Interface]] = {}
    try:
        adapters = list(ifaddr.get_adapters())
    except OSError:
        return ()
    for adapter in adapters:
        # An alias (eth0:1) is an adapter of its own, with the number of the same interface.
        addresses = found.setdefault(adapter.index or 0, [])
        for ip in adapter.ips:
            text = ip.ip[0] if isinstance(ip.ip, tuple) else ip.ip
            addresses.append(ipaddress.ip_interface(f"{text.partition('%')[0]}/{ip.network_prefix}"))
    interfaces = (LanInterface(index, tuple(addresses)) for index, addresses in sorted(found.items()))
    return tuple(interface for interface in interfaces if interface.local_addresses)
