"""Forwards and served ports of the daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aiohttp import ClientWebSocketResponse, WSMsgType

from p4.client.errors import error_from_object
from p4.errors import LocalError

if TYPE_CHECKING:
    from p4.client.client import Client

__all__ = ["Forwards", "HeldForward", "forward", "served"]

_PATH = "/v1/forwards"


class HeldForward:
    """A forward or served port that lasts as long as somebody holds this."""

    def __init__(self, socket: ClientWebSocketResponse, record: dict[str, Any]) -> None:
        self._socket = socket
        self.record = record
        """As it was last told: the JSON object of the API."""

    def __aiter__(self) -> HeldForward:
        return self

    async def __anext__(self) -> dict[str, Any]:
        """The record, whenever it has changed; ends when it was removed.

        Raises:
            LocalError: ``connection-lost``: the daemon ended, and it with that.
        """
        self.record = await _told(self._socket)
        return self.record


class Forwards:
    """What `p4 forward` and `p4 serve` are made of. Records are the JSON objects of the API."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def list(self) -> list[dict[str, Any]]:
        """All forwards and served ports."""
        answer = await self._client.request("GET", _PATH)
        found: list[dict[str, Any]] = answer["forwards"]
        return found

    async def keep(self, begin: dict[str, Any]) -> dict[str, Any]:
        """Begin one that is kept until it is removed.

        Args:
            begin: see `forward` and `served`.

        Raises:
            P4Error: nothing was begun.
        """
        record: dict[str, Any] = await self._client.request("POST", _PATH, begin)
        return record

    async def remove(self, reference: str) -> dict[str, Any]:
        """End one; by its id, served name or port where it listens. Gives what it was.

        Raises:
            InputError: ``unknown``, ``ambiguous``.
        """
        record: dict[str, Any] = await self._client.request(
            "DELETE", f"{_PATH}/{quote(reference, safe='')}", repeatable=False
        )
        return record

    @asynccontextmanager
    async def hold(self, begin: dict[str, Any]) -> AsyncIterator[HeldForward]:
        """One that ends with the block, with the process, or with the daemon.

        Args:
            begin: see `forward` and `served`.

        Raises:
            P4Error: nothing was begun.
        """
        async with self._client.websocket(f"{_PATH}/hold") as socket:
            await socket.send_json(begin)
            yield HeldForward(socket, await _told(socket))


def forward(contact: str, name: str, host: str, port: int, *, udp: bool = False) -> dict[str, Any]:
    """A forward to begin: listens on host and port; leads to what a contact serves under a name."""
    protocol = "udp" if udp else "tcp"
    return {
        "kind": "forward",
        "protocol": protocol,
        "contact": contact,
        "name": name,
        "host": host,
        "port": port,
    }


def served(name: str, host: str, port: int, *, to: Sequence[str] = (), udp: bool = False) -> dict[str, Any]:
    """A served port to begin: leads to host and port, for those who may use it and for ``to``."""
    protocol = "udp" if udp else "tcp"
    return {"kind": "serve", "protocol": protocol, "name": name, "host": host, "port": port, "to": list(to)}


async def _told(socket: ClientWebSocketResponse) -> dict[str, Any]:
    message = await socket.receive()
    if message.type is not WSMsgType.TEXT:
        if socket.close_code == 1000:
            raise StopAsyncIteration
        raise LocalError(
            "The daemon has ended, and with it what this command began. Begin it again, with --keep to make "
            "it outlive the daemon.",
            code="connection-lost",
        )
    told = message.json()
    if told["type"] == "error":
        raise error_from_object(told["error"])
    record: dict[str, Any] = told["forward"]
    return record
