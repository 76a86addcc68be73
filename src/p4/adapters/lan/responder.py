"""One state of our networks: sockets on their interfaces, our service there, and what others announce.

The only module that imports zeroconf (20 ms), and imported by `p4.adapters.lan.discovery` only when needed.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from zeroconf import ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from p4.core import limits
from p4.core.lan import LanInterface, decode_txt, encode_txt, reachable_addresses
from p4.errors import SignalingError
from p4.ports.lan import LanDeparture, LanEvent, LanSighting

__all__ = ["SERVICE_TYPE", "Responder"]

_log = logging.getLogger(__name__)

SERVICE_TYPE = "_p4._tcp.local."
"""What is announced and looked for (spec/lan.md, Announcement)."""

_NAME_BYTES = 12
"""Randomness in the names of an announcement: nobody else on the network has chosen the same."""

_HOST_TTL = 120
_OTHER_TTL = 2 * limits.LAN_PERIOD_SECONDS
"""Seconds that others keep our records (RFC 6762 section 10): no longer than they say anything."""

_ADDRESSES = 16
"""Most of our own addresses that are announced: a machine full of containers still fits into a packet."""

_RESOLVE_MS = 1500
"""How long missing parts of an announcement are asked for."""

_RESOLVING = 8
"""Announcements whose parts are asked for at a time."""


class _WithoutTracebacks(logging.Filter):
    """What a stranger's packet or a vanished interface makes the library say is no error of the program."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info, record.exc_text = None, None
        return True


_quiet = _WithoutTracebacks()


