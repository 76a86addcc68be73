"""The client of one daemon: what every program and every `p4` command speaks with it through."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientWebSocketResponse

from p4.client.connection import FEED_OPENED, DaemonConnection, Parameters
from p4.client.contact import Contact
from p4.client.datagrams import Datagrams, open_datagrams
from p4.client.endpoint import DEFAULT_STATE_DIR, Endpoint, find_endpoint
from p4.client.messages import MessageSubscription
from p4.client.records import ContactStatus, DeviceIdentity, DeviceStatus, TokenRecord, WebLogin
from p4.client.serving import Handler, serve
from p4.client.sse import ServerSentEvent
from p4.client.streams import Stream, incoming_stream
from p4.client.values import quoted
from p4.core import limits
from p4.errors import InputError

__all__ = ["Client", "DaemonEvent", "connect"]


@dataclass(frozen=True, slots=True)
class DaemonEvent:
    """Something that happened in the daemon (spec/daemon-api, "Events")."""

    kind: str
    """Such as ``link.up``: a subject, a dot, what happened."""
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
        try:
            await self.request("GET", "/v1/identity")
        except BaseException:
            await self.aclose()  # a context that is not entered is not left either
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection. The daemon goes on."""
        await self._connection.close()

    # -- the device --------------------------------------------------------------------------------------

    async def identity(self) -> DeviceIdentity:
        """Who this device is."""
        return DeviceIdentity.read(await self.request("GET", "/v1/identity"))

    async def rename_device(self, name: str) -> DeviceIdentity:
        """Call this device otherwise towards those it pairs with from now on; empty for the machine's
        name."""
        return DeviceIdentity.read(
            await self.request("PATCH", "/v1/identity", {"name": name}, repeatable=True)
        )

    async def status(self) -> DeviceStatus:
        """How the node and all its contacts are."""
        return DeviceStatus.read(await self.request("GET", "/v1/status"))

    async def metrics(self) -> str:
        """Figures in Prometheus' text format."""
        return str(await self.request("GET", "/v1/metrics"))

    async def services(self) -> dict[str, Any]:
        """Who serves and reads what in this daemon."""
        answer: dict[str, Any] = await self.request("GET", "/v1/services")
        return answer

    async def shutdown(self) -> int:
        """Ask the daemon to end; gives its process id. What was accepted is on disk."""
        return int((await self.request("POST", "/v1/shutdown"))["pid"])

    # -- contacts ----------------------------------------------------------------------------------------

    def contact(self, reference: str) -> Contact:
        """A contact by its name, id, or the beginning of its id; it is looked up when it is used.

        Raises:
            InputError: ``bad-name``: it cannot name anything.
        """
        return Contact(self, reference)

    async def contacts(self) -> list[ContactStatus]:
        """All contacts, and how each is."""
        answer = await self.request("GET", "/v1/contacts")
        return [ContactStatus.read(entry) for entry in answer["contacts"]]

    # -- what contacts send and ask ----------------------------------------------------------------------

    def messages(
        self, service: str, *, contact: str | None = None, window: int = limits.CLIENT_WINDOW
    ) -> MessageSubscription:
        """The messages of contacts for a service, each once: see `MessageSubscription`.

            async with me.messages("notes") as notes:
                async for message in notes:
                    keep(message.value)
                    message.done()

        Args:
            contact: only those of this one.
            window: how many come before one must be `done`, 1 to 256.

        Reading raises LocalError ``in-use`` for services that the daemon's own apps read, such as ``chat``.
        """
        return MessageSubscription(self, service, contact, window)

    def next_stream(self, service: str, *, contact: str | None = None) -> AbstractAsyncContextManager[Stream]:
        """The next byte stream that a contact opens to a service, for ``async with``; waits for it.

        One that was not finished comes again, also after restarts: go on at its `position`. Leave it with
        `Stream.close` when you have done with it.
        """
        return incoming_stream(self, service, contact)

    def datagrams(self, service: str) -> AbstractAsyncContextManager[Datagrams]:
        """Datagrams of a service, from and to all contacts, for ``async with``."""
        return open_datagrams(self, service)

    async def serve(
        self, service: str, handler: Handler, *, serving: Callable[[], None] | None = None
    ) -> None:
        """Answer the calls for a service until cancelled, also after restarts of the daemon.

        Args:
            handler: gives the result of an `IncomingCall`, at once or awaited.
            serving: called whenever calls are taken from now on.

        Raises:
            LocalError: ``already-served``, ``no-daemon``.
        """
        await serve(self, service, handler, serving=serving)

    # -- who else may use the daemon ---------------------------------------------------------------------

    async def tokens(self) -> list[TokenRecord]:
        """The tokens of apps, without their secrets."""
        answer = await self.request("GET", "/v1/tokens")
        return [TokenRecord.read(entry) for entry in answer["tokens"]]

    async def new_token(
        self,
        app: str,
        *,
        services: Sequence[str] | None,
        contacts: Sequence[str] | None = None,
        expires_in: float | None = None,
    ) -> TokenRecord:
        """Make a token for an app; its ``token`` is told this once.

        Args:
            services: what it may use, each covering all below it; None for all.
            contacts: whom it may reach, by name or id; None for all.
            expires_in: seconds; None for never.
        """
        body = {
            "app": app,
            "services": None if services is None else list(services),
            "contacts": None if contacts is None else list(contacts),
            "expires_in": expires_in,
        }
        return TokenRecord.read(await self.request("POST", "/v1/tokens", body))

    async def revoke_token(self, identity: str) -> None:
        """End a token, and what is under way with it. Raises InputError ``unknown``."""
        await self.request("DELETE", f"/v1/tokens/{quoted(identity)}", repeatable=False)

    async def web_login(self) -> WebLogin:
        """A link that logs one browser of this machine in, once, within a minute."""
        return WebLogin.read(await self.request("POST", "/v1/web-logins"))

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
            kinds: only these, such as ``link.up``; none for all. ``feed.missed`` comes in any case, and
                `FEED_OPENED`, if it is named, whenever events come from then on: look at how things are.
            restarted: called when the daemon was away, so events may be missing: look at how things are.
        """
        subjects = ",".join(sorted({kind.partition(".")[0] for kind in kinds})) or None
        told = FEED_OPENED in kinds
        async for event in self._connection.listen(
            "/v1/events", {"types": subjects}, restarted=restarted, tell_opened=told
        ):
            if not kinds or event.kind in kinds or event.kind == "feed.missed":
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
