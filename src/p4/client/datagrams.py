"""Datagrams: now, or not at all (spec/daemon-api, "Datagrams")."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import ClientWebSocketResponse

from p4.client.records import ContactName
from p4.client.sockets import messages_of
from p4.client.values import quoted
from p4.errors import LocalError

if TYPE_CHECKING:
    from p4.client.client import Client

__all__ = ["Datagram", "Datagrams", "open_datagrams"]


@dataclass(frozen=True, slots=True)
class Datagram:
    """A datagram of a contact."""

    contact: ContactName
    data: bytes


class Datagrams:
    """Datagrams of a service, from and to all contacts. An endless iterator; it ends with the daemon."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, contact: str, data: bytes) -> None:
        """Send one, at most 1000 bytes; it may be lost.

        Args:
            contact: its name or id.

        Raises:
            InputError: an earlier one was refused, and this one not sent; so ends the iteration.
            LocalError: ``connection-lost``: the daemon has ended.
        """
        entry = {"contact": contact, "base64": base64.b64encode(data).decode()}
        try:
            await self._socket.send_str(json.dumps(entry))
        except ConnectionError as error:
            async for _ in self:
                pass  # its reason to end, if it gave one, is the last thing that it said
            raise LocalError(
                "The daemon has ended. The datagram was not sent.", code="connection-lost"
            ) from error

    async def __aiter__(self) -> AsyncIterator[Datagram]:
        async for entry in messages_of(self._socket):
            if isinstance(entry, dict) and "base64" in entry:
                contact = entry["contact"]
                name = ContactName.read(contact) if isinstance(contact, dict) else ContactName(str(contact))
                yield Datagram(name, base64.b64decode(entry["base64"]))


@asynccontextmanager
async def open_datagrams(client: Client, service: str) -> AsyncIterator[Datagrams]:
    """The datagrams of a service from now on."""
    async with client.websocket(f"/v1/datagrams/{quoted(service)}") as socket:
        yield Datagrams(socket)
