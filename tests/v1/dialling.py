"""How the v1 peer of the tests opens connections: directly, or through a SOCKS proxy (Tor)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]

LINE_BYTES = 64 * 1024
"""v1 reads no longer line."""


async def open_target(target: str) -> Connection:
    """Connect to ``HOST:PORT`` or ``unix:PATH``."""
    if target.startswith("unix:"):
        return await asyncio.open_unix_connection(target[5:], limit=LINE_BYTES)
    host, _, port = target.rpartition(":")
    return await asyncio.open_connection(host, int(port), limit=LINE_BYTES)


async def dial_direct(rendezvous: dict[str, Any]) -> Connection:
    """Dial a contact of direct mode."""
    return await asyncio.open_connection(rendezvous["address"], rendezvous["port"], limit=LINE_BYTES)


def dial_by_socks(proxy: str) -> Callable[[dict[str, Any]], Awaitable[Connection]]:
    """A dial function through a SOCKS5 proxy (``HOST:PORT`` or ``unix:PATH``), by name, without login."""

    async def dial(rendezvous: dict[str, Any]) -> Connection:
        reader, writer = await open_target(proxy)
        try:
            status = await _connect(reader, writer, rendezvous["address"], rendezvous["port"])
        except BaseException:
            writer.close()
            raise
        if status != 0:
            writer.close()
            raise ConnectionError(f"SOCKS status {status:#04x}")
        return reader, writer

    return dial


async def _connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> int:
    """SOCKS5 CONNECT (RFC 1928); the proxy's status, 0 for success."""
    writer.write(b"\x05\x01\x00")
    if await reader.readexactly(2) != b"\x05\x00":
        return 0xFF
    name = host.encode("ascii")
    writer.write(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + port.to_bytes(2, "big"))
    _, status, _, kind = await reader.readexactly(4)
    length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
    await reader.readexactly(length + 2)
    return status
