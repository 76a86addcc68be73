"""UDP sockets for port guessing, read by callbacks of the event loop."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import suppress

from p4.adapters.net.stun.codec import Address
from p4.core import limits
from p4.errors import LinkError

__all__ = ["drain", "loop_reads_sockets", "open_many", "open_socket"]

_NO_MORE = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_SPARE = 16
"""Descriptors given back if the system ran out of them, so that the rest of the node goes on."""

_BATCH = 64
_LONGEST = 2048
"""More than any STUN answer or packet of ours has; others are not looked at."""


def loop_reads_sockets() -> bool:
    """Whether the running event loop can watch sockets (asyncio's default one on Windows cannot)."""
    return not type(asyncio.get_running_loop()).__name__.startswith("Proactor")


def open_socket(host: str = "0.0.0.0") -> socket.socket:  # noqa: S104 - the route decides where packets leave
    """A non-blocking UDP socket on a port that the system chooses.

    Raises:
        OSError: no IPv4, not our address, or no descriptors left.
    """
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.bind((host, 0))
    except OSError:
        opened.close()
        raise
    return opened


def open_many(target: Address) -> list[socket.socket]:
    """The hard side's sockets, connected to the easy side: the system drops what comes from elsewhere.

    Raises:
        LinkError: code ``punch-failed``: fewer than ``limits.PUNCH_LEAST_SOCKETS``, or no route.
    """
    opened: list[socket.socket] = []
    try:
        while len(opened) < limits.PUNCH_SOCKETS:
            opened.append(open_socket())
            opened[-1].connect(target)
    except OSError as error:
        spare = _SPARE if error.errno in _NO_MORE else len(opened)
        for each in opened[len(opened) - spare :]:
            each.close()
        opened = opened[: len(opened) - spare]
        if len(opened) < limits.PUNCH_LEAST_SOCKETS:
            for each in opened:
                each.close()
            raise LinkError(
                f"No path through the NATs could be looked for: the system gave too few sockets ({error}).",
                code="punch-failed",
            ) from error
    return opened


def drain(each: socket.socket) -> list[tuple[bytes, Address]]:
    """Datagrams that wait in a socket, a batch at most, with their senders."""
    found: list[tuple[bytes, Address]] = []
    for _ in range(_BATCH):
        if each.fileno() < 0:
            break
        with suppress(ConnectionError):  # an ICMP message about a datagram of ours
            try:
                data, source = each.recvfrom(_LONGEST)
            except BlockingIOError:
                break
            found.append((data, (source[0], source[1])))
    return found
