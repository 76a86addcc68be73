"""Addresses by asking once a second, for systems that announce nothing we can read."""

from __future__ import annotations

import socket
from collections.abc import Callable

import psutil

from p4.adapters.net.monitor.snapshot import Snapshot, usable_address

__all__ = ["PollingSource"]

_FAMILIES = (socket.AF_INET, socket.AF_INET6)


class PollingSource:
    """Lists the addresses of interfaces that are up. Default routes are not known here."""

    @property
    def poll_seconds(self) -> float | None:
        """Once a second: the price is about a millisecond."""
        return 1.0

    def open(self, hint: Callable[[], None], failed: Callable[[], None]) -> None:
        """Does nothing: no hints come, and nothing can fail later."""

    def snapshot(self) -> Snapshot:
        """The usable addresses now.

        Raises:
            OSError: the system refused to list its interfaces.
        """
        up = {name for name, state in psutil.net_if_stats().items() if state.isup}
        listed = (
            usable_address(entry.address)
            for name, entries in psutil.net_if_addrs().items()
            if name in up
            for entry in entries
            if entry.family in _FAMILIES
        )
        return Snapshot(frozenset(address for address in listed if address is not None))

    def close(self) -> None:
        """Nothing to release."""
