"""What goes to a contact in clear, what only it can read, and who can change that."""

from __future__ import annotations

import asyncio

import pytest
from tests.node.harness import ANNOUNCEMENT, HIGHER, LOWER, QUICK, Puppet, start, until
from tests.sim.simulated_node import SimulatedNode, identity_of

from p4.core import envelope, limits
from p4.core.sealing import seal_payload
from p4.core.signaling import FAILURE_LINE, Answer, Busy, Offer, Ping, Pong
from p4.node.events import NodeWarning
from p4.ports import SignalStream
from p4.testing import SimulatedNetwork, simulate


async def next_offer(contact: Puppet) -> tuple[SignalStream, Offer]:
    stream = await asyncio.wait_for(contact.inbound.get(), 90)
    offer = await contact.reply(stream)
    assert isinstance(offer, Offer)
    return stream, offer


async def knows_version_2(node: SimulatedNode) -> None:
    """As if the contact had announced version 2 in an earlier run."""
    node.peers()[0]._connection._history._speaks = 2
    node.peers()[0]._connection._machine.protocol = 2
    node.peers()[0].wake()


def test_what_follows_the_first_announcement_is_sealed() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, LOWER, HIGHER)
        contact = await Puppet(network, HIGHER).start()
        stream, offer = await next_offer(contact)
        answer = await contact.link.answer(offer.sdp)
        await stream.send_line(contact.seal(LOWER, Answer(offer.session_id, answer, ANNOUNCEMENT)))
        await until(lambda: node.peers()[0]._connection._streams.warm is not None)
        contact.link.close()
        assert isinstance(await asyncio.wait_for(contact.reply(stream), 90), Offer)
        assert contact.sealed == [False, True]
        await node.close()

    simulate(scenario, conditions=QUICK)


@pytest.mark.parametrize("sealed", [False, True])
def test_an_announced_offer_is_answered_sealed(sealed: bool) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, HIGHER, LOWER)
        contact = await Puppet(network, LOWER).start()
        stream = await contact.dial(HIGHER)
        await stream.send_line(contact.seal(HIGHER, await contact.offer(), sealed=sealed))
        assert isinstance(await contact.reply(stream), Answer)
        assert contact.sealed == [True]
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_towards_version_1_everything_is_in_clear() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, HIGHER, LOWER)
        contact = await Puppet(network, LOWER).start()
        stream = await contact.dial(HIGHER)
        await stream.send_line(contact.seal(HIGHER, await contact.offer(announcement=None)))
        answer = await contact.reply(stream)
        assert isinstance(answer, Answer)
        assert answer.p4 is None
        assert isinstance(await contact.ping(HIGHER), Pong)
        _, offer = await next_offer(contact)
        assert offer.p4 is not None
        assert contact.sealed == [False, False, False]
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_sealed_ping_gets_a_sealed_pong() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, HIGHER, LOWER)
        contact = await Puppet(network, LOWER).start()
        stream = await contact.dial(HIGHER)
        await stream.send_line(contact.seal(HIGHER, Ping("p"), sealed=True))
        pong = await contact.reply(stream)
        assert isinstance(pong, Pong)
        assert pong.session_id == "p"
        assert contact.sealed == [True]
        await node.close()

    simulate(scenario, conditions=QUICK)


