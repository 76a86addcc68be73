"""The sockets that our onion services connect to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

__all__ = ["listen"]


async def listen(
    path: Path | None, protocol: Callable[[], asyncio.BaseProtocol]
) -> tuple[asyncio.Server, str]:
    """Open one: a Unix socket in the workspace, or a TCP port on 127.0.0.1.

    Args:
        path: of the Unix socket; None where there are none.
        protocol: for each stream; it may be called as soon as `asyncio.Server.start_serving` was.

    Returns:
        The server, not serving yet, and the target for Tor: ``unix:/path`` or ``127.0.0.1:port``.
    """
    loop = asyncio.get_running_loop()
    if path is not None:
        path.unlink(missing_ok=True)  # noqa: ASYNC240 - a local directory of ours
        return await loop.create_unix_server(protocol, str(path), start_serving=False), f"unix:{path}"
    server = await loop.create_server(protocol, "127.0.0.1", 0, start_serving=False)
    return server, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
