"""What a computer sets at a device when it joins a network, as lines for ip(8)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.nat.networks import Network

__all__ = ["Attachment"]

_FIRST_METRIC = 1000
"""Of a host's first default route; each later network is preferred to the ones before."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A host's place in a network."""

    network: Network
    device: str
    address: IPv4Address
    six: IPv6Address | None

    @property
    def addresses(self) -> list[IPv4Address | IPv6Address]:
        """All."""
        return [self.address] if self.six is None else [self.address, self.six]

    def lines(self) -> list[str]:
        """Addresses and routes of the device."""
        length = self.network.lan.prefixlen
        return [
            f"link set {self.device} up",
            f"addr replace {self.address}/{length} dev {self.device}",
            *([] if self.six is None else [f"addr replace {self.six}/64 dev {self.device} nodad"]),
            *(f"route replace default via {gateway} {self._at_metric}" for gateway in self._gateways),
        ]

    def renumbering_lines(self, old: IPv4Address) -> list[str]:
        """The address in place of an old one, with which its routes go."""
        length = self.network.lan.prefixlen
        return [
            f"addr del {old}/{length} dev {self.device}",
            f"addr add {self.address}/{length} dev {self.device}",
            f"route replace default via {self.network.gateway} {self._at_metric}",
        ]

    def table_lines(self) -> list[str]:
        """A table of routes for what goes by this device alone."""
        table = f"dev {self.device} table {self.table}"
        lans = [self.network.lan] if self.six is None else [self.network.lan, self.network.six_lan]
        return [
            *(f"route replace {lan} {table}" for lan in lans),
            *(f"route replace default via {gateway} {table}" for gateway in self._gateways),
        ]

    @property
    def table(self) -> int:
        """The number of that table."""
        return 100 + self._number

    @property
    def _number(self) -> int:
        return int(self.device.removeprefix("eth"))

    @property
    def _at_metric(self) -> str:
        return f"dev {self.device} metric {_FIRST_METRIC - self._number}"

    @property
    def _gateways(self) -> list[IPv4Address | IPv6Address]:
        four: list[IPv4Address | IPv6Address] = [self.network.gateway]
        return four if self.six is None else [*four, self.network.six_lan.network_address + 1]
