"""The network-monitor port: who tells the node that its network changed (see `p4.ports`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["NetworkChange", "NetworkMonitor"]


@dataclass(frozen=True, slots=True)
class NetworkChange:
    """What changed: the addresses, the way out (a default route), or that time passed without us.

    ``addresses`` may be the same as before: another default route changes the path all the same.
    """

    addresses: frozenset[str]
    """Usable unicast addresses of this machine now, in their canonical text form: no loopback, no
    link-local, none of an interface without a carrier. Empty: there is no network."""
    resumed: bool
    """The machine slept or this process stood still, so every timer is late and every path is in doubt."""


class NetworkMonitor(Protocol):
    """Watches the addresses and default routes of this machine, and its sleep."""

    def start(self, observe: Callable[[NetworkChange], None]) -> None:
        """Begin to watch on the running event loop; ``observe`` is told of changes from now on, on that loop.

        The state at the start is not a change; it is in ``addresses`` at once.
        """

    @property
    def addresses(self) -> frozenset[str]:
        """The usable addresses as last seen, like `NetworkChange.addresses`; empty before `start`."""

    def close(self) -> None:
        """Stop watching; ``observe`` is not called any more. May be called twice, and without `start`."""
