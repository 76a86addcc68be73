"""Two hosts on a simulated network, for the tests of what it promises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from p4.core.address import Transport
from p4.core.ice import IceSettings
from p4.errors import RendezvousError
from p4.ports import ChannelOpened, Link, LinkEvent, LinkMessage, RendezvousStatus, SignalStream
from p4.testing.network import SimulatedHost, SimulatedNetwork, simulate
from p4.testing.simulated_signaling import SimulatedRendezvous

__all__ = ["Endpoint", "linked", "on_network", "pair"]

T = TypeVar("T")


class Endpoint:
    """A host that echoes lines and records link events."""

    def __init__(self, network: SimulatedNetwork, name: str, transport: Transport = Transport.ONION) -> None:
        self.host: SimulatedHost = network.host(name)
        self.rendezvous: SimulatedRendezvous = self.host.rendezvous(transport)
        self.backend = self.host.links()
        self.statuses: list[RendezvousStatus] = []
        self.events: list[LinkEvent] = []
        self.links: list[Link] = []
        self.on_event: Callable[[LinkEvent], None] | None = None
        self.accepted: list[SignalStream] = []

    async def start(self, accept: Callable[[SignalStream], Awaitable[None]] | None = None) -> Endpoint:
        await self.host.run(self.rendezvous.start(accept or self.echo, self.statuses.append))
        return self

    async def echo(self, stream: SignalStream) -> None:
        self.accepted.append(stream)
        with suppress(RendezvousError):
            while (line := await stream.receive_line()) is not None:
                await stream.send_line(b"echo " + line)

    async def dial(self, other: Endpoint, *, timeout: float = 10.0, fresh: bool = False) -> SignalStream:
        address = other.host.address(other.rendezvous.transport)
        return await self.host.run(self.rendezvous.dial(address, timeout=timeout, fresh=fresh))

    def link(self) -> Link:
        self.links.append(self.backend.create(IceSettings(), self._take))
        return self.links[-1]

    def _take(self, event: LinkEvent) -> None:
        self.events.append(event)
        if self.on_event is not None:
            self.on_event(event)

    def messages(self) -> list[str | bytes]:
        return [event.data for event in self.events if isinstance(event, LinkMessage)]


async def pair(network: SimulatedNetwork) -> tuple[Endpoint, Endpoint]:
    alice, bob = Endpoint(network, "alice"), Endpoint(network, "bob")
    await alice.start()
    await bob.start()
    await asyncio.sleep(1)
    return alice, bob


async def linked(network: SimulatedNetwork) -> tuple[Endpoint, Endpoint, Link, Link]:
    alice, bob = await pair(network)
    near, far = alice.link(), bob.link()
    await near.accept_answer(await far.answer(await near.offer("chat")))
    await asyncio.sleep(1)
    assert alice.events == bob.events == [ChannelOpened("chat")]
    return alice, bob, near, far


def on_network(
    scenario: Callable[[SimulatedNetwork], Coroutine[Any, Any, T]], **options: Any
) -> Callable[[], None]:
    """Make a test of a scenario; run it with three seeds."""

    def test() -> None:
        for seed in range(3):
            simulate(scenario, seed=seed, **options)

    return test
