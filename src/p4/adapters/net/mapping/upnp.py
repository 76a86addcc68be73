"""UPnP Internet Gateway Devices by the library `miniupnpc`, an optional extra (``p4-node[upnp]``).

The library waits: each of its calls runs in a daemon thread, for which nobody waits longer than its time.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import math
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from p4.adapters.net.mapping.router import Gateway, Lease, Pace, RouterRefusedError, RouterSilentError
from p4.errors import UnreachableError
from p4.ports.mapping import LocalPort, MappingMethod

__all__ = ["GatewayDevice", "UpnpAsker", "find_device", "run_in_daemon_thread"]

_log = logging.getLogger(__name__)
T = TypeVar("T")

_FIND_SECONDS = 6.0
_CALL_SECONDS = 6.0
_SEARCH_MILLISECONDS = 1000
_DESCRIPTION = "P4"
_TRIES = 4
_PORTS = (1024, 65535)
_REFUSED_AGAIN = 600.0


class GatewayDevice(Protocol):
    """What we use of ``miniupnpc.UPnP``. Each call waits for the router, and raises plain `Exception`."""

    lanaddr: str

    def externalipaddress(self) -> str:
        """The router's own address."""

    def addportmapping(
        self, external: int, protocol: str, host: str, internal: int, text: str, remote: str, lease: int, /
    ) -> bool:
        """Map; ``lease`` in seconds, 0 for ever."""

    def deleteportmapping(self, external: int, protocol: str, /) -> bool:
        """Delete."""

    def getspecificportmapping(self, external: int, protocol: str, /) -> tuple[Any, ...] | None:
        """Internal address, internal port and more; None: there is no such mapping."""


class UpnpAsker:
    """Implements `p4.adapters.net.mapping.router.Asker` with UPnP.

    Args:
        device: the router.
        gateway: how it is named in errors; ``local_address`` is where mappings lead to.
        pace: how long leases are.
        call_seconds: longest wait for one call.
    """

    method = MappingMethod.UPNP

    def __init__(
        self, device: GatewayDevice, gateway: Gateway, pace: Pace, *, call_seconds: float = _CALL_SECONDS
    ) -> None:
        self.restarts = 0
        self._device = device
        self._gateway = gateway
        self._pace = pace
        self._seconds = call_seconds
        self._external: str | None = None
        self._asked_external = False
        self._held: dict[LocalPort, int] = {}

    async def map(self, port: LocalPort, suggested: int) -> Lease:
        """AddPortMapping: with another external port if that one is taken, for ever if leases are refused."""
        if not self._asked_external:
            self._external, self._asked_external = await self._external_address(), True
        external, lease, reason = suggested or port.port, self._pace.lifetime, ""
        for _ in range(_TRIES):
            reason = await self._call(lambda e=external, s=lease: self._add(port, e, s))  # type: ignore[misc]
            if not reason:
                self._held[port] = external
                return Lease(external, self._external, float(lease or math.inf))
            if "permanent" in reason.lower() and lease:
                lease = 0
            else:
                external = _PORTS[0] + secrets.randbelow(_PORTS[1] - _PORTS[0] + 1)
        raise RouterRefusedError(self._gateway.address, f"UPnP: {reason}", again=_REFUSED_AGAIN)

    async def unmap(self, port: LocalPort, external_port: int) -> None:
        """DeletePortMapping."""
        self._held.pop(port, None)
        with suppress(UnreachableError):  # it ends by itself then, unless the router keeps them for ever
            await self._call(lambda: self._delete(port, external_port))

    async def check(self) -> None:
        """Ask for one of our mappings, and for the external address."""
        for port, external in list(self._held.items())[:1]:
            there = await self._call(lambda p=port, e=external: self._stands(p, e))  # type: ignore[misc]
            if not there:
                self.restarts += 1
        address = await self._external_address()
        if address != self._external:
            self._external = address
            self.restarts += 1

    def close(self) -> None:
        """Nothing to release: the library keeps no connection."""

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            return await run_in_daemon_thread(work, self._seconds)
        except TimeoutError:
            raise RouterSilentError(self._gateway.address) from None

    async def _external_address(self) -> str | None:
        def work() -> str | None:
            try:
                return self._device.externalipaddress() or None
            except Exception:  # noqa: BLE001 - the library raises nothing more specific; it means "unknown"
                return None

        return await self._call(work)

    def _add(self, port: LocalPort, external: int, lease: int) -> str:
        try:
            self._device.addportmapping(
                external,
                port.protocol.upper(),
                self._gateway.local_address,
                port.port,
                _DESCRIPTION,
                "",
                lease,
            )
        except Exception as error:  # noqa: BLE001 - the library raises nothing more specific
            return str(error) or "no reason given"
        return ""

    def _delete(self, port: LocalPort, external: int) -> None:
        try:
            self._device.deleteportmapping(external, port.protocol.upper())
        except Exception as error:  # noqa: BLE001 - the library raises nothing more specific
            _log.debug("UPnP: the mapping of port %d was not deleted: %s", external, error)

    def _stands(self, port: LocalPort, external: int) -> bool:
        try:
            found = self._device.getspecificportmapping(external, port.protocol.upper())
        except Exception:  # noqa: BLE001 - the library raises nothing more specific; then we map anew
            return False
        return found is not None and found[:2] == (self._gateway.local_address, port.port)


async def find_device(gateway: Gateway) -> GatewayDevice | None:
    """Search the network of our address for a gateway device; None if there is none.

    Also None if the library is not installed, and for IPv6: openings are asked for with PCP.
    """
    if ":" in gateway.local_address:
        return None
    try:
        library = importlib.import_module("miniupnpc")
    except ImportError:
        return None

    def search() -> GatewayDevice | None:
        device = library.UPnP(multicastif=gateway.local_address, discoverdelay=_SEARCH_MILLISECONDS)
        try:
            device.discover()
            device.selectigd()
        except Exception as error:  # noqa: BLE001 - the library raises nothing more specific
            _log.debug("UPnP: no gateway device: %s", error)
            return None
        found: GatewayDevice = device
        return found

    try:
        return await run_in_daemon_thread(search, _FIND_SECONDS)
    except TimeoutError:
        return None


async def run_in_daemon_thread(work: Callable[[], T], seconds: float) -> T:
    """Run what waits in a thread of its own; the thread goes on alone when its time is over.

    An executor would be waited for at the end of the program, however long that takes.

    Raises:
        TimeoutError: it takes longer.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def finish(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type] # None only with an error

    def run() -> None:
        result, failed = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            failed = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(finish, result, failed)

    threading.Thread(target=run, name="p4-upnp", daemon=True).start()
    return await asyncio.wait_for(done, seconds)
