"""The port mapper: one keeper for each router that this machine goes out by."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from p4.adapters.net.mapping import pcp
from p4.adapters.net.mapping.announcements import Announcements
from p4.adapters.net.mapping.askers import NatPmpAsker, PcpAsker, ask_who_is_there
from p4.adapters.net.mapping.exchange import RouterSocket
from p4.adapters.net.mapping.gateways import IpAddress, list_gateways
from p4.adapters.net.mapping.keeper import Keeper, WaysToAsk
from p4.adapters.net.mapping.router import Asker, Gateway, Pace, is_public
from p4.adapters.net.mapping.upnp import GatewayDevice, UpnpAsker, find_device
from p4.ports.mapping import LocalPort, Mapping

__all__ = ["RouterPortMapper"]

_log = logging.getLogger(__name__)

_HEED_SECONDS = 1.0
"""Announcements are heeded this often: anybody on the network can send them."""


class RouterPortMapper:
    """Implements `p4.ports.mapping.PortMapper` with PCP, NAT-PMP and, if installed, UPnP.

    Args:
        secret: 32 bytes that stay the same between runs, so that a process that was killed gets its PCP
            mappings back; None for random ones.
        public: tells addresses of the internet from others; a laboratory's internet is made of others.
        list_routers: the routers, preferred ones first; None for those of this machine.
        find_upnp: searches for a UPnP device in the network of a router.
        port: UDP port of PCP and NAT-PMP at the router.
        pace: how often and how long routers are asked.
    """

    def __init__(
        self,
        *,
        secret: bytes | None = None,
        public: Callable[[IpAddress], bool] = is_public,
        list_routers: Callable[[], Awaitable[list[Gateway]]] | None = None,
        find_upnp: Callable[[Gateway], Awaitable[GatewayDevice | None]] = find_device,
        port: int = pcp.PORT,
        pace: Pace | None = None,
    ) -> None:
        self._secret = secret or secrets.token_bytes(32)
        self._public = public
        self._list_routers = list_routers or self._list_own_routers
        self._find_upnp = find_upnp
        self._port = port
        self._pace = pace or Pace()
        self._wanted: frozenset[LocalPort] = frozenset()
        self._observe: Callable[[frozenset[Mapping]], None] = lambda mappings: None
        self._told: frozenset[Mapping] = frozenset()
        self._keepers: dict[Gateway, Keeper] = {}
        self._goodbyes: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self._announcements = Announcements(self._announced)
        self._heeded_at = -_HEED_SECONDS

    async def start(self, ports: Iterable[LocalPort], observe: Callable[[frozenset[Mapping]], None]) -> None:
        """Begin to ask; returns at once."""
        self._observe = observe
        self._wanted = frozenset(ports)
        try:
            await self._announcements.open()
        except OSError as error:
            _log.debug("announcements of routers cannot be heard: %s", error)
        self._watch = asyncio.create_task(self._follow_routers(), name="routers for port mappings")

    def want(self, ports: Iterable[LocalPort]) -> None:
        """These ports from now on."""
        self._wanted = frozenset(ports)
        for keeper in self._keepers.values():
            keeper.look_again()

    @property
    def mappings(self) -> frozenset[Mapping]:
        """All that stand now."""
        return frozenset(mapping for keeper in self._keepers.values() for mapping in keeper.mappings)

    @property
    def detail(self) -> str:
        """How it stands, in a sentence for a person."""
        if self.mappings:
            ways = sorted({mapping.method.value for mapping in self.mappings})
            return f"{len(self.mappings)} port mapping(s) by {', '.join(ways)}."
        if not self._keepers:
            return "There is no router to ask for port mappings."
        refusals = [keeper.refusal for keeper in self._keepers.values() if keeper.refusal]
        return refusals[0] if refusals else "No router here offers port mappings."

    def network_changed(self) -> None:
        """Find the routers and ask all of them anew, at once."""
        self._changed.set()

    async def close(self) -> None:
        """Delete the mappings and end; takes at most 1 s."""
        self._announcements.close()
        watch, self._watch = self._watch, None
        if watch is None:
            return
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        self._observe = lambda mappings: None
        keepers, self._keepers = self._keepers, {}
        await asyncio.gather(*(keeper.close() for keeper in keepers.values()), *self._goodbyes)

    # --- routers ------------------------------------------------------------------------------------

    async def _follow_routers(self) -> None:
        while True:
            self._changed.clear()
            gateways = await self._list_routers()
            for gone in self._keepers.keys() - set(gateways):
                self._say_goodbye(self._keepers.pop(gone))
            for keeper in self._keepers.values():
                keeper.ask_anew()
            for gateway in gateways:
                if gateway not in self._keepers:
                    self._keepers[gateway] = self._keep(gateway)
            self._tell()
            await self._changed.wait()

    def _say_goodbye(self, keeper: Keeper) -> None:
        # It may still be reachable for a moment; nobody waits for that.
        goodbye = asyncio.create_task(keeper.close())
        self._goodbyes.add(goodbye)
        goodbye.add_done_callback(self._goodbyes.discard)

    def _keep(self, gateway: Gateway) -> Keeper:
        async def quick() -> list[Asker]:
            return await self._who_is_there(gateway)

        async def slow() -> Asker | None:
            device = await self._find_upnp(gateway)
            return None if device is None else UpnpAsker(device, gateway, self._pace)

        return Keeper(
            gateway,
            WaysToAsk(quick, slow, self._pace.upnp_head_start),
            wanted=lambda: self._wanted,
            changed=self._tell,
            public=self._public,
            pace=self._pace,
        )

    async def _who_is_there(self, gateway: Gateway) -> list[Asker]:
        askers: list[PcpAsker | NatPmpAsker] = []
        there: list[Asker] = []
        try:
            askers.append(PcpAsker(await RouterSocket.open(gateway, self._port), self._pace, self._secret))
            if ":" not in gateway.address:  # NAT-PMP is for IPv4
                askers.append(NatPmpAsker(await RouterSocket.open(gateway, self._port), self._pace))
            there = await ask_who_is_there(askers, self._pace.first_retry)
        finally:
            for asker in askers:
                if asker not in there:
                    asker.close()
        return there

    def _announced(self, address: str) -> None:
        now = asyncio.get_running_loop().time()
        known = any(gateway.address == address for gateway in self._keepers)
        if not known or now - self._heeded_at < _HEED_SECONDS:
            return
        self._heeded_at = now
        # All of them: the same router, by its other addresses, serves IPv6. Its epoch would not do as a
        # second proof, because that of a router which restarted soon after its start looks like the old one.
        for keeper in self._keepers.values():
            keeper.ask_anew()

    def _tell(self) -> None:
        mappings = self.mappings
        if mappings != self._told:
            self._told = mappings
            self._observe(mappings)

    async def _list_own_routers(self) -> list[Gateway]:
        return await list_gateways(self._public)
