"""A laptop that serves a port and a phone that forwards to it, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.apps.forward.simulated_sockets import ProgramEnd, SimulatedSockets

from p4.apps.forward import Endpoint, ForwardApp, TunnelEvent
from p4.apps.forward.carrying import ByteEnd
from p4.apps.store import AppStore
from p4.testing import SimulatedNetwork, SimulatedNode, start_node

__all__ = ["HERE", "PORT", "TARGET", "Device", "Program"]

HERE = "127.0.0.1"
PORT = 8123
TARGET = Endpoint(HERE, PORT)


class Program:
    """What listens at the target: every connection that it accepted, in order."""

    def __init__(self, serve: Callable[[ProgramEnd], Awaitable[None]] | None = None) -> None:
        self.accepted: list[ProgramEnd] = []
        self._serve = serve
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Future[None]] = []

    def __call__(self, end: ByteEnd) -> None:
        assert isinstance(end, ProgramEnd)
        self.accepted.append(end)
        self._changed.set()
        if self._serve is not None:
            self._tasks.append(asyncio.ensure_future(self._serve(end)))

    async def connection(self, number: int = 0) -> ProgramEnd:
        while len(self.accepted) <= number:
            self._changed.clear()
            await self._changed.wait()
        return self.accepted[number]


class Device:
    """A device with a node, the forward app, and programs of its own. Its app's store survives a crash."""

    def __init__(self, network: SimulatedNetwork, name: str, other: str) -> None:
        self.network, self.name, self.other = network, name, other
        self.sockets = SimulatedSockets()
        self.events: list[TunnelEvent] = []
        self.store = AppStore(None)
        self.node: SimulatedNode
        self.app: ForwardApp

    async def start(self) -> Device:
        if self.store._connection is None:
            await self.store.open()
        # The listeners of a process go with it; the programs beside it stay.
        self.node = await start_node(self.network, self.name, self.other)
        self.app = ForwardApp(self.store, self.events.append, self.sockets)
        await self.network.host(self.name).run(self.app.start(self.node))
        return self

    def kill(self) -> None:
        """As kill -9 does: the kernel resets the TCP connections of the process."""
        self.network.host(self.name).crash()
        for running in self.app._tunnels.values():
            if running.listening:
                self.sockets.listeners.pop(running.listening.port, None)

    async def connect(self, port: int) -> ProgramEnd:
        """As a program of this device."""
        return await self.sockets.connect(HERE, port)

    @classmethod
    async def pair(cls, network: SimulatedNetwork) -> tuple[Device, Device]:
        """The laptop, and the phone."""
        return await cls(network, "laptop", "phone").start(), await cls(network, "phone", "laptop").start()
