"""What kind of path a pair of candidates makes."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

import psutil

from p4.ports import PathKind

__all__ = ["host_and_port", "own_networks", "path_kind"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOCAL_NETWORKS: tuple[Network, ...] = tuple(
    ipaddress.ip_network(prefix)
    for prefix in (
        "10.0.0.0/8",  # RFC 1918
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",  # link-local, RFC 3927
        "127.0.0.0/8",
        "fc00::/7",  # unique local addresses, RFC 4193
        "fe80::/10",  # link-local, RFC 4291
        "::1/128",
    )
)
"""Addresses that nobody has on the internet. Not 100.64.0.0/10: a provider's customers are no household."""


def path_kind(
    local: tuple[str, str], remote: tuple[str, str], networks: Iterable[Network] | None = None
) -> PathKind:
    """What kind of path leads from one candidate to another.

    A peer-reflexive candidate of the other side counts as its own address here: a check from the same local
    network may arrive before the candidate that it came from was told of (RFC 8445, section 7.3.1.3).

    Args:
        local: type (``host``, ``srflx``, ``prflx`` or ``relay``) and IP address of ours.
        remote: those of the other side's.
        networks: those that this machine is on; looked up where that matters if None.
    """
    (local_type, local_address), (remote_type, remote_address) = local, remote
    if "relay" in {local_type, remote_type}:
        return PathKind.RELAY
    ours, theirs = _parsed(local_address), _parsed(remote_address)
    if local_type not in {"host", "prflx"} or remote_type not in {"host", "prflx"} or not ours or not theirs:
        return PathKind.DIRECT
    if _is_local(ours) and _is_local(theirs):
        return PathKind.LAN
    known = own_networks() if networks is None else networks
    return PathKind.LAN if any(theirs in network for network in known) else PathKind.DIRECT


def own_networks() -> list[Network]:
    """The networks of this machine's interfaces that hold more than one address."""
    found: list[Network] = []
    for entries in psutil.net_if_addrs().values():
        for entry in entries:
            if entry.family not in {socket.AF_INET, socket.AF_INET6} or not entry.netmask:
                continue
            try:
                length = int(ipaddress.ip_address(entry.netmask)).bit_count()
                network = ipaddress.ip_network(f"{entry.address.partition('%')[0]}/{length}", strict=False)
            except ValueError:  # a form of netmask that only this platform knows
                continue
            if network.num_addresses > 1:
                found.append(network)
    return found


def host_and_port(address: str | None, port: int | None) -> str:
    """An address with its port as people write it; empty where the library hides the address."""
    if not address:
        return ""
    return f"[{address}]:{port or 0}" if ":" in address else f"{address}:{port or 0}"


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None


def _is_local(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(address in network for network in _LOCAL_NETWORKS)
