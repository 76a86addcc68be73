"""Networks behind routers, and the computers in them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import IO, TypeVar

from tests.integration.nat.line import Conditions
from tests.integration.nat.namespaces import Namespace, connect
from tests.integration.nat.routes import Attachment
from tests.integration.nat.rules import Ipv6, NatKind, PortForward, RouterRules, blackhole_rules

__all__ = ["PUBLIC_LANS", "Attachment", "Backbone", "Host", "Network"]

T = TypeVar("T")

# Addresses that programs take for public ones, as they do not with those reserved for tests (RFC 2544,
# RFC 3849): nodes and routers treat the two differently. Nothing with them leaves the namespaces.
_BACKBONE = "11.0"
PUBLIC_LANS = "11.1"
_SIX = "2d00:0"


class Backbone:
    """What a network needs of the laboratory; see `Laboratory`."""

    internet: Namespace

    def set_conditions(self, network: Network, outward: Conditions, inward: Conditions | None) -> None:
        """Switch a network's line."""
        raise NotImplementedError


class Network:
    """A network: its router with whatever NAT, and a bridge to which its computers are attached.

    Made by `Laboratory.network`, which explains the arguments.
    """

    def __init__(
        self,
        backbone: Backbone,
        namespace: Namespace,
        name: str,
        index: int,
        kind: NatKind,
        *,
        behind: Network | None,
        lan: IPv4Network,
        ipv6: Ipv6,
        hairpin: bool,
    ) -> None:
        self.backbone = backbone
        self.namespace = namespace
        self.name = name
        self.index = index
        self.kind = kind
        self.behind = behind
        self.lan = lan
        self.ipv6 = ipv6
        self.hairpin = hairpin
        self.forwards: list[PortForward] = []
        self.upstream = behind.lan if behind else IPv4Network(f"{_BACKBONE}.{index}.0/24")
        self._last_external = 200 + index % 50 if behind else 1
        self.external = self._next_external()
        """The router's address towards the internet (or towards the router before it)."""
        self._last_host = 9
        self._ports = 0
        self.six = IPv6Network(f"{_SIX}:{index:x}::/48")
        self._create()

    def __repr__(self) -> str:
        return f"<Network {self.name} {self.kind} {self.external}>"

    # --- events -----------------------------------------------------------------------------------------

    def forward_port(self, port: int, host: Host, *, inner_port: int = 0, protocol: str = "tcp") -> None:
        """Lead a port of the router's external address to a host, at the host's present address."""
        address = host.attachment(self).address
        self.forwards.append(PortForward(protocol, port, address, inner_port or port))
        self._load_rules()

    def blackhole(
        self, active: bool = True, *, protocol: str = "", incoming: bool = True, outgoing: bool = True
    ) -> float:
        """Swallow what should be forwarded, silently (see `blackhole_rules`), or stop that.

        Returns:
            When, in seconds of `time.monotonic`.
        """
        begun = time.monotonic()
        self.namespace.nft(
            blackhole_rules(active=active, protocol=protocol, incoming=incoming, outgoing=outgoing)
        )
        return begun

    def change_kind(self, kind: NatKind) -> float:
        """Another NAT, with no mappings; between kinds with NAT only. Returns when."""
        if kind.routed != self.kind.routed:
            raise ValueError("a network cannot change between public and private addresses")
        begun = time.monotonic()
        self.kind = kind
        self._load_rules()
        self._forget_mappings()
        return begun

    def power_off(self) -> float:
        """The router loses power: its upstream device goes down. Returns when."""
        begun = time.monotonic()
        self.namespace.ip("link set wan down")
        return begun

    def power_on(self, *, new_address: bool = True) -> float:
        """The router is back without any mapping, with another external address if wanted. Returns when.

        With the old address a port-preserving NAT makes the same mapping again as soon as something goes
        out, so a link survives that; with a new one it does not.
        """
        if new_address:
            if self.kind.routed:
                raise ValueError("computers with public addresses keep them when their router restarts")
            old, self.external = self.external, self._next_external()
            self.namespace.ip(
                f"addr del {old}/{self.upstream.prefixlen} dev wan",
                f"addr add {self.external}/{self.upstream.prefixlen} dev wan",
            )
        begun = time.monotonic()
        self._forget_mappings()
        self.namespace.ip(
            "link set wan up",
            f"route replace default via {self._gateway} dev wan",
            *self._six_upstream_lines(),
        )
        self._load_rules()
        return begun

    def reboot(self, *, new_address: bool = True) -> float:
        """`power_off` and `power_on` with nothing in between: what the hosts behind it do not notice."""
        begun = self.power_off()
        self.power_on(new_address=new_address)
        return begun

    def shape(self, outward: Conditions, inward: Conditions | None = None) -> None:
        """Switch the network's line; ``inward`` is as ``outward`` if it is not given.

        A network behind another one has that one's line.
        """
        (self.behind or self).backbone.set_conditions(self.behind or self, outward, inward)

    # --- inside -----------------------------------------------------------------------------------------

    @property
    def gateway(self) -> IPv4Address:
        """The router's address on the inside."""
        return self.lan.network_address + 1

    @property
    def six_lan(self) -> IPv6Network:
        """The IPv6 prefix of its computers; the router is its first address."""
        return IPv6Network(f"{_SIX}:{self.index:x}:1::/64")

    @property
    def prefixes(self) -> list[bytes]:
        """By what the line knows this network's packets: 3 bytes of IPv4, 6 bytes of IPv6."""
        found = [self.upstream.network_address.packed[:3], self.six.network_address.packed[:6]]
        if self.kind.routed:
            found.append(self.lan.network_address.packed[:3])
        return found

    def next_address(self) -> tuple[IPv4Address, IPv6Address]:
        """Addresses that no computer in it has had yet."""
        self._last_host += 1
        return self.lan.network_address + self._last_host, self.six_lan.network_address + self._last_host

    def next_port(self) -> str:
        """A name for a port of its bridge."""
        self._ports += 1
        return f"port{self._ports}"

    @property
    def _gateway(self) -> IPv4Address:
        return self.upstream.network_address + 1

    def _next_external(self) -> IPv4Address:
        self._last_external += 1
        return self.upstream.network_address + self._last_external

    def _create(self) -> None:
        self.namespace.create(forwards=True)
        before = self.behind.namespace if self.behind else self.backbone.internet
        port = f"n{self.index}"
        connect(before, port, self.namespace, "wan")
        if self.behind:
            before.ip(f"link set {port} master lan")
        else:
            before.ip(f"addr add {self._gateway}/{self.upstream.prefixlen} dev {port}")
            if self.kind.routed:
                before.ip(f"route add {self.lan} via {self.external}")
        self.namespace.ip(
            f"addr add {self.external}/{self.upstream.prefixlen} dev wan",
            f"route add default via {self._gateway} dev wan",
            "link add lan type bridge",
            f"addr add {self.gateway}/{self.lan.prefixlen} dev lan",
            "link set lan up",
        )
        if self.ipv6 is not Ipv6.ABSENT:
            if self.behind:
                raise ValueError("a network behind another one has no IPv6 here")
            first = self.six.network_address
            before.ip(f"addr add {first + 1}/64 dev {port} nodad", f"route add {self.six} via {first + 2}")
            self.namespace.ip(
                *self._six_upstream_lines(), f"addr add {self.six_lan.network_address + 1}/64 dev lan nodad"
            )
        self._load_rules()

    def _six_upstream_lines(self) -> list[str]:
        """Linux drops IPv6 addresses of a device that goes down."""
        if self.ipv6 is Ipv6.ABSENT:
            return []
        first = self.six.network_address
        return [
            f"addr replace {first + 2}/64 dev wan nodad",
            f"route replace default via {first + 1} dev wan",
        ]

    def _load_rules(self) -> None:
        rules = RouterRules(self.kind, self.ipv6, self.external, self.hairpin, self.forwards)
        self.namespace.nft(rules.text())

    def _forget_mappings(self) -> None:
        self.namespace.run("conntrack", "-F", check=False)


