"""The onion services that stand as long as the node runs: the open address, and the gated one."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Iterable

from p4.adapters.tor.control import ControlConnection
from p4.adapters.tor.gate import GatedService
from p4.adapters.tor.onion import OnionService
from p4.core.address import RendezvousAddress
from p4.errors import TorError

__all__ = ["StandingServices"]

_log = logging.getLogger(__name__)


class StandingServices:
    """What each run of Tor publishes, and the keys with which it dials.

    Args:
        onion: the open address.
        gated: whether there is a gate, too. Without one the open address is always published; with one,
            nothing is before we were told who may come.
    """

    def __init__(self, onion: OnionService, *, gated: bool) -> None:
        self.onion = onion
        self.gate: GatedService | None = None
        """Known once prepared."""
        self._gated = gated
        self._admitted: frozenset[bytes] | None = None
        """None until we were told; without a gate nobody tells."""
        self._open_too = not gated
        self._is_open = False
        self._published: frozenset[bytes] | None = None
        self._keys: dict[str, bytes] = {}
        self._control: ControlConnection | None = None
        self._one_at_a_time = asyncio.Lock()

    @property
    def addresses(self) -> list[RendezvousAddress]:
        """Those that are published, or shall be: by these contacts reach us. The gated one comes first."""
        gated = [self.gate.address] if self.gate is not None and self._admitted is not None else []
        return gated + ([self.onion.address] if self._open_too else [])

    def set_target(self, target: str) -> None:
        """Where Tor connects for each inbound stream."""
        self.onion.target = target
        if self.gate is not None:
            self.gate.target = target

    def prepare(self, gate: GatedService | None) -> None:
        """Before the first Tor is started. Raises StateError."""
        self.gate = gate
        if gate is not None:
            self.onion.identify()
            gate.prepare()
            self._keys[gate.address.host] = gate.own_key

    async def up(self, control: ControlConnection) -> None:
        """A new Tor runs. Raises TorError, StateError."""
        async with self._one_at_a_time:
            self._control, self._published, self._is_open = control, None, False
            if self.gate is not None:
                await self.gate.begin(control)
            if not self._open_too and not self.onion.identified:
                await self.onion.publish(control)  # only Tor can tell its address
                self._is_open = True
            await self._follow(control)

    def down(self) -> None:
        """Tor has ended."""
        self._control = None

    async def again(self, control: ControlConnection) -> None:
        """Publish all anew, with new introduction points. Raises TorError, StateError."""
        async with self._one_at_a_time:
            if self.gate is not None and self._admitted is not None:
                wanted = self._admitted
                await self.gate.withdraw(control)
                await self.gate.publish(control, wanted)
                self._published = wanted
            if self._is_open:
                await self.onion.republish(control)

    async def admit(self, keys: Iterable[bytes], *, open_too: bool) -> frozenset[str]:
        """See `p4.ports.gate.GatedRendezvous.admit`; raises as `up`.

        Returns:
            Hosts whose entrances became others.
        """
        self._admitted, self._open_too = frozenset(keys), open_too or not self._gated
        async with self._one_at_a_time:
            return await self._follow(self._control) if self._control is not None else frozenset()

    def take_key(self, address: RendezvousAddress, key: bytes) -> None:
        """See `p4.ports.gate.GatedRendezvous.take_key`."""
        self._keys[address.host] = key

    async def unlock(self, host: str) -> None:
        """Give Tor our key for this host, if we have one; before each dial (ONION_CLIENT_AUTH_ADD).

        Tor keeps it in memory only, and forgets it with each NEWNYM and whenever its configuration is set.
        Raises nothing: dialling is the next step, and tells what is wrong.
        """
        key, control = self._keys.get(host), self._control
        if key is None or control is None:
            return
        encoded = base64.b64encode(key).decode("ascii")
        try:
            await control.command("ONION_CLIENT_AUTH_ADD", host.removesuffix(".onion"), f"x25519:{encoded}")
        except TorError as error:
            _log.debug("the key for the gate %s… was not taken: %s", host[:8], error.message)

    async def _follow(self, control: ControlConnection) -> frozenset[str]:
        """Bring what is published in line with what is wanted; nothing, before we were told."""
        renewed: set[str] = set()
        wanted, before = self._admitted, self._published
        if self.gate is not None and wanted is not None and wanted != before:
            lost = before is not None and bool(before - wanted)
            if before is None or lost:
                renewed.add(self.gate.address.host)
            if lost:
                _log.info("the gate gives up its entrances: somebody is admitted no more")
                await self.gate.withdraw(control)
            await self.gate.publish(control, wanted)
            self._published = wanted  # only now: what failed is due at the next opportunity
        if self._open_too and not self._is_open:
            await self.onion.publish(control)
            renewed.add(self.onion.address.host)
        elif self._is_open and not self._open_too and self.onion.identified:
            await self.onion.withdraw(control)
        self._is_open = self._open_too
        return frozenset(renewed)
