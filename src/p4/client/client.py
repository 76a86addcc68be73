"""The client of one daemon: what every program and every `p4` command speaks with it through."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientWebSocketResponse

from p4.client.connection import DaemonConnection, Parameters
from p4.client.endpoint import DEFAULT_STATE_DIR, Endpoint, find_endpoint
from p4.client.sse import ServerSentEvent
from p4.core import limits
from p4.errors import InputError

__all__ = ["Client", "DaemonEvent", "connect"]


@dataclass(frozen=True, slots=True)
class DaemonEvent:
    """Something that happened in the daemon (spec/daemon-api, "Events")."""

    kind: str
    """Such as ``link-up``."""
    data: dict[str, Any]
    """What it is about; its parts depend on the kind."""


class Client:
    """A connection to the daemon. Made by `connect`; used as ``async with``.

    It goes on by itself when the daemon restarts. Whatever is asked while the daemon is away waits for it
    (`limits.CLIENT_RESTART_SECONDS`), and then raises LocalError ``no-daemon``.
    """

    def __init__(self, find: Callable[[], Endpoint], *, restart_seconds: float) -> None:
        self._connection = DaemonConnection(find, restart_seconds=restart_seconds)

    def __repr__(self) -> str:
        return f"<Client of {self._connection}>"

    async def __aenter__(self) -> Self:
        await self.request("GET", "/v1/identity")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection. The daemon goes on."""
        await self._connection.close()

    # -- what everything else is made of -----------------------------------------------------------------

    async def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        parameters: Parameters | None = None,
        repeatable: bool | None = None,
        timeout: float | None = 60.0,
    ) -> Any:
        """Ask the daemon.

        Args:
            method: of HTTP.
            path: with ``/v1``; names in it quoted (`p4.client.quoted`).
            body: a JSON value, None for none.
            parameters: of the query; None values are left out.
            repeatable: whether it may reach the daemon twice, if that restarts; None: if the method may.
            timeout: seconds; None for any time.

        Returns:
            The JSON value of the answer, None for an empty one, text for any other.

        Raises:
            P4Error: what the daemon says, as the type that it was there. LocalError: ``no-daemon``,
                ``no-answer``, ``connection-lost``.
        """
        media_type, data = await self._connection.request(
            method, path, body=body, parameters=parameters, repeatable=repeatable, timeout=timeout
        )
        if not data:
            return None
        return json.loads(data) if media_type.endswith("json") else data.decode()

    async def events(
        self, *kinds: str, restarted: Callable[[], None] | None = None
    ) -> AsyncIterator[DaemonEvent]:
        """What happens in the daemon from now on, until the caller stops.

        Args:
            kinds: only these; none for all.
            restarted: called when the daemon was away, so events may be missing: look at how things are.
        """
        async for event in self.listen("/v1/events", restarted=restarted):
            if not kinds or event.kind in kinds:
                yield DaemonEvent(event.kind, json.loads(event.data))

    def listen(
        self, path: str, parameters: Parameters | None = None, *, restarted: Callable[[], None] | None = None
    ) -> AsyncIterator[ServerSentEvent]:
        """Server-sent events of any path, across restarts of the daemon; see `DaemonConnection.listen`."""
        return self._connection.listen(path, parameters, restarted=restarted)

    def websocket(
        self, path: str, parameters: Parameters | None = None
    ) -> AbstractAsyncContextManager[ClientWebSocketResponse]:
        """A WebSocket of the daemon; it ends with the daemon."""
        return self._connection.websocket(path, parameters)


def connect(
    state_dir: Path | str | None = None,
    *,
    url: str = "",
    token: str = "",
    restart_seconds: float = limits.CLIENT_RESTART_SECONDS,
) -> Client:
    """A client of the daemon, for ``async with``.

    Args:
        state_dir: of the device; None for ``~/.p4``. Its daemon is found by what it wrote there.
        url: instead of a state directory: address of the daemon, ``http://127.0.0.1:PORT``.
        token: what `p4 token new` gave your application, with ``url``.
        restart_seconds: how long a request waits for a daemon that has gone.

    Raises:
        InputError: both a directory and an address are given, or a token without an address.

    Entering it raises LocalError ``no-daemon`` if none runs; `p4 up` starts one.
    """
    if (state_dir is not None and url) or (token and not url):
        raise InputError("Give either a state directory, or an address and a token.", code="bad-endpoint")
    if url:
        fixed = Endpoint(url.rstrip("/"), token=token)
        return Client(lambda: fixed, restart_seconds=restart_seconds)
    directory = Path(state_dir if state_dir is not None else DEFAULT_STATE_DIR)
    return Client(lambda: find_endpoint(directory), restart_seconds=restart_seconds)