class Host:
    """A computer: a laptop or telephone, or a server. Made by `Laboratory.host`."""

    def __init__(self, namespace: Namespace, name: str) -> None:
        self.namespace = namespace
        self.name = name
        self.attachments: list[Attachment] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self._devices = 0
        self._routes_by_source = False
        self._ruled: list[IPv4Address | IPv6Address] = []
        namespace.create()

    def __repr__(self) -> str:
        return f"<Host {self.name} {' '.join(str(one.address) for one in self.attachments)}>"

    @property
    def address(self) -> IPv4Address:
        """Its IPv4 address in the network that it prefers."""
        return self.attachments[-1].address

    def attachment(self, network: Network | None = None) -> Attachment:
        """Its place in this network, or in the one that it prefers."""
        for one in reversed(self.attachments):
            if network is None or one.network is network:
                return one
        raise ValueError(f"{self.name} is not in {network}")

    def attach(self, network: Network, *, address: IPv4Address | None = None) -> float:
        """Join a network beside those that it is in, and prefer it from now on.

        Args:
            network: which.
            address: its IPv4 address there; a new one if None.

        Returns:
            When, in seconds of `time.monotonic`.
        """
        begun = time.monotonic()
        self._devices += 1
        device, port = f"eth{self._devices}", network.next_port()
        connect(network.namespace, port, self.namespace, device)
        network.namespace.ip(f"link set {port} master lan")
        four, six = network.next_address()
        own = Attachment(network, device, address or four, six if network.ipv6 is not Ipv6.ABSENT else None)
        self._configure(own)
        self.attachments.append(own)
        return begun

    def route_by_source(self, active: bool = True) -> None:
        """Send what has an address of a network through that network, as telephones and most systems do.

        So what goes over an older network lives on beside a newer, preferred one. Without it everything
        leaves through the preferred network at once.
        """
        for address in self._ruled:
            self._change_rule("del", address)
        self._ruled.clear()
        self._routes_by_source = active
        for own in self.attachments:
            self._configure(own)

    def detach(self, network: Network | None = None) -> float:
        """Leave this network, or the one that it prefers; its device is gone. Returns when."""
        own = self.attachment(network)
        begun = time.monotonic()
        self.namespace.ip(f"link del {own.device}")
        self.attachments.remove(own)
        return begun

    def roam(self, network: Network) -> float:
        """Leave all networks and join this one: break before make. Returns when."""
        begun = time.monotonic()
        while self.attachments:
            self.detach()
        self.attach(network)
        return begun

    def renumber(self) -> float:
        """Another IPv4 address in the same network, as from a new DHCP lease. Returns when."""
        own = self.attachments.pop()
        new = Attachment(own.network, own.device, own.network.next_address()[0], own.six)
        begun = time.monotonic()
        self.namespace.ip(*new.renumbering_lines(own.address))
        self._rule(new)
        self.attachments.append(new)
        return begun

    def unplug(self) -> float:
        """The preferred device loses its carrier: it goes down and its routes with it. Returns when."""
        begun = time.monotonic()
        self.namespace.ip(f"link set {self.attachments[-1].device} down")
        return begun

    def plug(self) -> float:
        """The opposite of `unplug`; the addresses are as before. Returns when."""
        own = self.attachments[-1]
        begun = time.monotonic()
        self._configure(own)
        return begun

    def start(
        self, *command: str, output: IO[bytes] | int = subprocess.DEVNULL, stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """Start a program on it; it ends with the laboratory at the latest."""
        process = self.namespace.start(*command, output=output, stdin=stdin)
        self.processes.append(process)
        return process

    def call(self, function: Callable[[], T]) -> T:
        """Call a function on it; sockets made therein are its own."""
        return self.namespace.call(function)

    def _configure(self, own: Attachment) -> None:
        """Give a device its addresses and routes."""
        self.namespace.ip(*own.lines())
        self._rule(own)

    def _rule(self, own: Attachment) -> None:
        """Let its addresses go by their own device, if that is wanted."""
        if not self._routes_by_source:
            return
        self.namespace.ip(*own.table_lines())
        for address in own.addresses:
            if address not in self._ruled:
                self._change_rule("add", address, "lookup", str(own.table))
                self._ruled.append(address)

    def _change_rule(self, change: str, address: IPv4Address | IPv6Address, *more: str) -> None:
        # Rules do not tell the family by the address.
        self.namespace.run("ip", f"-{address.version}", "rule", change, "from", str(address), *more)
