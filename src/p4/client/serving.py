"""Answering calls of contacts (spec/daemon-api, "Calls")."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import ClientWebSocketResponse

from p4.client.records import ContactName
from p4.client.sockets import messages_of
from p4.client.values import decoded, encoded, quoted
from p4.core import limits
from p4.errors import CallFailed

if TYPE_CHECKING:
    from p4.client.client import Client

__all__ = ["Handler", "IncomingCall", "serve"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """A contact asks."""

    contact: ContactName
    service: str
    """Which one was meant, of those that the handler serves."""
    argument: Any
    """Bytes, or a JSON value."""
    remaining: float
    """Seconds until the caller gives up, when the call arrived."""


Handler = Callable[[IncomingCall], Awaitable[object] | object]
"""Gives the result: bytes, or a JSON value. `CallFailed` reaches the caller as it is; any other exception
becomes ``internal``, and its text stays here."""


async def serve(
    client: Client, service: str, handler: Handler, *, serving: Callable[[], None] | None = None
) -> None:
    """Answer the calls for a service, until cancelled; begin again when the daemon restarts.

    Args:
        serving: called when calls are taken, and again after each restart of the daemon.

    Raises:
        LocalError: ``already-served``; ``no-daemon``: it has gone and does not come back.
    """
    while True:
        async with client.websocket(f"/v1/services/{quoted(service)}/serve") as socket:
            await _Session(socket, handler, serving).run()
        await asyncio.sleep(limits.CLIENT_FIRST_PAUSE_SECONDS)


class _Session:
    """One connection, and the calls that came over it."""

    def __init__(
        self, socket: ClientWebSocketResponse, handler: Handler, serving: Callable[[], None] | None
    ) -> None:
        self._socket = socket
        self._handler = handler
        self._serving = serving
        self._calls: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        try:
            async for entry in messages_of(self._socket):
                if isinstance(entry, bytes):
                    continue
                match entry:
                    case {"type": "serving"} if self._serving is not None:
                        self._serving()
                    case {"type": "call", "id": str(name)}:
                        task = asyncio.create_task(self._answer(name, entry), name=name)
                        self._calls[name] = task
                        task.add_done_callback(self._answered)
                    case {"type": "cancel", "id": str(name)} if name in self._calls:
                        self._calls[name].cancel()
        finally:
            for task in list(self._calls.values()):
                task.cancel()

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._calls.pop(task.get_name(), None)

    async def _answer(self, name: str, entry: Mapping[str, Any]) -> None:
        try:
            call = IncomingCall(
                ContactName.read(entry["contact"]),
                str(entry["service"]),
                decoded(entry),
                float(entry.get("remaining", limits.CALL_SECONDS)),
            )
            result = self._handler(call)
            if inspect.isawaitable(result):
                result = await result
            reply = json.dumps({"type": "result", "id": name, **encoded(result)}, ensure_ascii=False)
        except CallFailed as error:
            reply = json.dumps(
                {
                    "type": "failed",
                    "id": name,
                    "code": error.code,
                    "message": error.message,
                    "data": error.data,
                },
                ensure_ascii=False,
            )
        except Exception:  # noqa: BLE001 - a handler is somebody else's program: its bug must not end the service
            _log.exception("The handler of a call failed")
            words = "The service failed; its own log knows more."
            reply = json.dumps(
                {"type": "failed", "id": name, "code": "internal", "message": words, "data": None}
            )
        try:
            await self._socket.send_str(reply)
        except ConnectionError:
            _log.info("The daemon ended before the call %s was answered", name)
