"""TCP ports on 127.0.0.1 that nobody uses, for servers of tests."""

from __future__ import annotations

import contextlib
import secrets
import socket

__all__ = ["free_ports"]

_LOWEST, _HIGHEST = 20_000, 32_000
"""Below the range from which systems take source ports (32768 upwards on Linux, 49152 elsewhere), so that
no outgoing connection takes a port between our look and the server's start."""


def free_ports(count: int) -> list[int]:
    """``count`` different ports that could be listened on a moment ago; chosen at random, so that
    parallel test runs rarely meet."""
    ports: list[int] = []
    with contextlib.ExitStack() as held:
        while len(ports) < count:
            port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
            probe = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                ports.append(port)
    return ports
