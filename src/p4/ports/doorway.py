"""The doorway port: signaling that arrives straight at this machine (see `p4.ports`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from p4.ports import SignalStream

__all__ = ["Doorway"]


class Doorway(Protocol):
    """A TCP port on all interfaces: for the local network, for IPv6, for what a router passes on."""

    async def start(self, accept: Callable[[SignalStream], Awaitable[None]]) -> int:
        """Listen.

        Args:
            accept: as of `p4.ports.Rendezvous.start`.

        Returns:
            The TCP port; 0 if none could be opened, and then nobody comes this way.
        """

    async def close(self) -> None:
        """Stop listening and end every inbound stream. Takes at most 1.5 s."""
