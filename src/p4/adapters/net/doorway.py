"""Listening for signaling on all interfaces, at a port that stays the same from start to start."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable

from p4.adapters.net.direct import AcceptedStream
from p4.adapters.net.lines import StreamAcceptor
from p4.ports import SignalStream

__all__ = ["TcpDoorway", "mapping_secret", "usual_port"]

_FIRST_PORT, _PORTS = 49152, 16384
"""The dynamic ports (RFC 6335 section 6), which no service is assigned to."""

_TRIES = 4
"""Ports tried, one after the other, before the system chooses."""

_LABEL, _MAPPING_LABEL = b"P4 doorway 1\0", b"P4 port mapping 1\0"
_log = logging.getLogger(__name__)


def usual_port(seed: bytes) -> int:
    """The port of a device: what a contact remembers of it still holds after a restart.

    Only who has the identity's secret seed can tell it, so that it leads nobody from a peer id to an address.
    """
    return _FIRST_PORT + int.from_bytes(hashlib.sha256(_LABEL + seed).digest()[:4], "big") % _PORTS


def mapping_secret(seed: bytes) -> bytes:
    """What proves to a router, after a restart, that its mappings are ours (RFC 6887 section 11.1)."""
    return hashlib.sha256(_MAPPING_LABEL + seed).digest()


class TcpDoorway:
    """Implements `p4.ports.doorway.Doorway` over IPv4 and IPv6.

    Args:
        port: the TCP port to begin with (`usual_port`).
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._server: asyncio.Server | None = None
        self._acceptor: StreamAcceptor | None = None

    async def start(self, accept: Callable[[SignalStream], Awaitable[None]]) -> int:
        """See `p4.ports.doorway.Doorway.start`."""
        acceptor = self._acceptor = StreamAcceptor(accept, "inbound, nearby")
        loop = asyncio.get_running_loop()
        for port in [*range(self._port, min(self._port + _TRIES, _FIRST_PORT + _PORTS)), 0]:
            try:
                self._server = await loop.create_server(
                    lambda: AcceptedStream(acceptor),
                    # One family where the system chooses: it would choose a port for each.
                    None if port else "0.0.0.0",  # noqa: S104 - every interface is what it is for
                    port,
                    start_serving=False,
                )
            except OSError as error:
                _log.debug("port %d cannot be listened on: %s", port, error)
                continue
            await self._server.start_serving()
            return int(self._server.sockets[0].getsockname()[1])
        return 0

    async def close(self) -> None:
        """See `p4.ports.doorway.Doorway.close`."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._acceptor is not None:
            with contextlib.suppress(TimeoutError):
                await self._acceptor.close()
