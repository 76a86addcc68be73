"""Requests that are too large, too slow, or go on where they should have ended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.daemon.conftest import RunningDaemon

from p4.core import limits


async def test_bodies_have_a_size(daemon: RunningDaemon) -> None:
    tcp = await daemon.over_tcp(daemon.daemon.endpoint.owner_token)

    async def endless() -> Any:
        for _ in range(limits.API_BODY_BYTES // 65536 + 2):
            yield bytes(65536)

    too_long = b"x" * (limits.API_BODY_BYTES + 1)
    answer = await tcp.post("/v1/tokens", content=too_long)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too-large")
    answer = await tcp.post("/v1/tokens", content=endless())
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too-large")


async def test_heads_have_a_size_and_a_time(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "API_HEADER_SECONDS", 0.3)
    port = daemon.daemon.endpoint.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nX: " + b"y" * limits.API_HEADER_BYTES)
    assert (await reader.read()).startswith(b"HTTP/1.1 400")
    writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: %s\r\n" % (n, b"y" * 1000) for n in range(80)) + b"\r\n"
    )
    assert (await reader.read()).startswith(b"HTTP/1.1 400"), "one that is whole, too"
    writer.close()
    slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
    for _, writer in slow[:10]:
        writer.write(b"GET /v1/identity HTTP/1.1\r\nHost:")
    async with asyncio.timeout(3):
        for reader, writer in slow:
            assert await reader.read() == b""
            writer.close()
    # A connection that has been used is given up too, when its next head does not come to an end.
    token = daemon.daemon.endpoint.owner_token
    head = f"GET /v1/identity HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.encode())
    assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    writer.write(b"GET /v1/")
    async with asyncio.timeout(3):
        await reader.read()
    writer.close()


async def test_what_follows_a_body_opens_nothing(daemon: RunningDaemon) -> None:
    endpoint = daemon.daemon.endpoint
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    head = (
        f"POST /v1/tokens HTTP/1.1\r\nHost: 127.0.0.1:{endpoint.port}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    trailer = f"0\r\nAuthorization: Bearer {endpoint.owner_token}\r\n\r\n"
    writer.write(f"{head}2\r\n{{}}\r\n{trailer}".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 401")
    writer.close()


async def test_bodies_have_a_time(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "API_BODY_SECONDS", 0.3)
    endpoint = daemon.daemon.endpoint
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    head = f"Host: 127.0.0.1:{endpoint.port}\r\nAuthorization: Bearer {endpoint.owner_token}\r\n"
    writer.write(f"POST /v1/tokens HTTP/1.1\r\n{head}Content-Length: 9\r\n\r\n{{".encode())
    async with asyncio.timeout(3):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"too-slow" in answer
    writer.close()


@pytest.mark.parametrize("cut", [1, 60, 10_000])
async def test_who_would_also_speak_http_2_is_answered_in_http_1(daemon: RunningDaemon, cut: int) -> None:
    """As Java's own client asks, and curl --http2."""
    endpoint = daemon.daemon.endpoint
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    upgrade = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"
    own = f"Host: 127.0.0.1:{endpoint.port}\r\nAuthorization: Bearer {endpoint.owner_token}\r\n"
    asked = f"GET /v1/identity HTTP/1.1\r\n{own}{upgrade}\r\n"
    body = b'{"app": "notes", "services": ["notes"]}'
    post = f"POST /v1/tokens HTTP/1.1\r\n{own}{upgrade}Content-Type: application/json\r\n"
    whole = f"{post}Content-Length: {len(body)}\r\n\r\n".encode() + body
    chunked = f"{post}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    for sent, status in ((whole, 201), (asked.encode(), 200), (chunked, 201), (whole, 201)):
        for begin in range(0, len(sent), cut):
            writer.write(sent[begin : begin + cut])
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(f"HTTP/1.1 {status}".encode()), head
            length = next(
                int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length")
            )
            await reader.readexactly(length)
    writer.close()


async def test_an_offer_of_http_2_hides_no_mistake_and_many_of_them_are_as_good_as_one(
    daemon: RunningDaemon, caplog: pytest.LogCaptureFixture
) -> None:
    port = daemon.daemon.endpoint.port
    head = f"GET /v1/identity HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{head}Transfer-Encoding: gzip\r\n\r\n".encode())
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
    writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{head}\r\n".encode() * 2000)
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 401")
    writer.close()
    assert not caplog.records
