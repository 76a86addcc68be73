"""The checks in front of every request: is it from this machine, from whom, and is it of a sensible size.

They come before routing, so that no route can be without them. Why each is there: docs/threat-model.md, "The
local API". The unix socket can be opened by this user alone. The TCP port can be reached by every program on
this machine and, through a browser, by every web page that the user visits.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from p4.core import limits
from p4.daemon import errors
from p4.daemon.access.authority import Authority, AuthorityKind
from p4.daemon.access.ending import Ending
from p4.daemon.access.failures import FailureLimit
from p4.daemon.access.tokens import TokenBook
from p4.daemon.access.web_logins import WebLogins
from p4.errors import AccessError, InputError, LocalError

__all__ = ["AccessGate", "Doors", "cookie_name", "own_hosts"]

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FETCHED_HERE = frozenset({"same-origin", "none"})
"""``Sec-Fetch-Site`` of our own page, and of what a person typed. Every other port of this host is
``same-site``: another program, so not us."""
_OPEN_PATHS = frozenset({"/login", "/"})
"""Answer without credentials: the login code is one, and the page's files hold no secret."""
_OPEN_FOLDER = "/web/"


def own_hosts(port: int) -> frozenset[str]:
    """Every ``Host`` under which the port may be asked for; a name that a DNS server points here is none."""
    return frozenset(f"{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]"))


def cookie_name(port: int) -> str:
    """The browser's cookie; cookies do not tell ports apart, so the name does."""
    return f"p4_session_{port}"


_UPLOAD = "/v1/transfers/upload"
"""Files of any size, of the owner: the one body that neither memory nor 30 seconds hold."""


@dataclass(frozen=True, slots=True)
class Doors:
    """What opens the daemon."""

    tokens: TokenBook
    logins: WebLogins
    owner_token: str
    """For this run; in ``endpoint.json``, which only this user can read."""
    closing: Ending
    failures: FailureLimit


class AccessGate:
    """ASGI middleware of one listener.

    Args:
        application: what is protected.
        port: of the TCP listener; None for the unix socket.
    """

    def __init__(self, application: ASGIApp, doors: Doors, *, port: int | None) -> None:
        self._application = application
        self._doors = doors
        self._port = port
        self._hosts = own_hosts(port) if port else frozenset()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            authority, until_ms = await self._admit(scope, headers)
            # Its route stops in time: it knows the disk, and counts what it writes there.
            upload = scope["path"] == _UPLOAD and authority.kind is not AuthorityKind.APP
            if not upload:
                _check_length(headers)
        except (AccessError, InputError) as error:
            await _refuse(error, scope, receive, send)
            return
        scope["p4.authority"] = authority
        if scope["type"] == "http" and not upload:
            receive = _bounded(receive)
        await self._run(scope, receive, send, authority, until_ms)

    # -- who ---------------------------------------------------------------------------------------------

    async def _admit(self, scope: Scope, headers: Headers) -> tuple[Authority, int | None]:
        self._check_origin(scope, headers)
        authorisation = headers.getlist("authorization")
        if self._port is None and not authorisation:
            return Authority(AuthorityKind.OWNER), None
        if _is_open(scope):
            return Authority(AuthorityKind.APP, services=(), contacts=frozenset()), None
        if authorisation:
            return await self._by_token(authorisation)
        return self._by_cookie(scope, headers), None

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        """Refuse web pages other than our own, whatever else they can show."""
        hosts = headers.getlist("host")
        if self._port is not None and (len(hosts) != 1 or hosts[0].lower() not in self._hosts):
            # A page of somebody's domain that resolves to 127.0.0.1 (DNS rebinding) sends that name.
            raise AccessError(
                "P4's daemon answers only to 127.0.0.1 and localhost. Nothing was done.", code="foreign-host"
            )
        foreign = [origin for origin in headers.getlist("origin") if not self._is_own_origin(origin)]
        if foreign or not _FETCHED_HERE.issuperset(headers.getlist("sec-fetch-site")):
            raise AccessError(
                "Web pages other than P4's own may not use P4's daemon. Nothing was done.",
                code="foreign-origin",
            )

    def _is_own_origin(self, origin: str) -> bool:
        return origin.startswith("http://") and origin[len("http://") :] in self._hosts

    async def _by_token(self, authorisation: list[str]) -> tuple[Authority, int | None]:
        scheme, _, text = authorisation[0].partition(" ")
        text = text.strip()
        if len(authorisation) == 1 and scheme.lower() == "bearer" and text:
            presented, own = text.encode("latin-1"), self._doors.owner_token.encode()
            if hmac.compare_digest(presented, own):
                return Authority(AuthorityKind.OWNER), None
            if found := self._doors.tokens.authority(text):
                return found
        await self._doors.failures.failed()
        raise AccessError(
            "The token is not valid: unknown, revoked or expired. Nothing was done. The owner of this device "
            "can make a new one: p4 token new --help",
            code="bad-token",
        )

    def _by_cookie(self, scope: Scope, headers: Headers) -> Authority:
        assert self._port is not None  # noqa: S101 - the unix socket's owner needs none
        name = cookie_name(self._port)
        secrets = [
            value for cookies in headers.getlist("cookie") if (value := cookie_parser(cookies).get(name))
        ]
        if len(secrets) != 1 or not self._doors.logins.is_session(secrets[0]):
            raise AccessError(
                "This needs a token (Authorization: Bearer …) or a browser that is logged in. Nothing was "
                "done. On this machine, p4 open logs a browser in; p4 token new makes a token for an app.",
                code="no-token",
            )
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        if changes and not self._is_same_origin(headers):
            # The cookie goes with whatever a browser sends here; that our own page asks, only Origin says.
            raise AccessError(
                "A logged-in browser may change things only from P4's own page. Nothing was done.",
                code="foreign-origin",
            )
        return Authority(AuthorityKind.WEB, ended=self._doors.logins.ended(secrets[0]))

    def _is_same_origin(self, headers: Headers) -> bool:
        return headers.getlist("origin") == [f"http://{headers.get('host', '').lower()}"]

    # -- how long ----------------------------------------------------------------------------------------

    async def _run(
        self, scope: Scope, receive: Receive, send: Send, authority: Authority, until_ms: int | None
    ) -> None:
        """Let the request run until it is done, its authority ends, or the daemon does."""
        replied = _Replied(send)
        cut = _Cut()
        ends = (self._doors.closing, authority.ended)
        for end in ends:
            end.add_callback(cut.soon)
        expiring = None if until_ms is None else asyncio.ensure_future(self._until(until_ms, cut))
        try:
            await self._application(scope, receive, replied)
        except asyncio.CancelledError:
            if not cut.is_mine():
                raise
        finally:
            cut.forget()
            for end in ends:
                end.remove_callback(cut.soon)
            if expiring is not None:
                expiring.cancel()
        if cut.done:
            await replied.finish(scope, closing=self._doors.closing.is_set())

    async def _until(self, moment_ms: int, cut: _Cut) -> None:
        # In steps: the clock may be set, and the machine may sleep.
        while (left := moment_ms - self._doors.tokens.now_ms()) > 0:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(min(left / 1000, 60.0))
        cut.soon()


