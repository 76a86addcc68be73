"""Whole nodes through a month of faults on virtual time: nothing lost, nothing doubled, always back.

Each seed is one run; a failure prints it with the network's trace.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Awaitable, Coroutine
from typing import Any

import pytest
from tests.counts import CHAOS, explored
from tests.sim.simulated_node import SimulatedNode, book_for, identity_of

from p4.node.events import NodeWarning
from p4.node.inbox import Message
from p4.ports import PeerRecord
from p4.testing import Chaos, SimulatedNetwork, simulate

ALICE, BOB = "alice", "bob"
CALM_SECONDS = 150.0
"""After all faults are over, everything must be delivered within this (retries wait up to 30 s)."""

STATE = "state"
"""The service of values of which only the latest counts."""


class Programs:
    """What runs on the two hosts: an application that sends numbered texts and keeps what it receives.

    What it has kept survives every crash, as a database would. It keeps a message, then says that it is done.
    """

    latest = True
    """Whether latest values are sent, too."""

    def __init__(self, network: SimulatedNetwork) -> None:
        self.network = network
        self.nodes: dict[str, SimulatedNode] = {}
        self.sent: dict[str, list[str]] = {ALICE: [], BOB: []}
        self.received: dict[str, list[str]] = {ALICE: [], BOB: []}
        self.values_sent: dict[str, list[int]] = {ALICE: [], BOB: []}
        self.values: dict[str, list[int]] = {ALICE: [], BOB: []}
        self.warnings: dict[str, list[str]] = {ALICE: [], BOB: []}
        self.faults: list[str] = []
        """What may never happen and did."""
        self._ids: dict[str, str] = {}
        self._kept: dict[str, dict[str, object]] = {ALICE: {}, BOB: {}}
        self._done: dict[str, set[str]] = {ALICE: set(), BOB: set()}
        self._numbers = itertools.count(1)
        self.sending = True
        for name in (ALICE, BOB):
            record = PeerRecord(grants=("chat", "ping", STATE))
            network.host(name).disk.peers[identity_of(self.other(name)).peer_id] = record

    def other(self, name: str) -> str:
        return BOB if name == ALICE else ALICE

    async def start(self, name: str) -> None:
        host = self.network.host(name)
        node = SimulatedNode(host, book_for(self.network, name, [self.other(name)]))
        await host.run(node.start())
        self.nodes[name] = node
        work: list[Coroutine[Any, Any, None]] = [
            self._receive(name, node),
            self._send(name, node),
            self._listen(name, node),
        ]
        if self.latest:
            work.append(self._receive_values(name, node))
        for part in work:
            host.spawn(part)

    async def _receive(self, name: str, node: SimulatedNode) -> None:
        async for message in node.messages("chat"):
            if self._keep(name, message):
                self.received[name].append(str(message.value))
            self.network.host(name).spawn(self._say_done(name, message.id, message.done()))

    async def _receive_values(self, name: str, node: SimulatedNode) -> None:
        async for message in node.messages(STATE):
            assert isinstance(message.value, int)
            if self._keep(name, message):
                self.values[name].append(message.value)
            self.network.host(name).spawn(self._say_done(name, message.id, message.done()))

    def _keep(self, name: str, message: Message) -> bool:
        """Keep a message; whether it is new. One that was not done before a crash comes again."""
        if message.id in self._done[name]:
            self.faults.append(f"{name} got {message.id} again, which was done")
        kept = self._kept[name].setdefault(message.id, message.value)
        if kept != message.value:
            self.faults.append(f"{name} got {message.id} as {kept!r} and as {message.value!r}")
        return len(self._kept[name]) > len(self.received[name]) + len(self.values[name])

    async def _say_done(self, name: str, message_id: str, done: Awaitable[None]) -> None:
        await done
        self._done[name].add(message_id)

    async def _send(self, name: str, node: SimulatedNode) -> None:
        peer = node.peer(self.other(name))
        while True:
            await asyncio.sleep(0.7)
            if self.sending:
                number = next(self._numbers)
                receipt = await peer.send(f"{name} {number}")
                self.sent[name].append(f"{name} {number}")
                self._ids[f"{name} {number}"] = receipt.id
                if self.latest and self.sending:  # a write may take until the end
                    await peer.send(number, service=STATE, latest="count")
                    self.values_sent[name].append(number)

    async def _listen(self, name: str, node: SimulatedNode) -> None:
        async for event in node.events():
            if isinstance(event, NodeWarning):
                self.warnings[name].append(event.text)

    def complete(self) -> bool:
        return all(self.accounted(name) for name in (ALICE, BOB))

    def accounted(self, name: str) -> bool:
        """Everything accepted by the sender arrived. (One more may: it was durable when the sender died.)"""
        other = self.other(name)
        values = self.values_sent[name][-1:] <= self.values[other][-1:]
        return values and set(self.sent[name]) <= set(self.received[other])

    def check(self) -> None:
        """Nothing came twice, nothing out of order, everything under the name that its sender knows.

        And nobody is told of losses or restored backups, for there were none.
        """
        assert not self.faults, self.faults
        assert not any(self.warnings.values()), self.warnings
        for name in (ALICE, BOB):
            numbers = [int(text.split()[1]) for text in self.received[name]]
            assert numbers == sorted(set(numbers)), f"{name} received out of order or twice: {numbers}"
            values = self.values[name]
            assert values == sorted(set(values)), f"{name} received values out of order or twice: {values}"
            for message_id, text in self._kept[name].items():
                assert self._ids.get(str(text), message_id) == message_id, f"{text!r} has another name"


async def scenario(network: SimulatedNetwork) -> None:
    programs = Programs(network)
    await asyncio.gather(programs.start(ALICE), programs.start(BOB))
    chaos = Chaos(network, [ALICE, BOB], restart=programs.start)
    await chaos.run(240.0)
    programs.sending = False
    programs.check()
    deadline = asyncio.get_running_loop().time() + CALM_SECONDS
    while not programs.complete():
        assert asyncio.get_running_loop().time() < deadline, missing(programs)
        await asyncio.sleep(1.0)
    programs.check()
    # What was taken on one side is known to be on the other.
    for name in (ALICE, BOB):
        peer = programs.nodes[name].peer(programs.other(name))
        receipt = await network.host(name).run(peer.send(f"{name} 1000000"))
        async with asyncio.timeout(CALM_SECONDS):
            await receipt.consumed()
            while peer.queued:  # noqa: ASYNC110 - a value may be on its way that nobody waits for
                await asyncio.sleep(0.1)
    for name in (ALICE, BOB):
        await programs.nodes[name].close()


def missing(programs: Programs) -> str:
    lost = {
        name: [t for t in programs.sent[name] if t not in programs.received[programs.other(name)]]
        for name in (ALICE, BOB)
    }
    states = {
        name: (node.peers()[0].state, node.peers()[0].last_failure) for name, node in programs.nodes.items()
    }
    values = {name: programs.values_sent[name][-1:] for name in (ALICE, BOB)}
    return f"not delivered {CALM_SECONDS} s after the last fault: {lost}, or values {values}; {states}"


def run_seeds(first: int, count: int) -> None:
    for seed in range(first, first + count):
        simulate(scenario, seed=seed)


@pytest.mark.timeout(600)
def test_nothing_is_lost_or_doubled_whatever_happens() -> None:
    run_seeds(int(os.environ.get("P4_FIRST_SEED", "0")), int(os.environ.get("P4_SEEDS", "4")))


@explored(CHAOS)
def test_nothing_is_lost_or_doubled_in_many_seeds(count: int) -> None:
    run_seeds(1000, count)
