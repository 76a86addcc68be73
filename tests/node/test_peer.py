"""One contact: attempts that are cut off, links that break at the worst moment, offers that are hostile."""

from __future__ import annotations

import asyncio

import pytest
from tests.node.harness import ANNOUNCEMENT, HIGHER, LOWER, QUICK, Puppet, id_of, linked, start, until
from tests.sim.simulated_node import SimulatedNode, book_for, invite_of

from p4.core import limits
from p4.core.address import RendezvousAddress
from p4.core.dial import Phase
from p4.core.signaling import FAILURE_LINE, Answer, Cancel, Offer
from p4.errors import LinkError, LocalError
from p4.node.authentication import Authenticated
from p4.node.events import LinkDown, LinkUp, NodeWarning
from p4.ports import SignalStream
from p4.testing import SimulatedNetwork, simulate
from p4.testing.simulated_link import SimulatedLink


def test_an_attempt_that_something_below_cut_off_is_followed_by_another() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, LOWER, HIGHER)
        assert node._parts is not None
        rendezvous, dial, cut_off = node._parts.rendezvous[0], node._parts.rendezvous[0].dial, 0

        async def dies_below(
            address: RendezvousAddress, *, timeout: float, fresh: bool = False
        ) -> SignalStream:
            nonlocal cut_off
            cut_off += 1
            if cut_off <= 3:
                raise asyncio.CancelledError
            return await dial(address, timeout=timeout, fresh=fresh)

        rendezvous.dial = dies_below  # type: ignore[method-assign]
        other = await start(network, HIGHER)
        await network.host(HIGHER).run(add(other, network, LOWER))
        await until(lambda: cut_off >= 3 and node.peers()[0].connected, seconds=60)
        for one in (node, other):
            await one.close()

    simulate(scenario, conditions=QUICK)


async def add(node: SimulatedNode, network: SimulatedNetwork, name: str) -> None:
    node.add_contact(invite_of(network, name), name)


def test_a_link_that_breaks_while_it_is_adopted_is_followed_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await asyncio.gather(start(network, LOWER, HIGHER), start(network, HIGHER, LOWER))
        await until(lambda: broken == 4 and all(n.peers()[0].connected for n in (lower, higher)), seconds=120)
        await lower.peers()[0].send("through")
        await until(lambda: lower.peers()[0].queued == 0)
        assert [len(node.peers()[0]._connection._attempts._sessions) for node in (lower, higher)] == [1, 1]
        for node in (lower, higher):
            await node.close()

    send, broken = SimulatedLink.send, 0

    def breaks(self: SimulatedLink, label: str, data: str | bytes) -> None:
        nonlocal broken
        if label == "p4" and broken < 4:
            broken += 1
            raise LinkError("The channel is gone in this moment.", code="not-open")
        send(self, label, data)

    monkeypatch.setattr(SimulatedLink, "send", breaks)
    simulate(scenario, conditions=QUICK)


def test_an_offer_whose_answer_was_given_up_before_it_began_gets_a_reply() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, "alice", "bob")
        bob = await Puppet(network, "bob").start()
        peer = node.peers()[0]
        offer, streams = await bob.offer(), []
        for number in (1, 2):
            streams.append(await bob.dial("alice"))
            await streams[-1].send_line(bob.seal("alice", Cancel(f"never-offered-{number}")))
        await until(lambda: len([c for c in peer._connection._streams._conversations if not c.dialled]) == 2)

        async def in_one_turn() -> None:
            conversations = [c for c in peer._connection._streams._conversations if not c.dialled]
            for number, conversation in enumerate(conversations):
                line = bob.seal("alice", Offer(f"o{number}", offer.sdp, ANNOUNCEMENT))
                request = peer._context.authenticator.open(line)
                assert isinstance(request, Authenticated)
                peer._connection._request(conversation, request)

        await network.host("alice").run(in_one_turn())
        replies = [type(await asyncio.wait_for(bob.reply(stream), 2)) for stream in streams]
        assert sorted(reply.__name__ for reply in replies) == ["Answer", "Busy"]
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_malformed_offer_of_a_contact_touches_nothing() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        generation = higher.peers()[0]._connection._machine.live
        bob = Puppet(network, LOWER)  # signs as the contact, from the same host, on streams of its own
        bob.rendezvous = network.host(LOWER).rendezvous()
        good = await bob.offer()
        for sdp in ("v=0\r\n", good.sdp.replace("m=", "x="), good.sdp + "a=ice-ufrag:twoo\r\n", "x" * 40_000):
            assert lower._parts is not None
            stream = await lower._parts.rendezvous[0].dial(network.host(HIGHER).address(), timeout=5)
            await stream.send_line(bob.seal(HIGHER, Offer("o1", sdp, ANNOUNCEMENT)))
            assert await bob.reply(stream) == FAILURE_LINE
        assert higher.peers()[0]._connection._machine.live == generation
        assert higher.peers()[0]._connection._machine.phase is None
        for node in (lower, higher):
            await node.close()

    simulate(scenario, conditions=QUICK)


