"""Making a link over one network of several: libwebrtc takes all that there are.

It binds a UDP port on each address of the machine and can be told which. A port that somebody else holds on
all other addresses leaves it only the wanted one.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import psutil

from p4.adapters.net.outward import outward_address

__all__ = ["HeldPort", "preferred_addresses"]

_FIRST_PORT, _PORTS = 49152, 16384
_TRIES = 20


def preferred_addresses() -> set[str]:
    """The addresses of this machine that packets to the rest of the world come from now."""
    found = (outward_address(family) for family in (socket.AF_INET, socket.AF_INET6))
    return {address for address in found if address is not None}


class HeldPort:
    """A port that nobody can bind on any address of this machine but the wanted ones, while this is open.

    Raises:
        OSError: none was found.
    """

    def __init__(self, wanted: Iterable[str]) -> None:
        others = _own_addresses() - set(wanted)
        for _ in range(_TRIES):
            self.number = _FIRST_PORT + secrets.randbelow(_PORTS)
            self._sockets: list[socket.socket] = []
            try:
                for host in others:
                    self._hold(host)
            except OSError:
                self.close()
            else:
                return
        raise OSError("no port is free on all addresses")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let others have the port."""
        for held in self._sockets:
            held.close()
        self._sockets.clear()

    def _hold(self, host: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            held = socket.socket(family, kind)
            self._sockets.append(held)
            held.bind((host, self.number))


def _own_addresses() -> set[str]:
    """All that a socket can be bound to without naming an interface."""
    families = {socket.AF_INET, socket.AF_INET6}
    return {
        entry.address
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family in families and "%" not in entry.address
    }
