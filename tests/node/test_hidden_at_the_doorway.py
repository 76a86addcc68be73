"""A contact that shall see no address of ours cannot find out whether one that it guessed is ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from tests.node.harness import QUICK, Puppet, id_of, until
from tests.sim.simulated_node import SimulatedNode, book_for

from p4.core.policy import Policy
from p4.core.signaling import FAILURE_LINE, Ping
from p4.node.parts import NodeParts
from p4.node.presence import Presence
from p4.ports import SignalStream
from p4.testing import SimulatedNetwork, simulate


class Doorway:
    """Lets the test bring streams."""

    accept: Callable[[SignalStream], Awaitable[None]]

    async def start(self, accept: Callable[[SignalStream], Awaitable[None]]) -> int:
        self.accept = accept
        return 50_000

    async def close(self) -> None:
        pass


class Knock:
    """A stream on which one line arrives."""

    description = "a knock"

    def __init__(self, line: bytes) -> None:
        self._line: bytes | None = line
        self.replies: list[bytes] = []
        self.closed = asyncio.Event()

    async def receive_line(self) -> bytes | None:
        line, self._line = self._line, None
        if line is None:
            await self.closed.wait()
        return line

    async def send_line(self, line: bytes) -> None:
        self.replies.append(line)

    def close(self) -> None:
        self.closed.set()


class NodeWithDoorway(SimulatedNode):
    """Its doorway is the test's."""

    doorway: Doorway

    async def _open(self) -> NodeParts:
        self.doorway = Doorway()
        return replace(await super()._open(), presence=Presence(self.doorway))


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("sender", ["bob", "mallory"])
def test_who_may_not_know_our_addresses_is_a_stranger_there(policy: Policy, sender: str) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = NodeWithDoorway(network.host("alice"), book_for(network, "alice", ["bob"]))
        await network.host("alice").run(node.start())
        puppet = await Puppet(network, sender).start()
        node.peer(id_of("bob"))._connection.policy = policy
        knock = Knock(puppet.seal("alice", Ping("p1")))
        serving = asyncio.ensure_future(node.doorway.accept(knock))
        await until(lambda: bool(knock.replies))
        hidden = sender == "mallory" or policy is Policy.RELAY_ONLY
        assert (knock.replies == [FAILURE_LINE]) == hidden
        await node.close()
        await asyncio.wait([serving])

    simulate(scenario, conditions=QUICK)
