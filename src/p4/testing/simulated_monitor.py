"""A network monitor that a test drives."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from p4.ports.monitor import NetworkChange

__all__ = ["SimulatedMonitor"]


class SimulatedMonitor:
    """Implements `p4.ports.monitor.NetworkMonitor`; nothing changes but by `change`.

    Args:
        addresses: the usable addresses at the start.
    """

    def __init__(self, addresses: Iterable[str] = ("192.0.2.1",)) -> None:
        self._addresses = frozenset(addresses)
        self._observe: Callable[[NetworkChange], None] | None = None

    @property
    def addresses(self) -> frozenset[str]:
        """What the last change, or the construction, said; known before `start` too."""
        return self._addresses

    @property
    def watched(self) -> bool:
        """Whether somebody started it and has not closed it."""
        return self._observe is not None

    def start(self, observe: Callable[[NetworkChange], None]) -> None:
        """From now on `change` tells ``observe``."""
        self._observe = observe

    def change(self, *addresses: str, resumed: bool = False) -> None:
        """The machine has these addresses now (none: no network); tells the observer before it returns."""
        self._addresses = frozenset(addresses)
        if self._observe is not None:
            self._observe(NetworkChange(self._addresses, resumed))

    def resume(self) -> None:
        """The machine slept; its addresses are the same."""
        self.change(*self._addresses, resumed=True)

    def close(self) -> None:
        """`change` tells nobody any more."""
        self._observe = None
