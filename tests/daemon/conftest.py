"""Real daemons on real nodes in direct mode, and clients that speak HTTP to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

import p4
from p4.daemon.server import Daemon, DaemonOptions

SECONDS = 20.0


def direct_options() -> p4.NodeOptions:
    """A node that stays on this machine and looks for nobody else on it."""
    return p4.NodeOptions(
        transport=p4.Transport.DIRECT,
        ice=p4.IceSettings(stun=()),
        retry_seconds=1.0,
        direct_signaling=False,
        lan=False,
        port_guessing=False,
    )


@dataclass
class RunningDaemon:
    """A daemon, and a client on its unix socket (the owner's)."""

    daemon: Daemon
    directory: Path
    http: httpx.AsyncClient
    others: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def node(self) -> p4.Node:
        """The daemon's node."""
        assert isinstance(self.daemon.node, p4.Node)
        return self.daemon.node

    @property
    def base_url(self) -> str:
        """Of the TCP port."""
        return f"http://127.0.0.1:{self.daemon.endpoint.port}"

    async def over_tcp(self, token: str | None = None, **options: object) -> httpx.AsyncClient:
        """A client on the TCP port with this token, or with none."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        client = httpx.AsyncClient(base_url=self.base_url, headers=headers, timeout=SECONDS, **options)  # type: ignore[arg-type]
        return await self.others.enter_async_context(client)


async def grant(daemon: RunningDaemon, contact: str, *services: str) -> None:
    """Let a contact use services; it knows of them when this returns."""
    peer = daemon.node.peer(contact)
    await peer.grant(*services)
    await peer.ping()  # goes the same way after what tells of the grants


@pytest.fixture
async def start_daemon(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[RunningDaemon]]]:
    """Starts daemons by name, each on a state directory of its own; all end with the test."""
    async with AsyncExitStack() as ending:

        async def start(name: str, options: DaemonOptions | None = None) -> RunningDaemon:
            directory = tmp_path / name
            daemon = Daemon(p4.Node(directory, direct_options()), directory, options)
            await daemon.start()
            ending.push_async_callback(daemon.close)
            transport = httpx.AsyncHTTPTransport(uds=daemon.endpoint.unix_path)
            http = httpx.AsyncClient(transport=transport, base_url="http://p4", timeout=SECONDS)
            running = RunningDaemon(daemon, directory, http)
            ending.push_async_callback(running.others.aclose)
            await ending.enter_async_context(http)
            return running

        yield start


@pytest.fixture
async def daemon(start_daemon: Callable[..., Awaitable[RunningDaemon]]) -> RunningDaemon:
    """One daemon without contacts."""
    return await start_daemon("laptop")


@pytest.fixture
async def pair(
    start_daemon: Callable[..., Awaitable[RunningDaemon]],
) -> tuple[RunningDaemon, RunningDaemon]:
    """The daemons of a laptop and a phone, which know each other by these names and have a link."""
    laptop, phone = await asyncio.gather(start_daemon("laptop"), start_daemon("phone"))
    laptop.node.add_contact(phone.node.invite(), "phone")
    phone.node.add_contact(laptop.node.invite(), "laptop")
    async with asyncio.timeout(SECONDS):
        await laptop.node.peer("phone").wait_connected()
        await phone.node.peer("laptop").wait_connected()
    return laptop, phone
