"""What arrives on a WebSocket of the daemon: JSON objects, bytes, errors, and the end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import ClientWebSocketResponse, WSMsgType

from p4.client.errors import error_from_object

__all__ = ["messages_of"]


async def messages_of(socket: ClientWebSocketResponse) -> AsyncIterator[dict[str, Any] | bytes]:
    """JSON objects of text messages and the bytes of binary ones, until the socket ends.

    Raises:
        P4Error: what an ``error`` message says.
    """
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            yield bytes(message.data)
        elif message.type is WSMsgType.TEXT:
            entry = json.loads(message.data)
            if entry.get("type") == "error":
                raise error_from_object(entry["error"])
            yield entry
