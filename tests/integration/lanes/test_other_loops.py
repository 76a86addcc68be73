"""Nodes in programs that run uvloop instead of asyncio's own event loop."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.lanes.nodes import carry_until_lane, pair

from p4.adapters.net.direct import DirectRendezvous
from p4.apps.forward import Endpoint, ForwardApp
from p4.apps.store import AppStore
from p4.core.session.lanes import LaneKind
from p4.ports import SignalStream

uvloop = pytest.importorskip("uvloop", reason="uvloop is not made for this system")


def test_links_lanes_and_forwards_work(tmp_path: Path) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    async def scenario() -> None:
        assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
        async with pair(tmp_path, peer_lanes=False) as (one, two):
            await carry_until_lane(one, two, LaneKind.STREAM, 20_000_000)

            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            target = Endpoint("127.0.0.1", server.sockets[0].getsockname()[1])
            stores = AppStore(None), AppStore(None)
            serving, forwarding = map(ForwardApp, stores)
            for store in stores:
                await store.open()
            await serving.start(one)
            await serving.serve("echo", target, to=(one.peer("two"),))
            await one.peer("two").ping()
            await forwarding.start(two)
            state = await forwarding.forward(two.peer("one"), "echo", Endpoint("127.0.0.1", 0))
            assert state.listening
            reader, writer = await asyncio.open_connection("127.0.0.1", state.listening.port)
            writer.write(b"through a forward\n")
            assert await reader.read() == b"THROUGH A FORWARD\n"
            writer.close()
            await forwarding.close()
            await serving.close()
            for store in stores:
                await store.close()
            server.close()

    uvloop.run(scenario())


def test_a_host_name_can_be_dialled() -> None:
    async def scenario() -> None:
        accepted = asyncio.Event()

        async def accept(_: SignalStream) -> None:
            accepted.set()

        here = DirectRendezvous("127.0.0.1", 0)
        address = await here.start(accept, lambda _: None)
        stream = await here.dial(replace(address, host="localhost"), timeout=10, fresh=False)
        async with asyncio.timeout(10):
            await accepted.wait()
        stream.close()
        await here.close()

    uvloop.run(scenario())
