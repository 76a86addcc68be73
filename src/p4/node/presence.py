"""Where this node can be reached besides the address of its invite, and what it does when that changes."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable

from p4.core import limits
from p4.core.address import RendezvousAddress, Transport
from p4.core.policy import Policy
from p4.core.reach import Reach
from p4.ports import SignalStream
from p4.ports.doorway import Doorway
from p4.ports.lan import LanDiscovery
from p4.ports.mapping import LocalPort, Mapping, PortMapper, PortProtocol
from p4.ports.monitor import NetworkChange, NetworkMonitor

__all__ = ["Presence"]

_SETTLE_SECONDS = 0.2
"""News about our addresses is told to contacts when it has been quiet this long: mappings come one by one."""

_log = logging.getLogger(__name__)


class Presence:
    """Our own addresses, as contacts may know them. Works with whatever of its parts there is.

    Args:
        doorway: where signaling arrives that goes to such an address.
        monitor: tells of changes of addresses and routes.
        mapper: has a router pass connections on to the doorway.
        lan: shows us to contacts on the local network, and them to us.
        told: whether contacts are told our addresses.
    """

    def __init__(
        self,
        doorway: Doorway | None = None,
        monitor: NetworkMonitor | None = None,
        mapper: PortMapper | None = None,
        lan: LanDiscovery | None = None,
        *,
        told: bool = True,
    ) -> None:
        self._doorway = doorway
        self._monitor = monitor
        self._mapper = mapper
        self.lan = lan
        self._is_told = told
        self._port = 0
        self._told = Reach()
        self._changed: Callable[[NetworkChange], None] = lambda change: None
        self._announce: Callable[[], None] = lambda: None
        self._settling: asyncio.TimerHandle | None = None
        self._addresses: frozenset[str] = frozenset()
        self._new: frozenset[str] = frozenset()
        self._new_until = 0.0

    @property
    def port(self) -> int:
        """TCP port of the doorway; 0 while there is none."""
        return self._port

    @property
    def discoverable(self) -> bool:
        """Whether contacts on the local network can find us, and we them."""
        return self.lan is not None and self._port > 0

    @property
    def addresses(self) -> frozenset[str]:
        """Addresses of this machine, as far as they are watched."""
        return self._monitor.addresses if self._monitor else frozenset()

    @property
    def new_addresses(self) -> frozenset[str]:
        """Those that this machine has got so recently that a link library may not know them."""
        now = asyncio.get_running_loop().time()
        return self._new if now < self._new_until else frozenset()

    @property
    def mappings(self) -> frozenset[Mapping]:
        """What a router passes on to us."""
        return self._mapper.mappings if self._mapper else frozenset()

    async def start(
        self,
        accept: Callable[[SignalStream], Awaitable[None]],
        *,
        changed: Callable[[NetworkChange], None],
        announce: Callable[[], None],
    ) -> None:
        """Listen and watch.

        Args:
            accept: given each stream that arrives at the doorway.
            changed: the addresses or routes of this machine changed, or it stood still.
            announce: `reach` has become another one.
        """
        self._changed, self._announce = changed, announce
        if self._monitor:
            self._monitor.start(self._network_changed)
            self._addresses = self._monitor.addresses
        if self._doorway:
            self._port = await self._doorway.start(accept)
        if self._mapper and self._port:
            await self._mapper.start([LocalPort(PortProtocol.TCP, self._port)], lambda _: self._news())
        self._told = self.reach(Policy.DIRECT)

    def reach(self, policy: Policy) -> Reach:
        """What a contact with this policy may know; its common contacts are not filled in."""
        if policy is Policy.RELAY_ONLY or not self._port or not self._is_told:
            return Reach()
        mapped = [
            _direct(mapping.external_host, mapping.external_port)
            for mapping in sorted(self.mappings, key=lambda m: m.expires, reverse=True)
            if mapping.external_host and mapping.internal_port == self._port and policy is Policy.DIRECT
        ]
        own = [ipaddress.ip_address(text) for text in self.addresses]
        world = [address for address in own if address.is_global and policy is Policy.DIRECT]
        local = [address for address in own if not address.is_global]
        hosts = sorted(world, key=str) + sorted(local, key=str)
        found = (*mapped, *(_direct(str(host), self._port) for host in hosts))
        return Reach(tuple(dict.fromkeys(found)))

    async def close(self) -> None:
        """End all of it."""
        if self._settling:
            self._settling.cancel()
        self._announce = lambda: None
        if self._monitor:
            self._monitor.close()
        closing = [part.close() for part in (self._doorway, self._mapper) if part]
        await asyncio.gather(*closing)

    def _network_changed(self, change: NetworkChange) -> None:
        _log.debug("the network changed: %s", change)
        now = asyncio.get_running_loop().time()
        if fresh := change.addresses - self._addresses:
            self._new, self._new_until = fresh, now + limits.NEW_ADDRESS_SECONDS
        self._addresses = change.addresses
        if self._mapper:
            self._mapper.network_changed()
        self._changed(change)
        self._news()

    def _news(self) -> None:
        if self._settling:
            self._settling.cancel()
        self._settling = asyncio.get_running_loop().call_later(_SETTLE_SECONDS, self._tell)

    def _tell(self) -> None:
        reach = self.reach(Policy.DIRECT)
        if reach != self._told:
            self._told = reach
            self._announce()


def _direct(host: str, port: int) -> RendezvousAddress:
    return RendezvousAddress(Transport.DIRECT, host, port)
