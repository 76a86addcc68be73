"""Keeps the mappings at one router: finds out how to ask, asks, renews, and asks again after a restart."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from p4.adapters.net.mapping.gateways import IpAddress
from p4.adapters.net.mapping.router import (
    Asker,
    Gateway,
    Lease,
    Pace,
    RouterRefusedError,
    RouterSilentError,
)
from p4.ports.mapping import LocalPort, Mapping

__all__ = ["Keeper", "WaysToAsk"]

_log = logging.getLogger(__name__)

_BACK_OFF = 2.0


class WaysToAsk:
    """How a router may be asked, the better ways first; each way is tried once the one before is of no use.

    Args:
        quick: finds those that answer within milliseconds (PCP, NAT-PMP).
        slow: finds one that takes a second or is not there (UPnP); None if there is none.
        head_start: seconds that ``quick`` has alone.

    Whatever it found and has not handed out is closed with it.
    """

    def __init__(
        self,
        quick: Callable[[], Awaitable[list[Asker]]],
        slow: Callable[[], Awaitable[Asker | None]],
        head_start: float,
    ) -> None:
        self._quick = quick
        self._slow = slow
        self._head_start = head_start

    async def each(self) -> AsyncGenerator[Asker, None]:
        """Ways to ask that are there. Whoever takes one closes it.

        Raises:
            OSError: there is no way to the router.
        """
        quick = asyncio.ensure_future(self._quick())
        slow: asyncio.Future[Asker | None] | None = None
        try:
            done, _ = await asyncio.wait({quick}, timeout=self._head_start)
            if not done:
                slow = asyncio.ensure_future(self._slow())
            waiting = await quick
            while waiting:
                yield waiting.pop(0)
            slow = slow or asyncio.ensure_future(self._slow())
            last = await slow
            if last is not None:
                yield last
        finally:
            quick.cancel()
            if slow is not None:
                slow.cancel()
            # What is found after nobody wants it any more.
            for left in await asyncio.gather(quick, return_exceptions=True):
                for asker in left if isinstance(left, list) else []:
                    asker.close()


@dataclass(slots=True)
class _Held:
    lease: Lease
    mapping: Mapping
    renew_at: float


class Keeper:
    """The mappings at one router.

    Args:
        gateway: the router.
        ways: how to ask it.
        wanted: the ports to map now; `look_again` after it changed.
        changed: called when `mappings` is another set.
        public: tells addresses of the internet from others.
        pace: how often and how long it asks.
    """

    def __init__(
        self,
        gateway: Gateway,
        ways: WaysToAsk,
        *,
        wanted: Callable[[], frozenset[LocalPort]],
        changed: Callable[[], None],
        public: Callable[[IpAddress], bool],
        pace: Pace,
    ) -> None:
        self.gateway = gateway
        self.refusal = ""
        """What the router said last when it refused; empty if it did not."""
        self._ways = ways
        self._wanted = wanted
        self._changed = changed
        self._public = public
        self._pace = pace
        self._held: dict[LocalPort, _Held] = {}
        self._last_ports: dict[LocalPort, int] = {}
        self._asker: Asker | None = None
        self._refused_until: dict[LocalPort, float] = {}
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._anew = False
        self._task = asyncio.create_task(self._run(), name=f"port mappings at {gateway.address}")
        self._task.add_done_callback(_report)

    @property
    def mappings(self) -> frozenset[Mapping]:
        """Those that stand now."""
        return frozenset(held.mapping for held in self._held.values())

    def look_again(self) -> None:
        """The wanted ports may be other ones."""
        self._wake.set()

    def ask_anew(self) -> None:
        """Ask for everything anew: the network may be another one, or the router has restarted."""
        self._anew = True
        self._wake.set()

    async def close(self) -> None:
        """Delete the mappings and end, within `Pace.goodbye` seconds."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        asker, self._asker = self._asker, None
        if asker is None:
            return
        held, self._held = self._held, {}
        goodbyes = (asker.unmap(port, kept.lease.external_port) for port, kept in held.items())
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*goodbyes), self._pace.goodbye)
        finally:
            asker.close()

    # --- the loop -----------------------------------------------------------------------------------

    async def _run(self) -> None:
        pause = self._pace.again
        while True:
            while not self._wanted():
                await self._wait(math.inf)
            self._anew = False
            if await self._try_ways():
                pause = self._pace.again_lost
            self._forget()
            _log.debug("port mappings at %s: none; looking again in %.0f s", self.gateway.address, pause)
            await self._pause(pause)
            pause = min(pause * _BACK_OFF, self._pace.again)

    async def _try_ways(self) -> bool:
        """Whether one of the ways gave a mapping, until it failed."""
        try:
            async with contextlib.aclosing(self._ways.each()) as ways:
                async for asker in ways:
                    self._asker = asker
                    served = await self._keep(asker)
                    # Not in a `finally`: `close` needs it to delete the mappings.
                    self._asker = None
                    asker.close()
                    if served or self._anew:
                        return served
        except OSError as error:
            _log.debug("no way to the router %s: %s", self.gateway.address, error)
        return False

    async def _keep(self, asker: Asker) -> bool:
        """Keep mappings until the router is silent or refuses all; whether it ever gave one."""
        self._refused_until = {}
        served = False
        restarts, heed_at, check_at = asker.restarts, 0.0, self._now() + self._pace.check
        try:
            while True:
                wanted = self._wanted()
                for port in self._held.keys() - wanted:
                    await self._drop(asker, port)
                if self._now() >= check_at:
                    await asker.check()
                    check_at = self._now() + self._pace.check
                lost = asker.restarts != restarts and self._now() >= heed_at
                if lost or self._anew:
                    # Not at once again: a router that counts nonsense would keep us asking for ever.
                    heed_at = self._now() + self._pace.renew_floor
                    self._anew, restarts = False, asker.restarts
                    self._everything_is_due()
                for port in sorted(wanted):
                    if self._due_at(port) <= self._now():
                        served = await self._map(asker, port) or served
                if wanted and not self._held:
                    return served
                moments = [check_at, *(self._due_at(port) for port in wanted)]
                if asker.restarts != restarts:
                    moments.append(heed_at)
                await self._wait(min(moments) - self._now())
        except RouterSilentError:
            return served

    async def _map(self, asker: Asker, port: LocalPort) -> bool:
        try:
            lease = await self._granted(asker, port)
        except RouterRefusedError as error:
            _log.debug("%s", error)
            self.refusal = error.message
            self._refused_until[port] = self._now() + min(error.again, self._pace.again)
            if self._held.pop(port, None) is not None:
                self._changed()
            return False
        self.refusal = ""
        self._last_ports[port] = lease.external_port
        before = self._held.get(port)
        mapping = Mapping(
            port.protocol,
            port.port,
            lease.external_port,
            self._usable_host(lease),
            asker.method,
            self.gateway.local_address,
            self._now() + lease.lifetime,
        )
        renew_at = self._now() + max(lease.lifetime / 2, self._pace.renew_floor)
        self._held[port] = _Held(lease, mapping, renew_at)
        if before is None or before.mapping != mapping:
            self._changed()
        return True

    async def _granted(self, asker: Asker, port: LocalPort) -> Lease:
        lease = await asker.map(port, self._last_ports.get(port, port.port))
        if not lease.external_port or lease.lifetime <= 0:
            raise RouterRefusedError(self.gateway.address, "it granted nothing", again=self._pace.again)
        return lease

    async def _drop(self, asker: Asker, port: LocalPort) -> None:
        held = self._held.pop(port)
        self._last_ports.pop(port, None)
        self._changed()
        await asker.unmap(port, held.lease.external_port)

    def _everything_is_due(self) -> None:
        self._refused_until = {}
        for held in self._held.values():
            held.renew_at = 0.0

    def _forget(self) -> None:
        if self._held:
            self._held = {}
            self._changed()

    def _due_at(self, port: LocalPort) -> float:
        held = self._held.get(port)
        return self._refused_until.get(port, 0.0) if held is None else held.renew_at

    def _usable_host(self, lease: Lease) -> str | None:
        try:
            address = ipaddress.ip_address(lease.external_host or "")
        except ValueError:
            return None
        return str(address) if self._public(address) else None

    # --- waiting ------------------------------------------------------------------------------------

    async def _pause(self, seconds: float) -> None:
        """Leave the router alone; `ask_anew` ends it sooner, a mere wish for another port does not."""
        until = self._now() + seconds
        while not self._anew and self._now() < until:
            await self._wait(until - self._now())

    async def _wait(self, seconds: float) -> None:
        """Until something was asked of us, or the time is over."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), None if seconds == math.inf else max(seconds, 0.0))
        self._wake.clear()

    def _now(self) -> float:
        return self._loop.time()


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("Port mappings are not kept any more; this is a mistake in P4.", exc_info=error)
