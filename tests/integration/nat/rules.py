"""The kinds of NAT, as rules for nftables. Terms of RFC 4787: mapping and filtering behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

__all__ = ["Ipv6", "NatKind", "PortForward", "RouterRules", "blackhole_rules"]


class NatKind(StrEnum):
    """What a router does to IPv4."""

    NONE = "none"
    """Public addresses, nothing is filtered."""
    FIREWALL = "firewall"
    """Public addresses; comes in only what belongs to something that went out."""
    FULL_CONE = "full-cone"
    """One mapping for all destinations; whoever knows it may send to it."""
    ADDRESS_RESTRICTED = "address-restricted"
    """One mapping; addresses that were sent to may answer, from any port."""
    PORT_RESTRICTED = "port-restricted"
    """One mapping; only exactly what was sent to may answer. The usual home router."""
    SYMMETRIC = "symmetric"
    """A mapping of its own, at a random port, for every destination; filters as above."""
    UDP_BLOCKED = "udp-blocked"
    """No UDP at all; TCP outwards."""
    ONLY_443 = "only-443"
    """TCP to port 443, outwards, and nothing else."""

    @property
    def routed(self) -> bool:
        """Whether its computers have public IPv4 addresses."""
        return self in {NatKind.NONE, NatKind.FIREWALL}


class Ipv6(StrEnum):
    """What a router does to IPv6."""

    ABSENT = "absent"
    FIREWALL = "firewall"
    """As RFC 6092 has it: comes in only what belongs to something that went out."""
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class PortForward:
    """A port of the router that leads to a computer behind it."""

    protocol: str
    """``tcp`` or ``udp``."""
    port: int
    address: IPv4Address
    inner_port: int


@dataclass(frozen=True, slots=True)
class RouterRules:
    """Everything that decides what a router lets through. Its devices are ``wan`` and ``lan``.

    Full cone and address-restricted NATs do not exist in Linux. They are made of a port-preserving
    masquerade and a table of the inner addresses by source port; so of two computers behind one such
    router that send from the same port only the later one is reached.
    """

    kind: NatKind
    ipv6: Ipv6
    external: IPv4Address
    hairpin: bool = False
    """Computers behind it reach each other at the router's external address (RFC 4787 REQ-9)."""
    forwards: Sequence[PortForward] = ()

    def text(self) -> str:
        """The whole rule set; loading it replaces the one before and forgets its tables."""
        keeps_table = self.hairpin or self.kind in {NatKind.FULL_CONE, NatKind.ADDRESS_RESTRICTED}
        # A packet that is to come back in makes a mapping as well, like one to the outside.
        learn = ['iifname "lan" meta l4proto udp update @owners { udp sport : ip saddr }'] * keeps_table
        chains = [
            _chain("learn", "filter hook prerouting priority -150", learn),
            _chain("input", "filter hook input priority 0", self._input()),
            _chain("forward", "filter hook forward priority 0", self._forward()),
            _chain("before", "nat hook prerouting priority -100", self._before()),
            _chain("after", "nat hook postrouting priority 100", self._after()),
        ]
        tables = _TABLES if keeps_table else ""
        text = _table("ip", "router", tables + "\n".join(chains))
        if self.ipv6 is not Ipv6.ABSENT:
            text += _table("ip6", "router", _chain("forward", "filter hook forward priority 0", self._six()))
        return text

    def _input(self) -> list[str]:
        # Dropped without a word. Answered, or kept by conntrack, an early packet of the peer would own the
        # tuple and Linux would give our own packet another port: the cone would behave as symmetric.
        rules = ['iifname "wan" ct state new meta l4proto { tcp, udp } drop']
        if not self.kind.routed:
            # Likewise from inside to the external address, before hairpinning knows whom it means.
            rules.append(f'iifname "lan" ip daddr {self.external} meta l4proto udp drop')
        return rules

    def _forward(self) -> list[str]:
        rules = []
        if self.kind in {NatKind.UDP_BLOCKED, NatKind.ONLY_443}:
            rules.append("meta l4proto udp drop")
        if self.kind is NatKind.ONLY_443:
            rules.append('oifname "wan" meta l4proto tcp tcp dport != 443 ct direction original drop')
        if self.kind is NatKind.ADDRESS_RESTRICTED:
            rules.append('oifname "wan" meta l4proto udp update @asked { udp sport . ip daddr }')
        if self.kind is not NatKind.NONE:
            rules += [
                'iifname "wan" ct state established,related accept',
                'iifname "wan" ct status dnat accept',
                'iifname "wan" drop',
            ]
        return rules

    def _before(self) -> list[str]:
        rules = [
            f'iifname "wan" {one.protocol} dport {one.port} dnat to {one.address}:{one.inner_port}'
            for one in self.forwards
        ]
        if self.kind is NatKind.FULL_CONE:
            rules.append('iifname "wan" meta l4proto udp dnat to udp dport map @owners')
        if self.kind is NatKind.ADDRESS_RESTRICTED:
            rules.append('iifname "wan" udp dport . ip saddr @asked dnat to udp dport map @owners')
        if self.hairpin:
            rules.append(
                f'iifname "lan" ip daddr {self.external} meta l4proto udp meta mark set 7 '
                "dnat to udp dport map @owners"
            )
        return rules

    def _after(self) -> list[str]:
        rules = []
        if self.hairpin:
            rules.append(f"meta mark 7 snat to {self.external}")
        if self.kind is NatKind.SYMMETRIC:
            rules.append('oifname "wan" meta l4proto udp masquerade to :1024-65535 fully-random')
        if not self.kind.routed:
            rules.append('oifname "wan" masquerade')
        return rules

    def _six(self) -> list[str]:
        rules = []
        if self.kind in {NatKind.UDP_BLOCKED, NatKind.ONLY_443}:
            rules.append("meta l4proto udp drop")
        if self.kind is NatKind.ONLY_443:
            rules.append('oifname "wan" meta l4proto tcp tcp dport != 443 ct direction original drop')
        if self.ipv6 is Ipv6.FIREWALL:
            rules += [
                'iifname "wan" ct state established,related accept',
                'iifname "wan" meta l4proto ipv6-icmp accept',
                'iifname "wan" drop',
            ]
        return rules


def blackhole_rules(*, active: bool, protocol: str = "", incoming: bool = True, outgoing: bool = True) -> str:
    """Rules by which a router swallows what it should forward: no error, and every device stays up.

    Args:
        active: False takes them away again.
        protocol: ``tcp`` or ``udp``; everything if empty.
        incoming: from the internet.
        outgoing: to the internet.
    """
    which = f"meta l4proto {protocol} " if protocol else ""
    rules = []
    if active and incoming:
        rules.append(f'iifname "wan" {which}drop')
    if active and outgoing:
        rules.append(f'oifname "wan" {which}drop')
    # Before everything else, conntrack apart.
    return _table("inet", "blackhole", _chain("forward", "filter hook forward priority -190", rules))


_TABLES = """
map owners { type inet_service : ipv4_addr; flags dynamic,timeout; timeout 300s; size 65535; }
set asked { type inet_service . ipv4_addr; flags dynamic,timeout; timeout 300s; size 65535; }
"""


def _chain(name: str, hook: str, rules: Sequence[str]) -> str:
    return f"chain {name} {{ type {hook};\n" + "\n".join(rules) + "\n}"


def _table(family: str, name: str, content: str) -> str:
    """A table that takes the place of one of the same name."""
    return f"table {family} {name}\ndelete table {family} {name}\ntable {family} {name} {{\n{content}\n}}\n"
