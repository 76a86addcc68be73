"""A disk that refuses: contacts are removed whole or not at all, and the person hears of it once."""

from __future__ import annotations

import asyncio

import pytest
from tests.node.harness import HIGHER, LOWER, QUICK, Puppet, id_of, linked, received, start, until
from tests.sim.simulated_node import SimulatedNode, invite_of

from p4.core import limits
from p4.core.contacts import Contact
from p4.core.signaling import Pong
from p4.errors import ContactError, LocalError, StateError
from p4.node.events import NodeWarning
from p4.node.inbox import Inbox
from p4.node.peer import Peer
from p4.node.roster import Roster
from p4.testing import SimulatedNetwork, simulate

FULL = StateError("The disk is full. Nothing was written.", path="(memory)", code="full")


def agrees_with_its_disk(network: SimulatedNetwork, node: SimulatedNode, contact: str) -> None:
    record = network.host(node._host.place).disk.peers[id_of(contact)]
    outbox = node.peer(contact).relation._machine._outbox
    assert (outbox.epoch, outbox.next) == (record.out_epoch, record.out_next)


async def removal_fails(network: SimulatedNetwork) -> None:
    lower, higher = await linked(network)
    host = network.host(LOWER)
    await host.run(lower.peers()[0].send("one"))
    host.disk.failure = FULL
    with pytest.raises(StateError):
        await host.run(lower.remove_contact(HIGHER))
    host.disk.failure = None
    # It is still there, as the disk knows it; adding it again changes nothing.
    assert [peer.peer_id for peer in lower.peers()] == [id_of(HIGHER)]

    async def add() -> None:
        lower.add_contact(invite_of(network, HIGHER), HIGHER)

    await host.run(add())
    await until(lambda: lower.peers()[0].connected)
    await host.run(lower.peers()[0].send("two"))
    agrees_with_its_disk(network, lower, HIGHER)
    assert await received(higher, 2) == ["one", "two"]
    # Now the disk works, and so does the removal.
    await host.run(lower.remove_contact(HIGHER))
    assert lower.peers() == []
    assert host.disk.peers == {}
    for node in (lower, higher):
        await node.close()


def test_a_contact_that_the_disk_cannot_forget_stays_as_it_was() -> None:
    simulate(removal_fails, conditions=QUICK)


def test_a_removal_that_forgets_in_memory_only_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: what failed on disk is done in memory all the same."""

    honest = Roster._make_peer

    def careless(self: Roster, contact: Contact) -> Peer:
        if self._removals:
            self._records = {}
        return honest(self, contact)

    monkeypatch.setattr(Roster, "_make_peer", careless)
    with pytest.raises((AssertionError, TimeoutError)):
        simulate(removal_fails, conditions=QUICK)


async def removal_fails_while_messages_wait(network: SimulatedNetwork) -> None:
    lower, higher = await linked(network)
    host = network.host(LOWER)
    messages = lower.messages("chat")
    for text in ("one", "two"):
        await (await network.host(HIGHER).run(higher.peers()[0].send(text))).delivered()
    first = await anext(messages)
    host.disk.failure = FULL
    with pytest.raises(StateError):
        await host.run(lower.remove_contact(HIGHER))
    host.disk.failure = None
    # What had been handed out cannot be done any more, so it comes again.
    with pytest.raises(LocalError):
        await first.done()
    async with asyncio.timeout(5):
        for text in ("one", "two"):
            message = await anext(messages)
            assert message.value == text
            await message.done()
    assert host.disk.inbox[id_of(HIGHER)] == {}
    for node in (lower, higher):
        await node.close()


def test_what_waits_from_a_contact_that_could_not_be_removed_can_still_be_taken() -> None:
    simulate(removal_fails_while_messages_wait, conditions=QUICK)


@pytest.mark.parametrize("planted", ["add", "forget"])
def test_an_inbox_that_keeps_to_the_contact_as_it_was_is_found(
    monkeypatch: pytest.MonkeyPatch, planted: str
) -> None:
    monkeypatch.setattr(Inbox, planted, lambda self, recipient: None)
    with pytest.raises((AssertionError, TimeoutError, LocalError)):
        simulate(removal_fails_while_messages_wait, conditions=QUICK)


def test_a_contact_that_is_on_disk_and_in_no_book_comes_back_with_its_numbers() -> None:
    """Somebody put an older book back, or it was removed by a version that forgot in two steps."""

    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        await network.host(LOWER).run(lower.peers()[0].send("one"))
        await until(lambda: lower.peers()[0].queued == 0)
        await network.host(LOWER).run(lower.close())
        network.host(LOWER).crash()
        lower = await start(network, LOWER)
        assert lower.peers() == []

        async def add() -> None:
            lower.add_contact(invite_of(network, HIGHER), HIGHER)

        await network.host(LOWER).run(add())
        await network.host(LOWER).run(lower.peers()[0].send("two"))
        agrees_with_its_disk(network, lower, HIGHER)
        assert await received(higher, 2) == ["one", "two"]
        for node in (lower, higher):
            await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_contact_is_removed_once_and_wholly_although_the_caller_gives_up() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        host = network.host(LOWER)
        await host.run(lower.peers()[0].send("one"))
        impatient = host.spawn(lower.remove_contact(HIGHER))
        await asyncio.sleep(0.01)
        with pytest.raises(ContactError) as caught:
            await host.run(lower.remove_contact(HIGHER))
        assert caught.value.code == "being-removed"
        impatient.cancel()
        await until(lambda: lower.peers() == [])
        assert host.disk.peers == {}
        for node in (lower, higher):
            await node.close()

    simulate(scenario, conditions=QUICK)


def test_requests_that_a_full_disk_refuses_are_told_once() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, HIGHER, LOWER)
        contact = await Puppet(network, LOWER).start()
        events = node.events()
        network.host(HIGHER).disk.failure = FULL
        for number in range(10):
            assert not isinstance(await contact.ping(HIGHER, f"p{number}"), Pong)
        await asyncio.sleep(limits.DISK_WARNING_SECONDS)
        assert not isinstance(await contact.ping(HIGHER, "later"), Pong)
        network.host(HIGHER).disk.failure = None
        assert await contact.ping(HIGHER, "works") == Pong("works")
        await node.close()
        warnings = [event.text async for event in events if isinstance(event, NodeWarning)]
        assert len(warnings) == 2, "once, and again when it lasts"
        assert "The disk is full" in warnings[0]

    simulate(scenario, conditions=QUICK)


def test_messages_that_a_full_disk_holds_back_are_told_once_and_a_full_quota_is_no_disk() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        events = higher.events()
        network.host(HIGHER).disk.failure = FULL
        for number in range(5):
            await network.host(LOWER).run(lower.peers()[0].send(str(number)))
            await asyncio.sleep(7)
        network.host(HIGHER).disk.failure = None
        await until(lambda: lower.peers()[0].queued == 0)
        network.host(HIGHER).disk.failure = StateError("Too many wait.", path="", code="outbox-full")
        await asyncio.sleep(limits.DISK_WARNING_SECONDS)
        with pytest.raises(StateError):
            await network.host(HIGHER).run(higher.peers()[0].send("refused"))
        for node in (lower, higher):
            await node.close()
        warnings = [event.text async for event in events if isinstance(event, NodeWarning)]
        assert len(warnings) == 1

    simulate(scenario, conditions=QUICK)
