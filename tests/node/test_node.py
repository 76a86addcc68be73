"""The node as a whole: it ends in every state, and nothing it knows is lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.node.harness import HIGHER, LOWER, QUICK, Puppet, id_of, linked, received, start, until
from tests.sim.simulated_node import SimulatedNode, book_for, invite_of

from p4.core.address import RendezvousAddress
from p4.core.contacts import ContactBook
from p4.core.signaling import Pong
from p4.errors import ContactError, LocalError, StateError
from p4.node.node import NodeParts
from p4.ports import RendezvousStatus, SignalStream
from p4.testing import Conditions, SimulatedNetwork, simulate
from p4.testing.simulated_signaling import SimulatedRendezvous

CLOSE_SECONDS = 2.0
FULL = StateError("The disk is full. Nothing was written.", path="(memory)", code="full")


async def closes(network: SimulatedNetwork, node: SimulatedNode) -> None:
    """Close, in time and completely: of the node's tasks none is left."""
    began = asyncio.get_running_loop().time()
    host = network.host(node._host.place)
    await host.run(node.close())
    assert asyncio.get_running_loop().time() - began <= CLOSE_SECONDS
    assert node.released
    await asyncio.sleep(0.2)
    assert host._tasks == set()


class SlowRendezvous(SimulatedRendezvous):
    """Like a Tor that never comes up."""

    async def start(
        self,
        accept: Callable[[SignalStream], Awaitable[None]],
        observe: Callable[[RendezvousStatus], None],
    ) -> RendezvousAddress:
        address = await super().start(accept, observe)
        await asyncio.sleep(1000)
        return address


class SlowNode(SimulatedNode):
    async def _open(self) -> NodeParts:
        self.saved: list[ContactBook] = []
        parts = await super()._open()
        slow = SlowRendezvous(self._host, self._host._network.switch, parts.rendezvous[0].transport)
        return NodeParts(
            identity=parts.identity,
            contacts=parts.contacts,
            save_contacts=self.saved.append,
            store=parts.store,
            rendezvous=[slow],
            load_backend=parts.load_backend,
            clock=parts.clock,
            entropy=parts.entropy,
        )


async def slowly_starting(network: SimulatedNetwork) -> tuple[SlowNode, asyncio.Task[None]]:
    host = network.host(LOWER)
    node = SlowNode(host, book_for(network, LOWER, [HIGHER]))
    return node, host.spawn(node.start())


@pytest.mark.parametrize("after", [0.0, 0.01, 0.16, 0.21, 0.5, 5.0])
def test_it_ends_in_the_middle_of_its_start(after: float) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, starting = await slowly_starting(network)
        await asyncio.sleep(after)
        await asyncio.sleep(0)
        await closes(network, node)
        with pytest.raises(LocalError) as caught:
            await starting
        assert caught.value.code in {"closed", "started"}

    simulate(scenario, conditions=QUICK)


@pytest.mark.parametrize("after", [0.01, 0.16, 0.5])
def test_a_start_that_is_cancelled_leaves_nothing(after: float) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, starting = await slowly_starting(network)
        await asyncio.sleep(after)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert node.released
        assert network.host(LOWER)._tasks == set()

    simulate(scenario, conditions=QUICK)


def test_it_ends_with_a_dial_that_hangs() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, LOWER, HIGHER)
        await asyncio.sleep(7)
        assert node.peers()[0].state == "dialling"
        await closes(network, node)

    simulate(scenario, conditions=Conditions(dead_dial_hangs=1.0))


def test_it_ends_while_an_offer_is_out() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, LOWER, HIGHER)
        other = await Puppet(network, HIGHER).start()
        await (await other.inbound.get()).receive_line()
        await closes(network, node)

    simulate(scenario, conditions=QUICK)


def test_it_ends_with_a_full_disk_and_a_live_link() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        await lower.peers()[0].send("one")
        network.host(LOWER).disk.failure = network.host(HIGHER).disk.failure = FULL
        with pytest.raises(StateError):
            await lower.peers()[0].send("two")
        await closes(network, lower)
        await closes(network, higher)

    simulate(scenario, conditions=QUICK)


def test_it_ends_although_a_part_of_it_does_not() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        assert lower._parts is not None

        async def broken() -> None:
            raise StateError("The rendezvous cannot end.", path="", code="broken")

        events = lower.events()
        lower._parts.rendezvous[0].close = broken  # type: ignore[method-assign]
        lower._parts.store.close = broken  # type: ignore[method-assign]
        with pytest.raises(StateError):
            await network.host(LOWER).run(lower.close())
        assert lower.released
        async for _ in events:
            pass  # it ends
        await closes(network, higher)

    simulate(scenario, conditions=QUICK)


def test_everybody_who_closes_it_waits_for_the_same_end() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        host = network.host(LOWER)
        impatient = host.spawn(lower.close())
        await asyncio.sleep(0.01)
        impatient.cancel()
        serving = host.spawn(lower.serve_forever())
        await host.run(lower.close())
        assert lower.released, "the second caller came back before the end"
        await serving
        await closes(network, higher)

    simulate(scenario, conditions=QUICK)


def test_a_node_that_ended_changes_nothing_on_disk() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, starting = await slowly_starting(network)
        # While it starts the contacts are not known yet: a book with one contact must not replace them.
        with pytest.raises(LocalError):
            node.add_contact(invite_of(network, "carol"))
        await asyncio.sleep(0.5)
        assert [peer.peer_id for peer in node.peers()] == [id_of(HIGHER)]
        await closes(network, node)
        await asyncio.gather(starting, return_exceptions=True)
        with pytest.raises(LocalError):
            node.add_contact(invite_of(network, "carol"))
        assert node.saved == []

    simulate(scenario, conditions=QUICK)


def test_a_contact_cannot_come_back_while_it_is_being_removed() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        host = network.host(LOWER)
        await (await host.run(lower.peers()[0].send("delivered"))).delivered()
        removing = host.spawn(lower.remove_contact(HIGHER))
        await asyncio.sleep(0.01)
        with pytest.raises(ContactError) as caught:
            lower.add_contact(invite_of(network, HIGHER), HIGHER)
        assert caught.value.code == "being-removed"
        await removing

        async def add() -> None:
            lower.add_contact(invite_of(network, HIGHER), HIGHER)

        await host.run(add())
        await until(lambda: lower.peers()[0].connected)
        receipt = await host.run(lower.peers()[0].send("number one again"))
        assert receipt.number == 1
        assert await received(higher, 2) == ["delivered", "number one again"]
        for node in (lower, higher):
            await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_contact_added_while_it_runs_is_served_at_once() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, "alice")
        bob = await Puppet(network, "bob").start()

        async def add() -> None:
            node.add_contact(invite_of(network, "bob"), "bob")

        await network.host("alice").run(add())
        assert await bob.ping("alice") == Pong("p1")
        await closes(network, node)

    simulate(scenario, conditions=QUICK)