def test_an_offer_that_leads_nowhere_costs_the_live_link_nothing() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        events = higher.events()
        bob = Puppet(network, LOWER)
        assert lower._parts is not None
        stream = await lower._parts.rendezvous[0].dial(network.host(HIGHER).address(), timeout=5)
        await stream.send_line(bob.seal(HIGHER, await bob.offer()))
        assert isinstance(await bob.reply(stream), Answer)
        await asyncio.sleep(2 * limits.LINK_OPEN_SECONDS)
        assert higher.peers()[0].connected
        assert higher.peers()[0]._connection._machine.phase is None
        assert len(higher.peers()[0]._connection._attempts._sessions) == 1
        await events.aclose()
        assert [event async for event in events if isinstance(event, LinkUp | LinkDown)] == []
        for node in (lower, higher):
            await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_link_library_that_gives_up_ends_the_attempt_and_withdraws_the_offer() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, LOWER, HIGHER)
        other = await Puppet(network, HIGHER).start()
        peer = node.peers()[0]
        far = await other.inbound.get()
        assert isinstance(await other.reply(far), Offer)
        await until(lambda: peer._connection._machine.phase is Phase.OFFERED)
        generation = peer._connection._machine.attempt
        assert generation is not None
        session = peer._connection._attempts._sessions[generation]
        session._link.fail("the library gave up")  # type: ignore[attr-defined]
        await until(lambda: peer._connection._machine.attempt != generation)
        await asyncio.sleep(0.1)
        assert generation not in peer._connection._attempts._tasks
        assert await far.receive_line() is None, "the stream's end withdraws the offer"
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_fall_of_the_protocol_is_told_once() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        await lower.close()
        host = network.host(LOWER)
        host.crash()
        events = higher.events()
        old = await Puppet(network, LOWER).start()
        for number in range(6):
            stream = await old.dial(HIGHER)
            offer = await old.offer(announcement=None, sid=f"v1-{number}")
            await stream.send_line(old.seal(HIGHER, offer))
            assert isinstance(await old.reply(stream), Answer)
            assert await stream.receive_line() is None, "version 1: one reply, then the end"
        await events.aclose()
        warnings = [event async for event in events if isinstance(event, NodeWarning)]
        assert len(warnings) == 1
        assert "spoke protocol 2" in warnings[0].text
        await higher.close()

    simulate(scenario, conditions=QUICK)


def test_a_removed_contact_accepts_no_message_and_leaves_nothing_running() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        peer = lower.peers()[0]
        await network.host(LOWER).run(lower.remove_contact(HIGHER))
        with pytest.raises(LocalError) as caught:
            await peer.send("too late")
        assert caught.value.code == "closed"
        assert not peer._connection._attempts._sessions
        assert not peer._connection._attempts._tasks
        assert not peer._connection._streams._conversations
        assert network.host(LOWER).disk.peers == {}
        for node in (lower, higher):
            await node.close()

    simulate(scenario, conditions=QUICK)


def test_removing_a_contact_in_the_middle_of_an_attempt_ends_it() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, LOWER, HIGHER)
        other = await Puppet(network, HIGHER).start()
        far = await other.inbound.get()
        peer = node.peers()[0]
        await network.host(LOWER).run(node.remove_contact(HIGHER))
        assert not peer._connection._attempts._tasks
        while await far.receive_line() is not None:
            pass
        await asyncio.sleep(120)
        assert other.inbound.empty()
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_known_contacts_new_address_is_dialled() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, LOWER, HIGHER)
        await asyncio.sleep(10)  # nobody is there; retries have become rare
        other = await Puppet(network, HIGHER).start()
        moved = await Puppet(network, "moved").start()
        while not other.inbound.empty():
            other.inbound.get_nowait()
        invite = invite_of(network, HIGHER)
        moved_invite = type(invite)(invite.public_key, invite_of(network, "moved").rendezvous)

        async def move() -> None:
            node.rename_contact(HIGHER, "renamed")
            node.add_contact(moved_invite)

        await network.host(LOWER).run(move())
        far = await asyncio.wait_for(moved.inbound.get(), 30)
        assert isinstance(await other.reply(far), Offer)
        assert node.peers()[0].contact.rendezvous == moved_invite.rendezvous
        assert node.peer("renamed").peer_id == id_of(HIGHER)
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_rendezvous_that_was_down_brings_the_contact_back_at_once() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        assert lower._parts is not None
        rendezvous = lower._parts.rendezvous[0]
        rendezvous.fail()  # type: ignore[attr-defined]
        assert network.break_links() == 2
        await asyncio.sleep(90)
        assert not lower.peers()[0].connected
        rendezvous.recover()  # type: ignore[attr-defined]
        took = await until(lambda: lower.peers()[0].connected)
        assert took < 2.0, "not the 30 s that retries have come to"
        for node in (lower, higher):
            await node.close()

    simulate(scenario, conditions=QUICK)


