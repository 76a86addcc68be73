"""What changes about where a device is reaches its contacts whenever there is a link."""

from __future__ import annotations

import asyncio
import dataclasses

from tests.node.harness import QUICK, until

from p4.core.address import RendezvousAddress, Transport
from p4.core.policy import Policy
from p4.testing import SimulatedNetwork, simulate
from p4.testing.simulated_node import SimulatedNode, start_node
from p4.testing.simulated_presence import DOORWAY_PORT

SLOW_LINKS = dataclasses.replace(QUICK, link_setup=(2.0, 2.0))
SOON = 0.4
"""Seconds: before a warm stream is opened, whose first ping tells it, too."""
MAPPED = RendezvousAddress(Transport.DIRECT, "9.9.9.9", DOORWAY_PORT)


def knows(node: SimulatedNode, contact: str) -> bool:
    return MAPPED in node.peer(contact)._connection.whereabouts.endpoints(Policy.DIRECT)


async def two_apart(network: SimulatedNetwork) -> tuple[SimulatedNode, SimulatedNode]:
    network.world.addresses.update(
        {"laptop": frozenset({"192.168.1.2"}), "phone": frozenset({"192.168.7.2"})}
    )
    laptop = await start_node(network, "laptop", "phone")
    phone = await start_node(network, "phone", "laptop")
    await laptop.peer("phone").wait_connected()
    await phone.peer("laptop").wait_connected()
    return laptop, phone


def test_a_port_that_is_mapped_between_an_answer_and_its_link_is_told_over_the_link() -> None:
    """Otherwise a contact that moves next looks for it where it never was."""

    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await two_apart(network)
        for seconds in (0.2, 1.0, 1.9):  # of the two that a link takes to open
            network.break_links("laptop", "phone")
            await until(lambda: not laptop.peer("phone").connected)
            await until(lambda: laptop.peer("phone").state in {"joining", "opening"})
            await asyncio.sleep(seconds)
            assert not laptop.peer("phone").connected
            mapper = network.host("laptop").mapper
            mapper.grant("9.9.9.9")
            await until(lambda: laptop.peer("phone").connected)
            await until(lambda: knows(phone, "laptop"), seconds=SOON)
            mapper.refuse()
            await until(lambda: not knows(phone, "laptop"), seconds=SOON)

    simulate(scenario, conditions=SLOW_LINKS)
