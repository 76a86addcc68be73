"""Both nodes start again and again at the same moment over paths of the same length: no livelock."""

from __future__ import annotations

import asyncio

import pytest
from tests.counts import RESTARTS_IN_STEP, explored
from tests.sim.simulated_node import SimulatedNode, book_for

from p4.testing import Conditions, SimulatedNetwork, simulate

ALICE, BOB = "alice", "bob"
IN_STEP = Conditions(
    latency=(0.02, 0.02),
    dial=(0.1, 0.1),
    publish=(0.1, 0.1),
    link_latency=(0.01, 0.01),
    link_gathering=(0.01, 0.01),
    link_setup=(0.05, 0.05),
    dead_dial_hangs=0.0,
)
NEARLY_IN_STEP = Conditions(
    latency=(0.01, 0.2),
    dial=(0.05, 1.0),
    publish=(0.05, 1.0),
    link_latency=(0.005, 0.1),
    link_gathering=(0.0, 0.1),
    link_setup=(0.02, 0.5),
    dead_dial_hangs=0.2,
    stale_addresses=True,
)
RESTARTS = 3
BACK_SECONDS = 12.0
"""Both must be on one link again within this, whatever the paths do."""


async def start(network: SimulatedNetwork, name: str) -> SimulatedNode:
    host = network.host(name)
    node = SimulatedNode(host, book_for(network, name, [BOB if name == ALICE else ALICE]))
    await host.run(node.start())
    return node


async def until_connected(nodes: list[SimulatedNode]) -> None:
    async with asyncio.timeout(BACK_SECONDS):
        await asyncio.gather(*(node.peers()[0].wait_connected() for node in nodes))
    # It stays: a livelock would tear it down again.
    for _ in range(50):
        await asyncio.sleep(0.1)
        assert all(node.peers()[0].connected for node in nodes), [node.peers()[0].state for node in nodes]


async def scenario(network: SimulatedNetwork) -> None:
    nodes = list(await asyncio.gather(start(network, ALICE), start(network, BOB)))
    await until_connected(nodes)
    for _ in range(RESTARTS):
        for name in (ALICE, BOB):
            network.host(name).crash()
        nodes = list(await asyncio.gather(start(network, ALICE), start(network, BOB)))
        await until_connected(nodes)
    for node in nodes:
        node.peers()[0].drop()
    await until_connected(nodes)


@pytest.mark.parametrize("conditions", [IN_STEP, NEARLY_IN_STEP], ids=["in step", "nearly in step"])
def test_both_restart_in_step(conditions: Conditions) -> None:
    for seed in range(25):
        simulate(scenario, seed=seed, conditions=conditions)


@pytest.mark.parametrize("conditions", [IN_STEP, NEARLY_IN_STEP], ids=["in step", "nearly in step"])
@explored(RESTARTS_IN_STEP)
def test_both_restart_in_step_with_many_seeds(conditions: Conditions, count: int) -> None:
    for seed in range(100, 100 + count):
        simulate(scenario, seed=seed, conditions=conditions)
