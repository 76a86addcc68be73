"""The gate of an onion rendezvous, as the node steers it."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from p4.adapters.tor.rendezvous import TorRendezvous
from p4.core.address import RendezvousAddress
from p4.errors import LocalError, P4Error

__all__ = ["OnionGate"]

_log = logging.getLogger(__name__)


class OnionGate:
    """Implements `p4.ports.gate.GatedRendezvous` for a `TorRendezvous` that was given a ``gate_seed``.

    Args:
        rendezvous: which publishes both addresses; started and closed by the node.
    """

    def __init__(self, rendezvous: TorRendezvous) -> None:
        self._rendezvous = rendezvous

    @property
    def gated_address(self) -> RendezvousAddress:
        """See `p4.ports.gate.GatedRendezvous`. Raises LocalError: it was not started."""
        gate = self._rendezvous.standing.gate
        if gate is None:
            raise LocalError("The gate's address is not known before Tor is started.", code="not-running")
        return gate.address

    async def admit(self, keys: Iterable[bytes], *, open_too: bool) -> None:
        """See `p4.ports.gate.GatedRendezvous`."""
        try:
            renewed = await self._rendezvous.standing.admit(keys, open_too=open_too)
        except P4Error as error:  # a Tor that does not answer is started again, and gets all of it then
            _log.warning("the gate could not be changed: %s", error.message)
        else:
            self._rendezvous.standing_changed(renewed)

    def take_key(self, address: RendezvousAddress, private_key: bytes) -> None:
        """See `p4.ports.gate.GatedRendezvous`."""
        self._rendezvous.standing.take_key(address, private_key)
