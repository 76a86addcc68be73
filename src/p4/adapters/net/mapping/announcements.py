"""Routers tell the whole network when they begin anew (RFC 6886 section 3.2.1, RFC 6887 section 14.1)."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable

from p4.adapters.net.mapping import nat_pmp, pcp

__all__ = ["Announcements"]

_GROUP, _PORT = "224.0.0.1", 5350


class Announcements(asyncio.DatagramProtocol):
    """Listens for them; IPv4 only, because a restart is noticed there and concerns both families.

    Args:
        heard: called with the address that an announcement came from. Anybody on the network can send one:
            it is a reason to ask the router, never to believe something.
    """

    def __init__(self, heard: Callable[[str], None]) -> None:
        self._heard = heard
        self._transport: asyncio.BaseTransport | None = None

    async def open(self) -> None:
        """Begin to listen, together with whatever other program does.

        Raises:
            OSError: another program keeps the port for itself; restarts are noticed later then.
        """
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            made.setblocking(False)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "SO_REUSEPORT"):  # the BSDs and macOS share ports among listeners by this one
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            # Bound to the group, the socket gets nothing else. Windows cannot do that.
            made.bind(("" if sys.platform == "win32" else _GROUP, _PORT))
            loop = asyncio.get_running_loop()
            self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=made)
        except BaseException:
            made.close()
            raise

    def close(self) -> None:
        """Stop listening; may be called without `open`."""
        if self._transport is not None:
            self._transport.close()

    # --- what the event loop calls ------------------------------------------------------------------

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Something arrived at the group."""
        if pcp.parse(data) is not None or nat_pmp.parse(data) is not None:
            self._heard(addr[0])
