"""A blocked contact is a stranger until it is unblocked, and nothing that waited is lost."""

from __future__ import annotations

import asyncio

import pytest

from p4.errors import ContactError, P4Error, StateError
from p4.node.node import BaseNode
from p4.testing import SimulatedNetwork, simulate, start_node

LAPTOP, PHONE = "laptop", "phone"


async def linked(network: SimulatedNetwork) -> tuple[BaseNode, BaseNode]:
    laptop = await start_node(network, LAPTOP, PHONE)
    phone = await start_node(network, PHONE, LAPTOP)
    await laptop.peer(PHONE).wait_connected()
    await phone.peer(LAPTOP).wait_connected()
    return laptop, phone


def test_its_link_ends_at_once_and_it_gets_what_strangers_get() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await linked(network)
        receipt = await phone.peer(LAPTOP).send("one")
        await receipt.delivered()
        old = laptop.peer(PHONE)
        contact = await laptop.lifecycle.block(PHONE)
        assert contact.trust.blocked
        assert laptop.peer(PHONE).blocked
        assert laptop.peer(PHONE).state == "blocked"
        assert not laptop.peer(PHONE).connected
        await phone.peer(LAPTOP).send("two")
        for peer in (old, laptop.peer(PHONE)):
            with pytest.raises(P4Error, match=r"blocked|removed"):
                await peer.send("no")
        assert laptop._find_contact(phone.peer_id) is None, "its lines are answered as those of strangers"
        assert [peer.name for peer in laptop._roster.latest_first()] == [], "not called, no tags for it"
        laptop.peer(PHONE).wake()
        await asyncio.sleep(300)
        assert not laptop.peer(PHONE).connected
        assert not phone.peer(LAPTOP).connected
        assert phone.peer(LAPTOP).queued == 1

        # Also after a restart.
        network.host(LAPTOP).crash()
        laptop = await start_node(network, LAPTOP)
        assert laptop.peer(PHONE).blocked
        await asyncio.sleep(300)
        assert not phone.peer(LAPTOP).connected
        inbox = laptop.messages()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await anext(inbox)

        await laptop.lifecycle.unblock(PHONE)
        assert (await anext(inbox)).value == "one", "what waited is there again"
        message = await anext(inbox)
        assert message.value == "two"
        assert not laptop.peer(PHONE).blocked

    simulate(scenario)


def test_what_waited_for_it_is_sent_after_it_was_unblocked() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await linked(network)
        network.partition([LAPTOP], [PHONE])
        for number in range(3):
            await laptop.peer(PHONE).send(number)
        await laptop.lifecycle.block(PHONE)
        network.heal()
        await asyncio.sleep(120)
        assert laptop.peer(PHONE).queued == 3
        await laptop.lifecycle.unblock(PHONE)
        inbox = phone.messages()
        assert [(await anext(inbox)).value for _ in range(3)] == [0, 1, 2]

    simulate(scenario)


def test_grants_are_suspended_and_come_back() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await linked(network)
        await laptop.peer(PHONE).grant("notes")
        await laptop.lifecycle.block(PHONE)
        await laptop.lifecycle.block(PHONE)
        await laptop.peer(PHONE).grant("more")  # on disk, and of no use while it is blocked
        assert not laptop.peer(PHONE).send_datagram("notes", b"")
        with pytest.raises(ContactError, match="blocked"):
            await laptop.peer(PHONE).call("ping")
        with pytest.raises(ContactError, match="blocked"):
            await laptop.peer(PHONE).stream("notes")
        await laptop.lifecycle.unblock(PHONE)
        assert laptop.peer(PHONE).grants == ("chat", "ping", "notes", "more")
        await phone.peer(LAPTOP).wait_connected()
        await phone.peer(LAPTOP).call("ping", deadline=60)

    simulate(scenario)


def test_a_blocked_contact_can_be_removed() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, _ = await linked(network)
        await laptop.peer(PHONE).send("waits")
        await laptop.lifecycle.block(PHONE)
        await laptop.remove_contact(PHONE)
        assert laptop.peers() == []

    simulate(scenario)


def test_a_full_disk_changes_nothing() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, _ = await linked(network)

        def full(book: object) -> None:
            raise StateError("The disk is full.", path="", code="disk-full")

        laptop._roster._save = full
        with pytest.raises(StateError):
            await laptop.lifecycle.block(PHONE)
        assert not laptop.peer(PHONE).blocked
        await laptop.peer(PHONE).call("ping", deadline=60)

    simulate(scenario)


@pytest.mark.parametrize("seed", range(10))
def test_blocked_and_unblocked_at_any_moment_nothing_is_lost(seed: int) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await linked(network)
        chance, sent, got = network.world.random, [], []

        async def read() -> None:
            async for message in phone.messages():
                got.append(message.value)
                await message.done()

        network.host(PHONE).spawn(read())
        for number in range(30):
            if chance.random() < 0.3:
                await laptop.lifecycle.block(PHONE)
                await asyncio.sleep(chance.choice([0, 0.01, 0.3]))
                await laptop.lifecycle.unblock(PHONE)
            else:
                await laptop.peer(PHONE).send(number)
                sent.append(number)
            await asyncio.sleep(chance.choice([0, 0.02, 0.2, 1]))
        await asyncio.sleep(300)
        assert got == sent

    simulate(scenario, seed=seed)