@pytest.mark.parametrize("known", [False, True])
def test_an_answer_that_others_could_read_is_refused(known: bool) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, LOWER, HIGHER)
        if known:
            await network.host(LOWER).run(knows_version_2(node))
        contact = await Puppet(network, HIGHER).start()
        stream, offer = await next_offer(contact)
        answer = Answer(offer.session_id, await contact.link.answer(offer.sdp), ANNOUNCEMENT)
        if known:  # who read a sealed offer is not version 1
            answer = Answer(offer.session_id, answer.sdp, None)
        await stream.send_line(contact.seal(LOWER, answer, sealed=False))
        await until(lambda: "not sealed" in node.peers()[0].last_failure)
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_busy_that_others_could_read_is_refused() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, LOWER, HIGHER)
        contact = await Puppet(network, HIGHER).start()
        stream, offer = await next_offer(contact)
        await stream.send_line(contact.seal(LOWER, Busy(offer.session_id), sealed=False))
        await until(lambda: "not sealed" in node.peers()[0].last_failure)
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_one_offer_in_four_goes_in_clear_to_a_contact_that_refuses_sealed_ones() -> None:
    """Its software may have become version 1 again; or somebody refuses in its place, who learns little."""

    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, LOWER, HIGHER)
        events = node.events()
        await network.host(LOWER).run(knows_version_2(node))
        contact = await Puppet(network, HIGHER).start()
        for _ in range(8):
            stream, _ = await next_offer(contact)
            await stream.send_line(FAILURE_LINE)
        assert contact.sealed == ([True] * limits.SEALED_REFUSALS + [False]) * 2
        await node.close()
        warnings = [event.text async for event in events if isinstance(event, NodeWarning)]
        assert len(warnings) == 1
        assert "refuses what only it can read" in warnings[0]

    simulate(scenario, conditions=QUICK)


def test_a_contact_that_became_version_1_again_is_reached_in_clear_and_reported_once() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, LOWER, HIGHER)
        events = node.events()
        peer = node.peers()[0]
        peer._connection._history._record = type(peer._connection._history._record)(protocol=2)
        await network.host(LOWER).run(knows_version_2(node))
        contact = await Puppet(network, HIGHER).start()
        for _ in range(limits.SEALED_REFUSALS):
            stream, _ = await next_offer(contact)
            await stream.send_line(FAILURE_LINE)
        stream, offer = await next_offer(contact)
        answer = Answer(offer.session_id, await contact.link.answer(offer.sdp), None)
        await stream.send_line(contact.seal(LOWER, answer))
        await until(lambda: not peer._connection._history.sealed)
        contact.link.close()
        await next_offer(contact)
        assert contact.sealed == [True] * limits.SEALED_REFUSALS + [False, False]
        await node.close()
        warnings = [event.text async for event in events if isinstance(event, NodeWarning)]
        assert ["spoke protocol 2 before" in text for text in warnings] == [False, True]

    simulate(scenario, conditions=QUICK)


def test_a_ping_in_clear_from_a_version_2_contact_is_taken_and_reported() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, HIGHER, LOWER)
        events = node.events()
        peer = node.peers()[0]
        peer._connection._history._record = type(peer._connection._history._record)(protocol=2)
        contact = await Puppet(network, LOWER).start()
        assert isinstance(await contact.ping(HIGHER), Pong)
        await node.close()
        assert len([event async for event in events if isinstance(event, NodeWarning)]) == 1

    simulate(scenario, conditions=QUICK)


def test_what_cannot_be_opened_looks_like_any_other_failure() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, HIGHER, LOWER)
        contact = await Puppet(network, LOWER).start()
        us, ping = contact.identity.public_key, Ping("p").to_payload()
        them, other = identity_of(HIGHER).public_key, identity_of("carol").public_key
        good = seal_payload(ping, sender_key=us, recipient_key=them)
        version_1 = (await contact.offer(announcement=None)).to_payload()
        for payload in (
            seal_payload(ping, sender_key=us, recipient_key=other),
            seal_payload(ping, sender_key=other, recipient_key=them),
            seal_payload(good, sender_key=us, recipient_key=them),
            seal_payload(version_1, sender_key=us, recipient_key=them),
            seal_payload({"type": "later"}, sender_key=us, recipient_key=them),
            {"type": "sealed"},
            {"type": "sealed", "hpke": "AAAA"},
        ):
            stream = await contact.dial(HIGHER)
            contact._nonces += 1
            line = envelope.seal(
                contact.identity,
                identity_of(HIGHER).peer_id,
                payload,
                timestamp_ms=contact.host.clock.wall_ms(),
                nonce=contact._nonces.to_bytes(16, "big"),
            )
            await stream.send_line(line)
            assert await contact.reply(stream) == FAILURE_LINE
            assert await stream.receive_line() is None
        await node.close()

    simulate(scenario, conditions=QUICK)
