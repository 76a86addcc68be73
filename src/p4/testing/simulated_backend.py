"""What makes the links of a simulated process."""

from __future__ import annotations

from collections.abc import Callable

from p4.core.ice import IceSettings
from p4.ports import Link, LinkEvent
from p4.testing.simulated_link import LinkRegistry, SimulatedLink
from p4.testing.world import Process

__all__ = ["SimulatedLinkBackend"]


class SimulatedLinkBackend:
    """Makes simulated links for one process; implements `p4.ports.LinkBackend`."""

    def __init__(self, process: Process, registry: LinkRegistry) -> None:
        self._process = process
        self._registry = registry

    @property
    def name(self) -> str:
        """Always ``simulated``."""
        return "simulated"

    def create(self, ice: IceSettings, sink: Callable[[LinkEvent], None]) -> Link:
        """A new link that has not begun."""
        return SimulatedLink(self._process, self._registry, sink, relays=bool(ice.turn))

    def network_changed(self) -> None:
        """Nothing is remembered."""

    async def close(self) -> None:
        """Nothing is left over to wait for."""
