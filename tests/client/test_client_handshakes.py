"""A WebSocket that is refused: why, and what changes in that moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from p4.client.client import connect
from p4.errors import AccessError, LocalError

REFUSAL = {"error": {"code": "not-granted", "message": "Not granted.", "data": {"type": "AccessError"}}}


@asynccontextmanager
async def daemon(refusals: int) -> AsyncIterator[tuple[str, list[int]]]:
    """A daemon that refuses so many handshakes; its address, and a list of what it has answered."""
    answered: list[int] = []

    async def handshake(request: web.Request) -> web.StreamResponse:
        if len(answered) < refusals:
            answered.append(403)
            return web.json_response(REFUSAL, status=403)
        answered.append(101)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close()
        return socket

    application = web.Application()
    application.router.add_get("/v1/streams/pipe", handshake)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", answered
    finally:
        await runner.cleanup()


async def test_a_refusal_has_its_reason() -> None:
    async with daemon(refusals=2) as (url, answered):
        client = connect(url=url, token="t", restart_seconds=0.0)
        with pytest.raises((AccessError, LocalError), match="Not granted"):
            async with client.websocket("/v1/streams/pipe"):
                pass
        await client.aclose()
        assert answered == [403, 403]


async def test_a_grant_that_arrives_between_refusal_and_reason_opens_it() -> None:
    async with daemon(refusals=1) as (url, answered):
        client = connect(url=url, token="t", restart_seconds=0.0)
        async with client.websocket("/v1/streams/pipe"):
            pass
        await client.aclose()
        assert answered == [403, 101, 101]
