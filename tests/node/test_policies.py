"""What the policy of a contact changes: the link, where it is looked for, what it learns of us."""

from __future__ import annotations

import asyncio

import pytest
from tests.sim.test_restarts_in_step import IN_STEP
from tests.sim.test_roaming import both, close, live, until_together

from p4.core.ice import IceSettings, TurnServer
from p4.core.policy import Policy
from p4.errors import InputError
from p4.node.options import NodeOptions
from p4.testing import SimulatedNetwork, SimulatedNode, simulate, start_node

ALICE, BOB = "alice", "bob"
PLACES = {ALICE: ("192.168.1.2", "1.1.1.1"), BOB: ("192.168.1.3", "2.2.2.2")}


def known(node: SimulatedNode) -> set[str]:
    """Where a node would look for its contact."""
    return {endpoint.host for endpoint in node.peers()[0]._connection.whereabouts.endpoints(Policy.DIRECT)}


async def placed(network: SimulatedNetwork, options: NodeOptions | None = None) -> list[SimulatedNode]:
    for name, addresses in PLACES.items():
        network.move(name, *addresses)
    nodes = await asyncio.gather(
        start_node(network, ALICE, BOB, options=options), start_node(network, BOB, ALICE)
    )
    await until_together(nodes)
    return list(nodes)


async def choose(network: SimulatedNetwork, node: SimulatedNode, policy: Policy | str) -> None:
    await network.host(ALICE).run(node.peers()[0].set_policy(policy))


def test_contacts_know_each_others_addresses_by_default() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        nodes = await placed(network)
        assert known(nodes[0]) == set(PLACES[BOB])
        assert known(nodes[1]) == set(PLACES[ALICE])
        await close(nodes)

    simulate(scenario, conditions=IN_STEP)


def test_a_contact_of_the_local_network_learns_no_other_address() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        nodes = await placed(network)
        before = live(nodes)
        await choose(network, nodes[0], "lan-only")
        await until_together(nodes)
        assert None not in live(nodes)
        assert live(nodes) != before, "the link is made anew under the new policy"
        assert known(nodes[1]) == {"192.168.1.2"}
        network.host(ALICE).crash()
        nodes[0] = await start_node(network, ALICE)
        assert nodes[0].peers()[0].policy is Policy.LAN_ONLY
        await until_together(nodes)
        assert known(nodes[1]) == {"192.168.1.2"}
        await close(nodes)

    simulate(scenario, conditions=IN_STEP)


def test_a_contact_that_shall_see_relays_only_is_told_nothing_and_looked_for_nowhere() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        turn = TurnServer("turn:192.0.2.50:3478", "user", "password")
        nodes = await placed(network, NodeOptions(ice=IceSettings(stun=(), turn=(turn,))))
        await choose(network, nodes[0], Policy.RELAY_ONLY)
        await until_together(nodes)
        assert known(nodes[1]) == set()
        seen = len(network.trace)
        for _ in range(3):
            network.break_links()
            network.break_streams()
            await until_together(nodes)
        dials = [line for line in network.trace[seen:] if " alice#1 dials " in line]
        assert dials
        assert not [line for line in dials if any(address in line for address in PLACES[BOB])]
        await close(nodes)

    simulate(scenario, conditions=IN_STEP)


@pytest.mark.parametrize("policy", ["relay-only", "nonsense"])
def test_what_cannot_be_changes_nothing(policy: str) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        nodes = await both(network, {ALICE: "1.1.1.1", BOB: "2.2.2.2"})
        before = live(nodes)
        with pytest.raises(InputError):
            await choose(network, nodes[0], policy)
        await asyncio.sleep(1)
        assert live(nodes) == before
        assert nodes[0].peers()[0].policy is Policy.DIRECT
        await close(nodes)

    simulate(scenario, conditions=IN_STEP)


def test_the_same_policy_again_disturbs_nothing() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        nodes = await placed(network)
        before = live(nodes)
        await choose(network, nodes[0], Policy.DIRECT)
        await asyncio.sleep(1)
        assert live(nodes) == before
        await close(nodes)

    simulate(scenario, conditions=IN_STEP)
