"""Datagrams: now, or not at all (spec/daemon-api, "Datagrams")."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import ClientWebSocketResponse

from p4.client.records import ContactName
from p4.client.sockets import messages_of
from p4.client.values import quoted
from p4.core import limits
from p4.errors import LocalError, P4Error

if TYPE_CHECKING:
    from p4.client.client import Client

__all__ = ["Datagram", "Datagrams", "open_datagrams"]


@dataclass(frozen=True, slots=True)
class Datagram:
    """A datagram of a contact."""

    contact: ContactName
    data: bytes


class Datagrams:
    """Datagrams of a service, from and to all contacts. An endless iterator; it ends with the daemon.

    A reader that is too slow loses the oldest ones.
    """

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._arrived: deque[Datagram] = deque(maxlen=limits.WAITING_DATAGRAMS)
        self._changed = asyncio.Event()
        self._error: P4Error | None = None
        # Read also while the application only sends: that is how a refusal, and the end, is noticed.
        self._reading = asyncio.create_task(self._read(), name="datagrams of the daemon")

    async def send(self, contact: str, data: bytes) -> None:
        """Send one, at most 1000 bytes; it may be lost.

        Args:
            contact: its name or id.

        Raises:
            P4Error: an earlier one was refused, such as InputError ``not-granted``; this one was not sent.
            LocalError: ``connection-lost``: the daemon has ended.
        """
        entry = {"contact": contact, "base64": base64.b64encode(data).decode()}
        if self._error is not None:
            raise self._error
        try:
            await self._socket.send_str(json.dumps(entry))
        except ConnectionError as error:
            await asyncio.wait([self._reading])
            raise (self._error or _lost()) from error

    def __aiter__(self) -> AsyncIterator[Datagram]:
        return self

    async def __anext__(self) -> Datagram:
        """The next one. Raises as `send` does when there are no more."""
        while not self._arrived:
            if self._error is not None:
                raise self._error
            self._changed.clear()
            await self._changed.wait()
        return self._arrived.popleft()

    async def close(self) -> None:
        """Read no more."""
        self._reading.cancel()
        await asyncio.wait([self._reading])

    async def _read(self) -> None:
        error: P4Error = _lost()
        try:
            async for entry in messages_of(self._socket):
                if isinstance(entry, dict) and "base64" in entry:
                    contact = ContactName.read(entry["contact"])
                    self._arrived.append(Datagram(contact, base64.b64decode(entry["base64"])))
                    self._changed.set()
        except P4Error as told:
            error = told
        self._error = error
        self._changed.set()


def _lost() -> LocalError:
    return LocalError("The daemon has ended. Open the datagrams again.", code="connection-lost")


@asynccontextmanager
async def open_datagrams(client: Client, service: str) -> AsyncIterator[Datagrams]:
    """The datagrams of a service from now on."""
    async with client.websocket(f"/v1/datagrams/{quoted(service)}") as socket:
        datagrams = Datagrams(socket)
        try:
            yield datagrams
        finally:
            await datagrams.close()