class _Cut:
    """Cancels the task that it is made in: a moment later, for what is about to answer anyway, such as the
    request to end the daemon."""

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None
        self._forgotten = False
        self.done = False
        """Whether it has happened."""

    def soon(self) -> None:
        """What gave the right to go on has ended."""
        if self._timer is None and not self._forgotten:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(limits.API_LAST_ANSWER_SECONDS, self._now)

    def forget(self) -> None:
        """The request is done."""
        self._forgotten = True
        if self._timer is not None:
            self._timer.cancel()

    def is_mine(self) -> bool:
        """Whether the cancellation that has arrived is this one, and no one else's beside it."""
        return self.done and self._task is not None and self._task.uncancel() == 0

    def _now(self) -> None:
        self.done = True
        if self._task is not None:
            self._task.cancel()


def _is_open(scope: Scope) -> bool:
    path = scope["path"]
    reads = scope["type"] == "http" and scope["method"] in _SAFE_METHODS
    return reads and (path in _OPEN_PATHS or path.startswith(_OPEN_FOLDER))


class _Replied:
    """Passes an answer on and remembers how far it has come, so that it can be brought to an end."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = False
        self._done = False

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind in {"http.response.start", "websocket.accept", "websocket.http.response.start"}:
            self._begun = True
        elif kind == "websocket.close" or (kind.endswith("response.body") and not message.get("more_body")):
            self._done = True
        await self._send(message)

    async def finish(self, scope: Scope, *, closing: bool) -> None:
        """End an answer that was cut off; one that has not begun says why."""
        if self._done:
            return
        with contextlib.suppress(OSError, RuntimeError):  # the other side has gone meanwhile
            if scope["type"] == "websocket":
                await self._send({"type": "websocket.close", "code": 1001 if self._begun else 1008})
            elif self._begun:
                await self._send({"type": "http.response.body", "body": b""})
            else:
                await errors.answer(_ENDING if closing else _ENDED)(scope, _nothing, self._send)


_ENDED = AccessError(
    "The token was revoked or has expired, or the browser was logged out. What was asked may have been done.",
    code="bad-token",
)
_ENDING = LocalError("The daemon is ending. What was asked may have been done.", code="closed")


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def _check_length(headers: Headers) -> None:
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or int(length[:20]) > limits.API_BODY_BYTES:
        raise _too_large()


def _too_large() -> InputError:
    return InputError(
        f"A request has at most {limits.API_BODY_BYTES} bytes. Nothing was done. Send more than a message "
        "holds as a stream or as a file.",
        code="too-large",
    )


def _bounded(receive: Receive) -> Receive:
    """A body that ends: in bytes, and in time."""
    received = 0
    complete = False
    deadline = asyncio.get_running_loop().time() + limits.API_BODY_SECONDS

    async def bounded() -> Message:
        nonlocal received, complete
        if complete:
            return await receive()  # waits for the client to go away
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            text = f"The request did not arrive within {limits.API_BODY_SECONDS:g} s. Nothing was done."
            raise HTTPException(408, text, {"Connection": "close"}) from None
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > limits.API_BODY_BYTES:
                # Not ours, because FastAPI calls every other error of a body a mistake in its JSON.
                raise HTTPException(413, _too_large().message, {"Connection": "close"})
        return message

    return bounded


async def _refuse(error: AccessError | InputError, scope: Scope, receive: Receive, send: Send) -> None:
    response: Any = errors.answer(error)
    response.headers["Connection"] = "close"  # what is left of the request is not read
    await response(scope, receive, send)
