"""The daemon itself: a node, its apps and the API, from start to end."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from p4.apps.background import Background
from p4.apps.store import AppStore
from p4.core import limits
from p4.daemon.access.failures import FailureLimit
from p4.daemon.access.gate import AccessGate, Doors
from p4.daemon.access.tokens import TokenBook
from p4.daemon.access.web_logins import WebLogins
from p4.daemon.application import create_application
from p4.daemon.context import DaemonContext
from p4.daemon.directory import DaemonDirectory, Endpoint
from p4.daemon.event_feed import EventFeed, follow_node
from p4.daemon.hosted_apps import HostedApps
from p4.daemon.http_server import HttpServer
from p4.daemon.kept_receipts import KeptReceipts
from p4.daemon.leases import Leases
from p4.daemon.listening import HAS_UNIX_SOCKETS, loopback_socket, unix_socket
from p4.daemon.message_desk import MessageDesk
from p4.daemon.metrics import LinkCounts, count_links
from p4.daemon.stream_desk import StreamDesk
from p4.errors import LocalError
from p4.node.node import BaseNode

__all__ = ["Daemon", "DaemonOptions"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DaemonOptions:
    """What a user can choose about a daemon."""

    port: int | None = None
    """TCP port on 127.0.0.1; None for that of the last run, or any. If it is taken, another."""


class Daemon:
    """One identity's daemon, usable in any program:

        async with Daemon(p4.Node(directory, options), directory) as daemon:
            await daemon.serve_forever()

    Args:
        node: not started yet; the daemon starts and closes it. Its lock on the state directory is what makes
            sure that there is one daemon for an identity.
        state_directory: of the node.
    """

    def __init__(self, node: BaseNode, state_directory: Path, options: DaemonOptions | None = None) -> None:
        self.node = node
        self._options = options or DaemonOptions()
        self._state_directory = Path(state_directory).expanduser()
        self._directory = DaemonDirectory(self._state_directory)
        self._held = AsyncExitStack()
        self._endpoint: Endpoint | None = None
        self._context: DaemonContext | None = None
        self._wanted_end = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens. Raises LocalError ``not-running`` before it does."""
        if self._endpoint is None:
            raise LocalError("The daemon is not running.", code="not-running")
        return self._endpoint

    @property
    def context(self) -> DaemonContext:
        """What its routes share. Raises LocalError ``not-running`` before it has started."""
        if self._context is None:
            raise LocalError("The daemon is not running.", code="not-running")
        return self._context

    async def start(self) -> None:
        """Start the node and the apps, listen, and tell where in ``endpoint.json``.

        Raises:
            AlreadyRunningError: the identity has a daemon, or another program runs its node. P4Error: as the
                node, or the disk, says. Nothing keeps running.
        """
        async with AsyncExitStack() as held:
            held.push_async_callback(self.node.close)
            await self.node.start()
            self._directory.prepare()
            self._directory.remove_leftovers()
            context = self._context = await self._make_context(held)
            await self._listen(held, context)
            self._held = held.pop_all()

    async def _make_context(self, held: AsyncExitStack) -> DaemonContext:
        feed = EventFeed()
        apps = HostedApps(
            AppStore(self._directory.database_path),
            feed,
            self._directory.path / "uploads",
            private=self._state_directory,
        )
        tokens = TokenBook(self._directory.tokens_path)
        tokens.load()
        background = Background()
        held.push_async_callback(background.close)
        background.begin(follow_node(self.node, feed), "following the node")
        link_counts = LinkCounts()
        background.begin(count_links(feed.read(), link_counts), "counting links")
        await apps.start(self.node)
        held.push_async_callback(apps.close)
        leases = Leases()
        held.callback(leases.close)
        return DaemonContext(
            node=self.node,
            state_directory=self._state_directory,
            apps=apps,
            feed=feed,
            tokens=tokens,
            logins=WebLogins(),
            failures=FailureLimit(),
            desk=MessageDesk(self.node),
            receipts=KeptReceipts(),
            leases=leases,
            streams=StreamDesk(self.node),
            end=self._wanted_end.set,
            started_ms=int(time.time() * 1000),
            link_counts=link_counts,
        )

    async def _listen(self, held: AsyncExitStack, context: DaemonContext) -> None:
        application = create_application(context)
        doors = Doors(
            tokens=context.tokens,
            logins=context.logins,
            owner_token=secrets.token_urlsafe(limits.TOKEN_BYTES),
            closing=context.closing,
            failures=context.failures,
        )
        wanted = self._directory.usual_port() if self._options.port is None else self._options.port
        tcp = held.enter_context(loopback_socket(wanted))
        context.port = port = tcp.getsockname()[1]
        servers = [HttpServer(AccessGate(application, doors, port=port), tcp)]
        unix_path: Path | None = None
        if HAS_UNIX_SOCKETS:
            listening, unix_path = held.enter_context(unix_socket(self._directory.socket_path))
            servers.append(HttpServer(AccessGate(application, doors, port=None), listening))
        held.push_async_callback(_close_all, servers)
        held.callback(self._announce_end, context)
        for server in servers:
            await server.start()
        self._directory.remember_port(port)
        self._endpoint = Endpoint(
            pid=os.getpid(),
            unix_path=None if unix_path is None else str(unix_path),
            port=port,
            owner_token=doors.owner_token,
            started_ms=context.started_ms,
        )
        self._directory.write_endpoint(self._endpoint)
        held.callback(self._directory.endpoint_path.unlink, missing_ok=True)
        _log.info("The daemon listens on %s and 127.0.0.1:%d", unix_path, port)

    def _announce_end(self, context: DaemonContext) -> None:
        context.feed.publish("daemon.ending", {})
        context.closing.set()

    async def serve_forever(self) -> None:
        """Wait until somebody asks the daemon to end, or the node has ended."""
        waiting = {
            asyncio.ensure_future(self._wanted_end.wait()),
            asyncio.ensure_future(self.node.serve_forever()),
        }
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    async def close(self) -> None:
        """End everything, within 2 s. Everybody who calls it waits for the same end.

        Raises:
            StateError: the store could not be closed well; everything else has ended all the same.
        """
        if self._ending is None:
            self._ending = asyncio.create_task(self._held.aclose(), name="daemon ends")
        await asyncio.shield(self._ending)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def _close_all(servers: list[HttpServer]) -> None:
    await asyncio.gather(*(server.close() for server in servers))
