"""Devices that change their networks, one of them or both at once: they are together again soon."""

from __future__ import annotations

import asyncio
from statistics import median

import pytest
from tests.counts import ROAMING, explored
from tests.sim.test_restarts_in_step import IN_STEP, NEARLY_IN_STEP

from p4.node.events import LinkDown
from p4.testing import Conditions, SimulatedNetwork, SimulatedNode, simulate, start_node

ALICE, BOB = "alice", "bob"
HOME = {ALICE: "192.168.1.2", BOB: "192.168.1.3"}
WORLD = {ALICE: "1.1.1.1", BOB: "2.2.2.2"}
ELSEWHERE = {ALICE: "10.0.0.2", BOB: "172.16.0.3"}
LONGEST_SECONDS = 12.0
"""The replies of a network that was left are waited for, and attempts that met begin again."""
USUAL_SECONDS = 1.5

conditions = pytest.mark.parametrize(
    "conditions", [IN_STEP, NEARLY_IN_STEP], ids=["in step", "nearly in step"]
)


async def both(network: SimulatedNetwork, addresses: dict[str, str]) -> list[SimulatedNode]:
    for name, address in addresses.items():
        network.move(name, address)
    nodes = await asyncio.gather(start_node(network, ALICE, BOB), start_node(network, BOB, ALICE))
    await until_together(nodes)
    return list(nodes)


def live(nodes: list[SimulatedNode] | tuple[SimulatedNode, ...]) -> list[int | None]:
    return [node.peers()[0]._connection._machine.live for node in nodes]


async def until_together(
    nodes: list[SimulatedNode] | tuple[SimulatedNode, ...], seconds: float = 12.0
) -> float:
    """Until the link of both is one that works, and stays; the seconds that this took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    since = None
    while since is None or loop.time() < since[0] + 3.0:
        now = live(nodes)
        if None in now:
            since = None
        elif since is None or since[1] != now:
            since = loop.time(), now
        assert loop.time() < began + seconds + 3.0, [node.peers()[0].state for node in nodes]
        await asyncio.sleep(0.05)
    return since[0] - began


async def close(nodes: list[SimulatedNode]) -> None:
    await asyncio.gather(*(node.close() for node in nodes))


async def roams(network: SimulatedNetwork, *movers: str) -> list[float]:
    """Three moves to other networks; the seconds that each interrupted."""
    took = []
    nodes = await both(network, HOME)
    await asyncio.sleep(10)
    for place in (WORLD, ELSEWHERE, HOME):
        for name in movers:
            network.move(name, place[name])
        await asyncio.sleep(0.05)
        took.append(await until_together(nodes, LONGEST_SECONDS))
        assert {link.process.place for link in network.links()} == {ALICE, BOB}
        assert all(not link.path_blocked() for link in network.links())
    await close(nodes)
    return took


def roam_with(seeds: range, movers: tuple[str, ...], conditions: Conditions) -> None:
    took: list[float] = []
    for seed in seeds:
        took += simulate(lambda network: roams(network, *movers), seed=seed, conditions=conditions)
    if conditions is IN_STEP:
        assert max(took) < USUAL_SECONDS
    else:
        assert median(took) < 2 * USUAL_SECONDS


@conditions
@pytest.mark.parametrize("movers", [(ALICE,), (BOB,), (ALICE, BOB)], ids="-".join)
def test_a_device_that_moves_is_found_again(movers: tuple[str, ...], conditions: Conditions) -> None:
    roam_with(range(4), movers, conditions)


@conditions
@pytest.mark.parametrize("movers", [(ALICE,), (BOB,), (ALICE, BOB)], ids="-".join)
@explored(ROAMING)
def test_a_device_that_moves_is_found_again_with_many_seeds(
    movers: tuple[str, ...], conditions: Conditions, count: int
) -> None:
    roam_with(range(100, 100 + count), movers, conditions)


def test_the_link_over_the_old_address_is_left_at_once() -> None:
    """No heartbeat has to be missed on the side that moved: it knows."""

    async def scenario(network: SimulatedNetwork) -> None:
        nodes = await both(network, WORLD)
        await asyncio.sleep(10)
        events = nodes[0].events()
        network.move(ALICE, "3.3.3.3")
        await asyncio.sleep(0.05)
        assert live(nodes)[0] is None
        assert await until_together(nodes) < 1.5
        await events.aclose()
        downs = [event async for event in events if isinstance(event, LinkDown)]
        assert [event.reason for event in downs] == ["this device has left the network that it went over"]
        await close(nodes)

    simulate(scenario, conditions=IN_STEP)


def test_a_new_address_beside_the_old_one_costs_no_interruption() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        nodes = await both(network, WORLD)
        await asyncio.sleep(10)
        before, events = live(nodes), nodes[1].events()
        network.move(ALICE, WORLD[ALICE], "3.3.3.3")
        await asyncio.sleep(5)
        assert live(nodes)[0] != before[0], "another path was tried"
        await events.aclose()
        assert [event async for event in events if isinstance(event, LinkDown)] == []
        await close(nodes)

    simulate(scenario, conditions=IN_STEP)


def test_without_a_network_nothing_is_tried_and_the_first_one_is_used_at_once() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        nodes = await both(network, WORLD)
        await asyncio.sleep(10)
        network.partition([ALICE], [BOB])
        network.move(ALICE)
        await asyncio.sleep(20)
        assert live(nodes) == [None, None]
        network.heal()
        network.move(ALICE, "3.3.3.3")
        assert await until_together(nodes) < 2.0
        await close(nodes)

    simulate(scenario, conditions=IN_STEP)


def test_an_announced_address_is_dialled_where_the_onion_service_fails() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        nodes = await both(network, WORLD)
        await asyncio.sleep(10)
        network.switch.listeners.clear()  # neither is to be had through Tor any more
        network.move(ALICE, "3.3.3.3")
        assert await until_together(nodes) < 2.0, "Bob stayed where he had announced to be"
        network.move(BOB, "4.4.4.4")
        assert await until_together(nodes) < 2.0, "Alice told where she went"
        await close(nodes)

    simulate(scenario, conditions=IN_STEP)


def test_an_announced_address_survives_a_restart() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        nodes = await both(network, WORLD)
        await asyncio.sleep(10)
        network.host(ALICE).crash()
        network.switch.listeners.clear()
        nodes[0] = await start_node(network, ALICE)
        assert await until_together(nodes) < 6.0
        await close(nodes)

    simulate(scenario, conditions=IN_STEP)


def test_a_private_address_leads_nowhere_from_elsewhere() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        nodes = await both(network, HOME)
        await asyncio.sleep(10)
        network.switch.listeners.clear()
        network.move(ALICE, ELSEWHERE[ALICE])
        await asyncio.sleep(30)
        assert live(nodes) == [None, None]
        network.move(ALICE, HOME[ALICE])
        assert await until_together(nodes) < 2.0
        await close(nodes)

    simulate(scenario, conditions=IN_STEP)
