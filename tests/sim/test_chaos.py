"""Whole nodes through a month of faults on virtual time: nothing lost, nothing doubled, always back.

Each seed is one run; a failure prints it with the network's trace.
"""

from __future__ import annotations

import asyncio
import itertools
import os

import pytest
from tests.sim.simulated_node import SimulatedNode, book_for

from p4.node.events import TextReceived
from p4.testing import Chaos, SimulatedNetwork, simulate

ALICE, BOB = "alice", "bob"
SEEDS = 200
SOAK_SEEDS = 5000
CALM_SECONDS = 150.0
"""After all faults are over, everything must be delivered within this (retries wait up to 30 s)."""


class Programs:
    """What runs on the two hosts: a node that sends numbered texts and keeps what it receives."""

    def __init__(self, network: SimulatedNetwork) -> None:
        self.network = network
        self.nodes: dict[str, SimulatedNode] = {}
        self.sent: dict[str, list[str]] = {ALICE: [], BOB: []}
        self.received: dict[str, list[str]] = {ALICE: [], BOB: []}
        self._numbers = itertools.count(1)
        self.sending = True

    def other(self, name: str) -> str:
        return BOB if name == ALICE else ALICE

    async def start(self, name: str) -> None:
        host = self.network.host(name)
        node = SimulatedNode(host, book_for(self.network, name, [self.other(name)]))
        await host.run(node.start())
        self.nodes[name] = node
        host.spawn(self._receive(name, node))
        host.spawn(self._send(name, node))

    async def _receive(self, name: str, node: SimulatedNode) -> None:
        received = self.received[name]
        resumed = True
        async for event in node.events():
            if not isinstance(event, TextReceived):
                continue
            # After a start those come first, again, that were not consumed on disk before the crash.
            resumed = resumed and event.text in received
            if not resumed:
                received.append(event.text)

    async def _send(self, name: str, node: SimulatedNode) -> None:
        peer = node.peer(self.other(name))
        while True:
            await asyncio.sleep(0.7)
            if self.sending:
                text = f"{name} {next(self._numbers)}"
                await peer.send_text(text)
                self.sent[name].append(text)

    def complete(self) -> bool:
        return all(self.accounted(name) for name in (ALICE, BOB))

    def accounted(self, name: str) -> bool:
        """Everything accepted by the sender arrived. (One more may: it was durable when the sender died.)"""
        return set(self.sent[name]) <= set(self.received[self.other(name)])

    def check_order(self) -> None:
        for name in (ALICE, BOB):
            numbers = [int(text.split()[1]) for text in self.received[name]]
            assert numbers == sorted(set(numbers)), f"{name} received out of order or twice: {numbers}"


async def scenario(network: SimulatedNetwork) -> None:
    programs = Programs(network)
    await asyncio.gather(programs.start(ALICE), programs.start(BOB))
    chaos = Chaos(network, [ALICE, BOB], restart=programs.start)
    await chaos.run(240.0)
    programs.sending = False
    programs.check_order()
    deadline = asyncio.get_running_loop().time() + CALM_SECONDS
    while not programs.complete():
        assert asyncio.get_running_loop().time() < deadline, missing(programs)
        await asyncio.sleep(1.0)
    programs.check_order()
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
    return f"not delivered {CALM_SECONDS} s after the last fault: {lost}; {states}"


def run_seeds(first: int, count: int) -> None:
    for seed in range(first, first + count):
        simulate(scenario, seed=seed)


@pytest.mark.timeout(600)
def test_nothing_is_lost_or_doubled_whatever_happens() -> None:
    run_seeds(int(os.environ.get("P4_FIRST_SEED", "0")), int(os.environ.get("P4_SEEDS", "20")))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_is_lost_or_doubled_in_many_seeds() -> None:
    run_seeds(1000, SEEDS)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_nothing_is_lost_or_doubled_in_very_many_seeds() -> None:
    run_seeds(10_000, SOAK_SEEDS)