def test_an_offer_over_two_streams_is_void_when_both_have_ended_and_not_before() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, HIGHER, LOWER)
        bob = await Puppet(network, LOWER).start()
        old, new = await bob.dial(HIGHER), await bob.dial(HIGHER)
        offer = await bob.offer()
        line = bob.seal(HIGHER, offer)
        for stream in (old, new):
            await stream.send_line(line)
        answer = await bob.reply(new)
        assert await bob.reply(old) == answer
        assert isinstance(answer, Answer)
        machine = node.peers()[0]._connection._machine
        old.close()
        await asyncio.sleep(limits.WITHDRAWN_SECONDS + 1)
        assert machine.phase is Phase.JOINING
        new.close()
        await until(lambda: machine.phase is not Phase.JOINING)
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_cancel_on_any_of_its_streams_withdraws_an_offer() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, HIGHER, LOWER)
        bob = await Puppet(network, LOWER).start()
        first, second = await bob.dial(HIGHER), await bob.dial(HIGHER)
        offer = await bob.offer()
        line = bob.seal(HIGHER, offer)
        for stream in (first, second):
            await stream.send_line(line)
            assert isinstance(await bob.reply(stream), Answer)
        await second.send_line(bob.seal(HIGHER, Cancel(offer.session_id)))
        machine = node.peers()[0]._connection._machine
        await until(lambda: machine.phase is not Phase.JOINING)
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_an_offer_is_answered_on_few_streams_and_a_later_copy_is_a_replay() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, HIGHER, LOWER)
        bob = await Puppet(network, LOWER).start()
        line = bob.seal(HIGHER, await bob.offer())
        for _ in range(1 + limits.OFFER_COPIES):
            stream = await bob.dial(HIGHER)
            await stream.send_line(line)
            assert isinstance(await bob.reply(stream), Answer)
        stream = await bob.dial(HIGHER)
        await stream.send_line(line)
        assert await stream.receive_line() == FAILURE_LINE
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_an_old_offer_is_a_replay_and_no_copy() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, HIGHER, LOWER)
        bob = await Puppet(network, LOWER).start()
        line = bob.seal(HIGHER, await bob.offer())
        stream = await bob.dial(HIGHER)
        await stream.send_line(line)
        assert isinstance(await bob.reply(stream), Answer)
        await asyncio.sleep(limits.COPY_SECONDS)
        stream = await bob.dial(HIGHER)
        await stream.send_line(line)
        assert await stream.receive_line() == FAILURE_LINE
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_cancel_withdraws_the_offer_it_names_and_no_other() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, HIGHER, LOWER)
        bob = await Puppet(network, LOWER).start()
        stream = await bob.dial(HIGHER)
        await stream.send_line(bob.seal(HIGHER, await bob.offer(sid="o1")))
        assert isinstance(await bob.reply(stream), Answer)
        peer = node.peers()[0]
        await stream.send_line(bob.seal(HIGHER, Cancel("o2")))
        await asyncio.sleep(limits.WITHDRAWN_SECONDS + 1)
        assert peer._connection._machine.phase is Phase.JOINING
        await stream.send_line(bob.seal(HIGHER, Cancel("o1")))
        await asyncio.sleep(limits.WITHDRAWN_SECONDS + 1)
        assert str(peer.state) != str(Phase.JOINING)
        assert not peer._connection._offers._offers
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_waiting_for_a_link_ends_with_the_node() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = SimulatedNode(network.host("alice"), book_for(network, "alice", ["bob"]))
        await network.host("alice").run(node.start())
        waiting = asyncio.ensure_future(node.peers()[0].wait_connected())
        await asyncio.sleep(1)
        await node.close()
        with pytest.raises(LocalError, match="not running"):
            await waiting

    simulate(scenario)


def test_a_link_that_replaces_one_that_was_never_missed_is_told() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        async def started(name: str, other: str) -> SimulatedNode:
            node = SimulatedNode(network.host(name), book_for(network, name, [other]))
            await network.host(name).run(node.start())
            return node

        alice, _ = await asyncio.gather(started("alice", "bob"), started("bob", "alice"))
        events = alice.events()
        await alice.peers()[0].wait_connected()
        network.host("bob").lose_power()  # no stream ends, no link closes: only silence
        await started("bob", "alice")
        seen: list[object] = []
        async with asyncio.timeout(20):
            while len([event for event in seen if isinstance(event, LinkUp)]) < 2:
                seen.append(await anext(events))
        assert not [event for event in seen if isinstance(event, LinkDown)]
        await alice.close()

    simulate(scenario)
