"""HTTP to one daemon: requests, streams of events, WebSockets. Goes on by itself when the daemon restarts."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import aiohttp

from p4.client.endpoint import Endpoint, no_daemon
from p4.client.errors import error_from_answer
from p4.client.sse import ServerSentEvent, parse_events
from p4.core import limits
from p4.errors import LocalError, P4Error

__all__ = ["FEED_OPENED", "DaemonConnection", "Parameters"]

FEED_OPENED = "feed.opened"
"""Events come from here on, and may have been missed before."""

Parameters = Mapping[str, str | int | float | bool | None]
"""Of a query: what is None is left out, what is bool is ``true`` or ``false``."""

_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
"""Methods that may be sent twice (RFC 9110, section 9.2.2)."""

_NOT_SENT = (aiohttp.ClientConnectorError, FileNotFoundError, ConnectionRefusedError)
"""There was no connection: whatever the request was, nothing has come of it."""

_BROKEN = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError)
"""There was a connection and it ended: the daemon may have done what was asked."""

_HANDSHAKES = 3
"""Attempts at a WebSocket that is refused, and a moment later would not have been."""


class DaemonConnection:
    """Speaks HTTP with a daemon, wherever it is at the moment.

    Args:
        find: gives the endpoint. It is asked again whenever the daemon has gone, since a restarted one may
            listen elsewhere. It raises LocalError while there is none.
        restart_seconds: how long to wait for a daemon that has gone.
    """

    def __init__(self, find: Callable[[], Endpoint], *, restart_seconds: float) -> None:
        self._find = find
        self._restart_seconds = restart_seconds
        self._endpoint: Endpoint | None = None
        self._http: aiohttp.ClientSession | None = None
        self._closed = False
        self._reached = False
        self._stale = False

    @property
    def endpoint(self) -> Endpoint:
        """Where the daemon is, as far as is known. Raises LocalError ``no-daemon``."""
        if self._endpoint is None:
            self._endpoint = self._find()
        return self._endpoint

    async def close(self) -> None:
        """Close every connection. Iterations and WebSockets that are under way end with an error."""
        self._closed = True
        await self._drop()

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        raw: bytes | None = None,
        parameters: Parameters | None = None,
        repeatable: bool | None = None,
        timeout: float | None = 60.0,
    ) -> tuple[str, bytes]:
        """Send a request, and wait for a daemon that restarts meanwhile.

        Args:
            path: with ``/v1``, quoted where needed.
            body: a JSON value; None for none.
            raw: bytes instead of ``body``.
            repeatable: whether it may reach the daemon twice; None: if its method may.
            timeout: seconds for one attempt; None for any time.

        Returns:
            Media type and body of the answer.

        Raises:
            P4Error: what the daemon says. LocalError: ``no-daemon``, ``no-answer`` (it took too long) or
                ``connection-lost`` (it ended while it worked on this; it may have been done).
        """
        again = method in _REPEATABLE if repeatable is None else repeatable
        async for session, endpoint in self._attempts():
            try:
                async with session.request(
                    method,
                    endpoint.url + path,
                    params=_query(parameters),
                    data=json.dumps(body, ensure_ascii=False).encode() if body is not None else raw,
                    headers={"Content-Type": "application/json"} if body is not None else None,
                    timeout=aiohttp.ClientTimeout(total=timeout),
                ) as answer:
                    self._reached = True
                    data = await answer.read()
                    if answer.status >= 400:
                        raise error_from_answer(answer.status, data)
                    return answer.content_type, data
            except _NOT_SENT:
                continue
            except TimeoutError as error:
                raise LocalError(
                    f"The daemon did not answer within {timeout:g} s. It may still do what was asked. "
                    "Look at how it is: p4 status",
                    code="no-answer",
                ) from error
            except _BROKEN as error:
                if again:
                    continue
                raise LocalError(
                    "The daemon ended while it worked on this. It may have been done: look before you "
                    "repeat it.",
                    code="connection-lost",
                ) from error
        raise no_daemon(self._endpoint or "this address")

    async def listen(
        self,
        path: str,
        parameters: Parameters | None = None,
        *,
        restarted: Callable[[], None] | None = None,
        tell_opened: bool = False,
    ) -> AsyncIterator[ServerSentEvent]:
        """Events of a path, for as long as the caller goes on. A daemon that restarts is asked again.

        Args:
            restarted: called whenever the stream begins anew; what was under way may come again.
            tell_opened: whether the stream begins, each time, with an event of ours: `FEED_OPENED`.

        Raises:
            P4Error: what the daemon says. LocalError ``no-daemon``: it is gone and did not come back in time.
        """
        last_id, first = "", True
        while True:
            async with self._open_events(path, parameters, last_id) as answer:
                if not first and restarted is not None:
                    restarted()
                first = False
                if tell_opened:
                    yield ServerSentEvent(FEED_OPENED, "{}", last_id)
                try:
                    async for event in parse_events(_lines(answer.content)):
                        last_id = event.id or last_id
                        yield event
                except _BROKEN:
                    pass
            if self._closed:
                raise _closed()
            await asyncio.sleep(limits.CLIENT_FIRST_PAUSE_SECONDS)

    @asynccontextmanager
    async def _open_events(
        self, path: str, parameters: Parameters | None, last_id: str
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
        async for session, endpoint in self._attempts():
            try:
                answer = await session.get(
                    endpoint.url + path,
                    params=_query(parameters),
                    headers=headers,
                    # A daemon that lives says something now and then.
                    timeout=aiohttp.ClientTimeout(total=None, sock_read=3 * limits.API_PING_SECONDS),
                    read_bufsize=limits.CLIENT_EVENT_BYTES,
                )
            except (*_NOT_SENT, *_BROKEN):
                continue
            self._reached = True
            try:
                if answer.status >= 400:
                    raise error_from_answer(answer.status, await answer.read())
                yield answer
            finally:
                answer.close()
            return
        raise no_daemon(self._endpoint or "this address")

    @asynccontextmanager
    async def websocket(
        self, path: str, parameters: Parameters | None = None
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket of the daemon. It ends with the daemon; whoever uses it knows how to go on.

        Raises:
            P4Error: what the daemon says. LocalError ``no-daemon``.
        """
        async for session, endpoint in self._attempts():
            try:
                socket = await _handshake(session, endpoint.url + path, parameters)
            except (*_NOT_SENT, *_BROKEN):
                continue
            self._reached = True
            try:
                yield socket
            finally:
                await socket.close()
            return
        raise no_daemon(self._endpoint or "this address")

    # -- attempts ----------------------------------------------------------------------------------------

    async def _attempts(self) -> AsyncIterator[tuple[aiohttp.ClientSession, Endpoint]]:
        """One session after the other, with pauses, until the daemon has been away for too long."""
        loop = asyncio.get_running_loop()
        # One that was never there is not restarting: whoever asks is told at once.
        deadline = loop.time() + (self._restart_seconds if self._reached else 0.0)
        pause = limits.CLIENT_FIRST_PAUSE_SECONDS
        while True:
            if self._closed:
                raise _closed()
            try:
                session, endpoint = await self._session()
            except LocalError:
                if loop.time() + pause >= deadline:
                    raise
            else:
                yield session, endpoint
                # The caller came back for more: the daemon was not there, and may be elsewhere next time.
                self._stale = True
                if loop.time() + pause >= deadline:
                    return
            await asyncio.sleep(pause)
            pause = min(2 * pause, limits.CLIENT_LONGEST_PAUSE_SECONDS)

    async def _session(self) -> tuple[aiohttp.ClientSession, Endpoint]:
        endpoint = self._find() if self._stale or self._endpoint is None else self._endpoint
        self._stale = False
        http, gone = self._http, None
        if http is None or endpoint != self._endpoint:
            connector: aiohttp.BaseConnector = (
                aiohttp.UnixConnector(endpoint.unix, limit=0)
                if endpoint.unix is not None
                else aiohttp.TCPConnector(limit=0)
            )
            headers = {"Authorization": f"Bearer {endpoint.token}"} if endpoint.token else {}
            # trust_env stays off: a proxy of the environment must not see what goes to this machine.
            gone, http = http, aiohttp.ClientSession(connector=connector, headers=headers)
            # Before anything is awaited: another task may be here at the same time.
            self._http, self._endpoint = http, endpoint
        if gone is not None:
            await gone.close()
        return http, endpoint

    async def _drop(self) -> None:
        http, self._http, self._endpoint = self._http, None, None
        if http is not None:
            await http.close()


