"""`p4.ports.lan.LanDiscovery` on multicast DNS: one responder for each state of our networks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from p4.adapters.lan.interfaces import local_interfaces
from p4.ports.lan import LanEvent

if TYPE_CHECKING:
    from p4.adapters.lan.responder import Responder

__all__ = ["MulticastDiscovery"]

_log = logging.getLogger(__name__)

_AGAIN_SECONDS = (30.0, 600.0)
"""Where there is no network, or its port is taken, it is tried again after this, at first and at most."""

_FAREWELL_SECONDS = 0.7
"""How long taking our announcement back may last: three packets, an eighth of a second apart."""


class MulticastDiscovery:
    """Announces us and hears others on all local networks, IPv4 and IPv6; implements `LanDiscovery`.

    Nothing is opened before there are tags to announce, and the library is not imported before either.
    """

    def __init__(self) -> None:
        self._port = 0
        self._observe: Callable[[LanEvent], bool] = lambda event: False
        self._tags: tuple[bytes, ...] = ()
        self._changes = 0
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._responder: Responder | None = None
        self._complained = False

    async def start(self, port: int, observe: Callable[[LanEvent], bool]) -> None:
        """See `p4.ports.lan.LanDiscovery`."""
        self._port, self._observe = port, observe
        self._worker = asyncio.create_task(self._work(), name="local network")

    def announce(self, tags: tuple[bytes, ...]) -> None:
        """See `p4.ports.lan.LanDiscovery`."""
        if tags != self._tags:
            self._tags = tags
            self._wake.set()

    def network_changed(self) -> None:
        """See `p4.ports.lan.LanDiscovery`."""
        self._changes += 1
        self._wake.set()

    async def close(self) -> None:
        """See `p4.ports.lan.LanDiscovery`."""
        self._observe = lambda event: False
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait([self._worker])
            self._worker = None
        await self._end_responder()

    # --- inside -----------------------------------------------------------------------------------------

    async def _work(self) -> None:
        """Bring what is announced in line with what is wanted, again whenever something changed."""
        done_changes, again = self._changes, _AGAIN_SECONDS[0]
        while True:
            self._wake.clear()
            tags, changes = self._tags, self._changes
            try:
                if self._responder is not None and (not tags or changes != done_changes):
                    await self._end_responder()
                if tags and self._responder is None:
                    await self._begin_responder()
                if tags and self._responder is not None:
                    await self._responder.publish(tags)
            except Exception as error:  # noqa: BLE001 - whatever the library or the system has: it is a hint less
                self._complain(error)
                await self._end_responder()
            done_changes = changes
            idle = tags and self._responder is None
            try:
                await asyncio.wait_for(self._wake.wait(), again if idle else None)
            except TimeoutError:
                again = min(2 * again, _AGAIN_SECONDS[1])
            else:
                again = _AGAIN_SECONDS[0]

    async def _begin_responder(self) -> None:
        # In a thread: the import reads many files. The second time it costs nothing.
        responder = await asyncio.to_thread(_load_responder)
        interfaces = local_interfaces()
        if interfaces:
            self._responder = responder(interfaces, self._port, lambda event: self._observe(event))
            await self._responder.open()

    async def _end_responder(self) -> None:
        responder, self._responder = self._responder, None
        if responder is None:
            return
        try:
            await asyncio.wait_for(responder.close(), _FAREWELL_SECONDS)
        except Exception as error:  # noqa: BLE001 - as above; also TimeoutError: others forget us by themselves
            _log.debug("leaving the local network: %r", error)

    def _complain(self, error: Exception) -> None:
        level = logging.DEBUG if self._complained else logging.INFO
        self._complained = True
        _log.log(level, "Contacts on the local network are not found at the moment: %s", error or repr(error))


def _load_responder() -> type[Responder]:
    from p4.adapters.lan.responder import Responder

    return Responder