class Responder:
    """Our presence on some networks, from `open` to `close`.

    Args:
        interfaces: the local ones; not empty.
        port: TCP port of our signaling; 0: only look.
        observe: told of sightings and departures, on the loop; says whether it is a contact's.
    """

    def __init__(
        self, interfaces: Sequence[LanInterface], port: int, observe: Callable[[LanEvent], bool]
    ) -> None:
        self._interfaces = interfaces
        self._port = port
        self._observe = observe
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._published: AsyncServiceInfo | None = None
        self._tags: tuple[bytes, ...] = ()
        self._own_names: set[str] = set()
        self._seen: dict[str, LanSighting | None] = {}
        self._contacts: set[str] = set()
        self._resolving: dict[str, asyncio.Task[None]] = {}
        self._announcing: asyncio.Future[None] | None = None
        self._farewell: asyncio.Future[None] | None = None
        self._allowance = float(limits.LAN_SIGHTING_BURST)
        self._counted_at = 0.0

    async def open(self) -> None:
        """Open the sockets and begin to look.

        Raises:
            OSError: the port of multicast DNS cannot be used. RuntimeError: no interface could be used.
        """
        logging.getLogger("zeroconf").addFilter(_quiet)  # the same one each time: it is there once
        addresses = [address for each in self._interfaces for address in each.local_addresses]
        with_ipv4 = [str(address.ip) for address in addresses if address.version == 4]
        with_ipv6 = [way for each in self._interfaces if (way := _ipv6_way(each)) is not None]
        try:
            self._zeroconf = AsyncZeroconf(interfaces=[*with_ipv4, *with_ipv6])
        except (OSError, RuntimeError):
            if not (with_ipv4 and with_ipv6):
                raise
            self._zeroconf = AsyncZeroconf(interfaces=with_ipv4)  # a system without IPv6 sockets
        await self._zeroconf.zeroconf.async_wait_for_start()
        self._browser = AsyncServiceBrowser(self._zeroconf.zeroconf, SERVICE_TYPE, handlers=[self._changed])

    async def publish(self, tags: tuple[bytes, ...]) -> None:
        """Announce these tags under new names, then take the previous announcement back."""
        if self._zeroconf is None or not self._port or tags == self._tags:
            return
        name = f"{secrets.token_hex(_NAME_BYTES)}.{SERVICE_TYPE}"
        addresses = [address.ip for each in self._interfaces for address in each.local_addresses]
        info = AsyncServiceInfo(
            SERVICE_TYPE,
            name,
            port=self._port,
            properties=encode_txt(tags),
            server=f"{secrets.token_hex(_NAME_BYTES)}.local.",
            addresses=[address.packed for address in dict.fromkeys(addresses)][:_ADDRESSES],
            host_ttl=_HOST_TTL,
            other_ttl=_OTHER_TTL,
        )
        previous, self._published, self._tags = self._published, info, tags
        self._own_names = {name} if previous is None else {name, previous.name}
        repeating = self._announcing
        # Random names need no probing for others that have chosen the same, which would take 0.7 s.
        self._announcing = await _sending(
            self._zeroconf.async_register_service(info, cooperating_responders=True)
        )
        if previous is not None:
            if repeating is not None:
                repeating.cancel()  # or it would be announced once more after it was taken back
            self._farewell = await _sending(self._zeroconf.async_unregister_service(previous))

    async def close(self) -> None:
        """Take our announcement back and close the sockets; what was seen departs."""
        for name in list(self._seen):
            self._forget(name)
        self._observe = lambda event: False
        for task in (*self._resolving.values(), self._announcing):
            if task is not None:
                task.cancel()
        if self._browser is not None:
            await self._browser.async_cancel()
        if self._zeroconf is not None:
            try:
                await self._zeroconf.async_unregister_all_services()
            finally:  # also when our time is over; with nothing to take back it is done at once
                await self._zeroconf.async_close()
        if self._farewell is not None:
            self._farewell.cancel()

    # --- inside -----------------------------------------------------------------------------------------

    def _changed(
        self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        """The library heard something of an announcement (called by it, on the loop)."""
        if name in self._own_names:
            return
        if state_change is ServiceStateChange.Removed:
            if task := self._resolving.pop(name, None):
                task.cancel()
            self._forget(name)
            return
        if name in self._resolving or not self._may_look(name):
            return
        info = AsyncServiceInfo(service_type, name)
        if info.load_from_cache(zeroconf):
            self._see(info)
        elif len(self._resolving) < _RESOLVING:
            task = asyncio.create_task(self._resolve(zeroconf, info))
            self._resolving[name] = task
            task.add_done_callback(lambda ended: self._resolved(name, ended))

    def _may_look(self, name: str) -> bool:
        """Whether an announcement is worth our time: a flood of them must cost little."""
        now = asyncio.get_running_loop().time()
        since, self._counted_at = now - self._counted_at, now
        gained = since * limits.LAN_SIGHTINGS_PER_SECOND
        self._allowance = min(limits.LAN_SIGHTING_BURST, self._allowance + gained)
        if self._allowance < 1:
            return False
        if name not in self._seen and len(self._seen) >= limits.LAN_SIGHTINGS:
            stranger = next((each for each in self._seen if each not in self._contacts), None)
            if stranger is None:
                return False
            self._forget(stranger)
        self._allowance -= 1
        self._seen.setdefault(name, None)
        return True

    def _forget(self, name: str) -> None:
        self._contacts.discard(name)
        if self._seen.pop(name, None) is not None:
            self._observe(LanDeparture(name))

    async def _resolve(self, zeroconf: Zeroconf, info: AsyncServiceInfo) -> None:
        if await info.async_request(zeroconf, _RESOLVE_MS):
            self._see(info)

    def _resolved(self, name: str, task: asyncio.Task[None]) -> None:
        if self._resolving.get(name) is task:
            del self._resolving[name]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.debug("asking for an announcement: %r", error)

    def _see(self, info: AsyncServiceInfo) -> None:
        sighting: LanSighting | None = None
        with suppress(SignalingError):  # a stranger's, or of a later version
            addresses = reachable_addresses(info.parsed_scoped_addresses(), self._interfaces)
            tags = decode_txt(info.text)
            if addresses and info.port:
                sighting = LanSighting(info.name, tags, addresses, info.port)
        if sighting is not None and sighting != self._seen.get(info.name):
            self._seen[info.name] = sighting
            if self._observe(sighting):
                self._contacts.add(info.name)
            else:
                self._contacts.discard(info.name)


def _ipv6_way(interface: LanInterface) -> str | int | None:
    """What names the interface to the library, for IPv6; None if it has none.

    Its link-local address where there is one: only with that as the sender's do others learn to which
    interface the link-local addresses in an announcement belong.
    """
    local = [address.ip for address in interface.local_addresses if address.version == 6]
    return next((str(ip) for ip in local if ip.is_link_local), interface.index if local else None)


async def _sending(beginning: Awaitable[Awaitable[None]]) -> asyncio.Future[None]:
    """The repetitions of an announcement, which the library sends in a task of its own."""
    return asyncio.ensure_future(await beginning)