def _query(parameters: Parameters | None) -> dict[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in (parameters or {}).items()
        if value is not None
    }


async def _handshake(
    session: aiohttp.ClientSession, url: str, parameters: Parameters | None
) -> aiohttp.ClientWebSocketResponse:
    """Open a WebSocket. Raises P4Error: what the daemon says against it."""
    refused: aiohttp.WSServerHandshakeError | None = None
    for _ in range(_HANDSHAKES):
        try:
            return await session.ws_connect(
                url, params=_query(parameters), max_msg_size=limits.CLIENT_ANSWER_BYTES
            )
        except aiohttp.WSServerHandshakeError as error:
            refused = error
            if (refusal := await _refusal(session, url, parameters, error.status)) is not None:
                raise refusal from error
    assert refused is not None  # noqa: S101 - or it would have returned
    raise error_from_answer(refused.status, b"") from refused


async def _refusal(
    session: aiohttp.ClientSession, url: str, parameters: Parameters | None, status: int
) -> P4Error | None:
    """Why a handshake was refused: aiohttp's error leaves out the body that says it, so it is asked once
    more.

    Returns:
        None if it is accepted now: what was against it, a grant that was on its way, has just changed.
    """
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    try:
        async with session.get(
            url, params=_query(parameters), headers=upgrade | {"Sec-WebSocket-Key": key}
        ) as answer:
            return error_from_answer(answer.status, await answer.read()) if answer.status >= 400 else None
    except _BROKEN:
        return error_from_answer(status, b"")


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    while line := await content.readline():
        yield line


def _closed() -> LocalError:
    return LocalError("This client has been closed. Nothing was done.", code="closed")
