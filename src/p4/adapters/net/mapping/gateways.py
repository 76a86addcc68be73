"""Which routers this machine goes out by: the default routes, read in each system's own way.

The parsers are pure and run everywhere; only `list_gateways` looks at the machine.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from p4.adapters.net.mapping.router import Gateway

__all__ = [
    "DefaultRoute",
    "IpAddress",
    "gateways_of",
    "list_gateways",
    "routes_of_linux",
    "routes_of_netstat",
    "routes_of_windows",
]

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_MOST_ROUTERS = 3
"""A machine on several networks at a time asks this many routers, of each family."""

_MOST_ADDRESSES = 4
"""IPv6 addresses of one interface that get openings: stable and temporary ones."""

_COMMAND_SECONDS = 3.0
_UP, _VIA_GATEWAY = 0x1, 0x2  # RTF_UP, RTF_GATEWAY
_OUTSIDE = "2001:db8::1"
"""A documentation address: asking for our address towards them sends nothing."""


@dataclass(frozen=True, slots=True)
class DefaultRoute:
    """One way out, as the system lists it."""

    gateway: str
    """IPv4, or IPv6 with its zone."""
    interface: str
    """Name of the interface; empty where the listing has none."""
    metric: int
    """The lowest is used."""


async def list_gateways(public: Callable[[IpAddress], bool]) -> list[Gateway]:
    """The routers of this machine, the preferred one of each family first; empty if there is none.

    Args:
        public: tells which of our IPv6 addresses are worth an opening in the router's firewall.
    """
    return list(gateways_of(await _routes(), public))


def gateways_of(routes: Sequence[DefaultRoute], public: Callable[[IpAddress], bool]) -> Iterator[Gateway]:
    """The routers of these routes together with our addresses towards them."""
    seen: set[Gateway] = set()
    for version in (4, 6):
        ordered = sorted((route for route in routes if _version(route) == version), key=lambda r: r.metric)
        for route in ordered[:_MOST_ROUTERS]:
            for local in _local_addresses(route, public):
                gateway = Gateway(route.gateway, local)
                if gateway not in seen:
                    seen.add(gateway)
                    yield gateway


def routes_of_linux(ipv4: str, ipv6: str) -> list[DefaultRoute]:
    """Of ``/proc/net/route`` and ``/proc/net/ipv6_route`` (proc(5)); only the defaults."""
    found: list[DefaultRoute] = []
    for line in ipv4.splitlines()[1:]:
        with suppress(ValueError, IndexError):
            name, destination, gateway, flags, _, _, metric, mask = line.split()[:8]
            if _default(int(flags, 16), destination + mask):
                # Four bytes as the machine has them in memory, printed as one number.
                address = ipaddress.IPv4Address(int(gateway, 16).to_bytes(4, sys.byteorder))
                found.append(DefaultRoute(str(address), name, int(metric)))
    for line in ipv6.splitlines():
        with suppress(ValueError, IndexError):
            destination, length, _, _, gateway, metric, _, _, flags, name = line.split()[:10]
            if _default(int(flags, 16), destination + length):
                found.append(_zoned(ipaddress.IPv6Address(bytes.fromhex(gateway)), name, int(metric, 16)))
    return found


def routes_of_netstat(listing: str) -> list[DefaultRoute]:
    """Of ``netstat -rn`` on macOS and the BSDs; the order of the lines is the preference."""
    found: list[DefaultRoute] = []
    for line in listing.splitlines():
        words = line.split()
        if len(words) < 4 or words[0] != "default":
            continue
        with suppress(ValueError):
            address = ipaddress.ip_address(words[1].partition("%")[0])
            found.append(_zoned(address, words[3], len(found)))
    return found


def routes_of_windows(listing: str) -> list[DefaultRoute]:
    """Of ``route print 0.0.0.0``: destination, mask, gateway, interface's address, metric.

    Headings are in the user's language; the shape of the lines is not.
    """
    found: list[DefaultRoute] = []
    for line in listing.splitlines():
        words = line.split()
        if len(words) == 5 and words[0] == words[1] == "0.0.0.0":  # noqa: S104 - a text to compare
            with suppress(ValueError):
                found.append(DefaultRoute(str(ipaddress.IPv4Address(words[2])), "", int(words[4])))
    return found


async def _routes() -> list[DefaultRoute]:
    if sys.platform == "linux":
        return routes_of_linux(_read("/proc/self/net/route"), _read("/proc/self/net/ipv6_route"))
    elif sys.platform == "win32":  # noqa: RET505 - the form in which a type checker knows the platform
        return routes_of_windows(await _output("route", "print", "0.0.0.0"))  # noqa: S104 - an argument
    else:
        return routes_of_netstat(await _output("netstat", "-rn"))


def _read(path: str) -> str:
    try:
        return Path(path).read_text("ascii")
    except OSError:  # no IPv6, or a sandbox: then there is no route to know of
        return ""


async def _output(*command: str) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return ""
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _COMMAND_SECONDS)
    except TimeoutError:
        return ""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output.decode("utf-8", "replace")


def _local_addresses(route: DefaultRoute, public: Callable[[IpAddress], bool]) -> list[str]:
    if _version(route) == 4:
        towards = _source_address(socket.AF_INET, route.gateway)
        return [towards] if towards is not None else []
    own: list[str | None] = [
        entry.address
        for entry in psutil.net_if_addrs().get(route.interface, [])
        if entry.family == socket.AF_INET6 and "%" not in entry.address
    ]
    # Where the listing of routes names no interface, at least the address that the system prefers.
    own = own or [_source_address(socket.AF_INET6, _OUTSIDE)]
    usable = [text for text in own if text is not None and public(ipaddress.ip_address(text))]
    return usable[:_MOST_ADDRESSES]


def _source_address(family: socket.AddressFamily, towards: str) -> str | None:
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((towards, 9))
        except OSError:
            return None
        return str(probe.getsockname()[0]).partition("%")[0]


def _default(flags: int, destination_and_length: str) -> bool:
    wanted = _UP | _VIA_GATEWAY
    return flags & wanted == wanted and int(destination_and_length, 16) == 0


def _zoned(address: IpAddress, interface: str, metric: int) -> DefaultRoute:
    zone = f"%{interface}" if address.version == 6 and address.is_link_local else ""
    return DefaultRoute(f"{address}{zone}", interface, metric)


def _version(route: DefaultRoute) -> int:
    return 6 if ":" in route.gateway else 4
