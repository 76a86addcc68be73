"""What others on this machine, and web pages, may try against the daemon, played over real TCP."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.daemon.conftest import RunningDaemon, grant
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus

from p4.core import limits
from p4.daemon.access.gate import cookie_name
from p4.daemon.access.web_logins import WebLogins

Pair = tuple[RunningDaemon, RunningDaemon]


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def make_token(daemon: RunningDaemon, **limits_: Any) -> dict[str, Any]:
    answer = await daemon.http.post("/v1/tokens", json={"app": "notes", "services": None, **limits_})
    assert answer.status_code == 201, answer.text
    token: dict[str, Any] = answer.json()
    return token


async def log_in(daemon: RunningDaemon) -> httpx.AsyncClient:
    """A browser with the cookie."""
    url = (await daemon.http.post("/v1/web-logins")).json()["url"]
    browser = await daemon.over_tcp()
    parts = urlsplit(url)
    answer = await browser.get(f"{parts.path}?{parts.query}")
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    return browser


# --- web pages -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}", ""],
)
async def test_a_name_that_leads_here_is_not_ours(daemon: RunningDaemon, host: str) -> None:
    tcp = await daemon.over_tcp(daemon.daemon.endpoint.owner_token)
    named = host.format(port=daemon.daemon.endpoint.port)
    assert code(await tcp.get("/v1/identity", headers={"Host": named})) == (421, "foreign-host")


async def test_both_loopback_names_are_ours(daemon: RunningDaemon) -> None:
    tcp = await daemon.over_tcp(daemon.daemon.endpoint.owner_token)
    for host in ("127.0.0.1", "localhost", "[::1]"):
        headers = {"Host": f"{host}:{daemon.daemon.endpoint.port}"}
        assert (await tcp.get("/v1/identity", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://127.0.0.1:{port}.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_foreign_pages_are_refused_whatever_they_know(
    daemon: RunningDaemon, headers: dict[str, str]
) -> None:
    own = {name: value.format(port=daemon.daemon.endpoint.port) for name, value in headers.items()}
    owner = await daemon.over_tcp(daemon.daemon.endpoint.owner_token)
    browser = await log_in(daemon)
    for client in (owner, browser, daemon.http):
        for path in ("/v1/identity", "/login", "/"):
            assert code(await client.get(path, headers=own)) == (403, "foreign-origin")
        assert code(await client.post("/v1/shutdown", headers=own)) == (403, "foreign-origin")
    preflight = await owner.options("/v1/shutdown", headers=own)
    assert preflight.status_code == 403
    assert not any(name.startswith("access-control") for name in preflight.headers)


async def test_a_foreign_page_gets_no_websocket(daemon: RunningDaemon) -> None:
    url = f"ws://127.0.0.1:{daemon.daemon.endpoint.port}/v1/services/house/serve"
    token = {"Authorization": f"Bearer {daemon.daemon.endpoint.owner_token}"}
    with pytest.raises(InvalidStatus) as refused:
        await connect_websocket(url, additional_headers=token, origin="https://evil.example")  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus) as refused:
        await connect_websocket(url)
    assert refused.value.response.status_code == 401
    async with connect_websocket(url, additional_headers=token) as socket:
        assert json.loads(await socket.recv())["type"] == "serving"


async def test_the_cookie_alone_changes_nothing(daemon: RunningDaemon) -> None:
    browser = await log_in(daemon)
    port = daemon.daemon.endpoint.port
    own = {"Origin": f"http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}
    assert (await browser.get("/v1/status")).status_code == 200
    assert code(await browser.post("/v1/web-logins")) == (403, "foreign-origin")
    other = {"Origin": f"http://localhost:{port}"}
    assert code(await browser.post("/v1/web-logins", headers=other)) == (403, "foreign-origin")
    assert (await browser.post("/v1/web-logins", headers=own)).status_code == 201
    cookie = {"Cookie": f"{cookie_name(port)}={browser.cookies[cookie_name(port)]}"}
    url = f"ws://127.0.0.1:{port}/v1/services/house/serve"
    with pytest.raises(InvalidStatus) as refused:
        await connect_websocket(url, additional_headers=cookie)
    assert refused.value.response.status_code == 403
    async with connect_websocket(url, additional_headers=cookie, origin=own["Origin"]) as socket:  # type: ignore[arg-type]
        assert json.loads(await socket.recv())["type"] == "serving"
    assert (await browser.post("/v1/web-logout", headers=own)).status_code == 204
    assert code(await browser.get("/v1/status", headers=cookie)) == (401, "no-token")


async def test_a_login_code_works_once(daemon: RunningDaemon) -> None:
    url = (await daemon.http.post("/v1/web-logins")).json()["url"]
    path = url.removeprefix(daemon.base_url)
    first, second = await daemon.over_tcp(), await daemon.over_tcp()
    assert (await first.get(path)).status_code == 303
    assert code(await second.get(path)) == (401, "bad-code")
    assert code(await second.get("/login?code=")) == (401, "bad-code")
    assert code(await second.get("/v1/status")) == (401, "no-token")


def test_login_codes_and_sessions_end() -> None:
    now = 0.0
    logins = WebLogins(now=lambda: now)
    code = logins.create_code()
    now += limits.LOGIN_CODE_SECONDS
    assert logins.log_in(code) is None
    session = logins.log_in(logins.create_code())
    assert session is not None
    now += limits.WEB_SESSION_SECONDS - 1
    assert logins.is_session(session)
    now += limits.WEB_SESSION_SECONDS
    assert not logins.is_session(session)
    codes = [logins.create_code() for _ in range(limits.LOGIN_CODES + 1)]
    assert logins.log_in(codes[0]) is None, "the oldest went"
    assert logins.log_in(codes[1]) is not None


# --- tokens ----------------------------------------------------------------------------------------------


async def test_without_a_valid_token_nothing_is_told(daemon: RunningDaemon) -> None:
    token = (await make_token(daemon))["token"]
    paths = ("/v1/identity", "/v1/contacts", "/v1/openapi.json", "/v1/none", "/none")
    anonymous = await daemon.over_tcp()
    for path in paths:
        assert code(await anonymous.get(path)) == (401, "no-token")
    for wrong in (
        f"Bearer {token}x",
        f"Bearer {token[:-1]}",
        f"Basic {token}",
        "Bearer",
        token,
        "Bearer \xff",
    ):
        answer = await anonymous.get("/v1/identity", headers=[(b"Authorization", wrong.encode("latin-1"))])
        assert code(answer) == (401, "bad-token")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert code(await daemon.http.get("/v1/identity", headers={"Authorization": "Bearer x"}))[0] == 401


async def test_guessing_is_slowed_down_and_shuts_nobody_out(daemon: RunningDaemon) -> None:
    guesser = await daemon.over_tcp("p4app_guess")
    for _ in range(limits.TOKEN_FAILURES):
        assert code(await guesser.get("/v1/identity")) == (401, "bad-token")
    began = time.monotonic()
    assert code(await guesser.get("/v1/identity")) == (429, "too-many")
    assert time.monotonic() - began >= limits.TOKEN_FAILURE_WAIT_SECONDS * 0.9
    owner = await daemon.over_tcp(daemon.daemon.endpoint.owner_token)
    assert (await owner.get("/v1/identity")).status_code == 200


async def test_a_token_opens_what_it_names_and_nothing_else(pair: Pair) -> None:
    laptop, phone = pair
    await grant(phone, "laptop", "*")
    token = await make_token(laptop, services=["home"], contacts=["phone"])
    app = await laptop.over_tcp(token["token"])
    contact = phone.node.peer_id
    assert [found["id"] for found in (await app.get("/v1/contacts")).json()["contacts"]] == [contact]
    send = {"service": "home.light", "value": 1}
    assert (await app.post("/v1/contacts/phone/messages", json=send)).status_code == 201
    for service in ("homes", "chat", "*"):
        answer = await app.post("/v1/contacts/phone/messages", json={**send, "service": service})
        assert code(answer) == (403, "not-granted")
    for path in ("messages/chat", "messages/chat/next"):
        assert code(await app.get(f"/v1/{path}")) == (403, "not-granted")
    assert code(await app.post("/v1/contacts/phone/calls/chat", json={"value": 1})) == (403, "not-granted")


async def test_an_app_learns_neither_addresses_nor_what_else_a_contact_may_do(pair: Pair) -> None:
    laptop, _ = pair
    await grant(laptop, "phone", "home.light", "diary")
    owner = (await laptop.http.get("/v1/contacts/phone")).json()
    assert owner["path"]["remote_address"]
    assert "diary" in owner["grants"]
    app = await laptop.over_tcp((await make_token(laptop, services=["home"]))["token"])
    for found in (
        (await app.get("/v1/contacts/phone")).json(),
        (await app.get("/v1/contacts")).json()["contacts"][0],
    ):
        assert found["connected"]
        assert (found["path"]["local_address"], found["path"]["remote_address"]) == ("", "")
        assert found["grants"] == ["home.light"]


APPS_ROUTES = {
    "GET /v1/identity",
    "GET /v1/events",
    "GET /v1/services",
    "GET /v1/contacts",
    "GET /v1/contacts/{contact}",
    "POST /v1/contacts/{contact}/messages",
    "POST /v1/contacts/{contact}/messages/batch",
    "GET /v1/contacts/{contact}/receipts/{message}",
    "POST /v1/contacts/{contact}/calls/{service}",
    "GET /v1/messages/{service}",
    "GET /v1/messages/{service}/next",
    "POST /v1/messages/{service}/done",
}


NEED_NO_SERVICE = {"GET /v1/identity", "GET /v1/events", "GET /v1/services", "GET /v1/contacts"}


async def test_every_other_route_is_the_owners(pair: Pair) -> None:
    laptop, _ = pair
    app = await laptop.over_tcp((await make_token(laptop))["token"])
    other = await laptop.over_tcp((await make_token(laptop, services=["other"]))["token"])
    described = (await laptop.http.get("/v1/openapi.json")).json()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}
    assert routes > APPS_ROUTES
    for route in sorted(routes - NEED_NO_SERVICE - {"GET /v1/contacts/{contact}"}):
        method, path = route.split(" ")
        filled = re.sub(r"{(\w+)}", lambda match: "phone" if match[1] == "contact" else "1", path)
        of_an_app = route in APPS_ROUTES or path.startswith("/v1/chat")
        client, body = (other, BODIES.get(route, {})) if of_an_app else (app, {})
        answer = await client.request(method, filled, json=body)
        assert answer.status_code in ({403, 404} if "receipts" in path else {403}), (route, answer.text)
    assert laptop.node.peer("phone").contact.name == "phone"


BODIES: dict[str, Any] = {
    "POST /v1/contacts/{contact}/messages": {"value": 1},
    "POST /v1/contacts/{contact}/messages/batch": {"values": [{"value": 1}]},
    "POST /v1/messages/{service}/done": {"messages": [{"contact": "phone", "id": "1"}]},
    "POST /v1/chat/{contact}": {"text": "hi"},
    "POST /v1/chat/{contact}/read": {"through": "1"},
}


async def test_a_token_does_not_tell_whether_other_contacts_exist(pair: Pair) -> None:
    laptop, phone = pair
    app = await laptop.over_tcp((await make_token(laptop, contacts=[]))["token"])
    bodies = set()
    for reference in ("phone", phone.node.peer_id, phone.node.peer_id[:8], "nobody", "0" * 64):
        answer = await app.get(f"/v1/contacts/{reference}")
        assert code(answer) == (403, "not-granted")
        bodies.add(answer.text)
    assert len(bodies) == 1
    assert (await app.get("/v1/contacts")).json() == {"contacts": []}


async def test_tokens_are_shown_once_survive_restarts_and_end(daemon: RunningDaemon) -> None:
    token = await make_token(daemon, services=["home"])
    kept = (daemon.directory / "daemon" / "tokens.json").read_text()
    assert token["token"] not in kept
    listed = (await daemon.http.get("/v1/tokens")).json()["tokens"]
    assert listed == [{name: value for name, value in token.items() if name != "token"}]
    short = await make_token(daemon, expires_in=0.05)
    await asyncio.sleep(0.06)
    app = await daemon.over_tcp(short["token"])
    assert code(await app.get("/v1/identity")) == (401, "bad-token")
    app = await daemon.over_tcp(token["token"])
    assert (await app.get("/v1/identity")).status_code == 200
    assert (await daemon.http.delete(f"/v1/tokens/{token['id']}")).status_code == 204
    assert code(await app.get("/v1/identity")) == (401, "bad-token")
    assert code(await daemon.http.delete(f"/v1/tokens/{token['id']}")) == (404, "unknown")


async def test_logging_out_ends_what_a_browser_has_under_way(daemon: RunningDaemon) -> None:
    browser = await log_in(daemon)
    async with browser.stream("GET", "/v1/events") as events:
        lines = events.aiter_lines()
        assert await anext(lines) == ": p4"
        assert (await browser.post("/v1/web-logout", headers={"Origin": daemon.base_url})).status_code == 204
        async with asyncio.timeout(2):
            assert [line async for line in lines if line] == []


async def test_revoking_ends_what_is_under_way(daemon: RunningDaemon) -> None:
    token = await make_token(daemon)
    app = await daemon.over_tcp(token["token"])
    url = f"ws://127.0.0.1:{daemon.daemon.endpoint.port}/v1/services/house/serve"
    headers = {"Authorization": f"Bearer {token['token']}"}
    async with (
        app.stream("GET", "/v1/events") as events,
        connect_websocket(url, additional_headers=headers) as socket,
    ):
        await socket.recv()
        lines = events.aiter_lines()
        assert await anext(lines) == ": p4"
        await daemon.http.delete(f"/v1/tokens/{token['id']}")
        async with asyncio.timeout(2):
            assert [line async for line in lines if line] == []
            with pytest.raises(ConnectionClosed):
                await socket.recv()


# --- files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/web/../../../../etc/passwd",
        "/web/%2e%2e/%2e%2e/context.py",
        "/web/..%2f..%2fcontext.py",
        "/../context.py",
    ],
)
async def test_no_file_but_the_pages_own_is_given(daemon: RunningDaemon, path: str) -> None:
    port = daemon.daemon.endpoint.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    assert answer.split(b" ", 2)[1] in {b"401", b"404"}
    assert b"root:" not in answer
    assert b"DaemonContext" not in answer
