"""TCP ports on 127.0.0.1 that nobody uses, for servers of tests."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
from collections import deque

__all__ = ["free_ports"]

_LOWEST, _HIGHEST = 20_000, 32_000
"""Below the range from which systems take source ports (32768 upwards on Linux, 49152 elsewhere), so that
no outgoing connection takes a port between our look and the server's start."""

_KEPT = 100
"""So many of the ports that were given last are given to nobody else while this process lives."""

_marks: deque[int] = deque()
"""File descriptors that mark the ports."""


def free_ports(count: int) -> list[int]:
    """``count`` different ports that could be listened on a moment ago.

    Chosen at random. On Linux other processes that ask here do not get them either, for as long as this one
    lives: a server that a test has ended, and starts again, finds its port free.
    """
    ports: list[int] = []
    with contextlib.ExitStack() as held:
        while len(ports) < count:
            port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
            probe = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                _mark(port)
                ports.append(port)
    return ports


def _mark(port: int) -> None:
    """Take a name for the port that only one process can have. Raises OSError if another one has it."""
    if sys.platform != "linux":
        return
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        mark.bind(f"\0p4 tests, port {port}")  # in the abstract namespace: it goes with its process
    except OSError:
        mark.close()
        raise
    _marks.append(mark.detach())
    if len(_marks) > _KEPT:
        os.close(_marks.popleft())
