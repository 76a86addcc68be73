"""One attempt: over which stream it goes, and how it is withdrawn."""

from __future__ import annotations

import asyncio

import pytest
from tests.node.harness import ANNOUNCEMENT, HIGHER, LOWER, QUICK, Puppet, linked, start, until

from p4.core import limits
from p4.core.dial import Phase
from p4.core.signaling import Answer, Busy, Cancel, Offer
from p4.node.events import LinkDown
from p4.ports import ChannelOpened, SignalStream
from p4.testing import SimulatedNetwork, simulate


def test_a_dropped_link_is_offered_anew_over_the_warm_stream() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        await asyncio.sleep(10)
        before = len(network.trace)

        async def drop() -> None:
            assert lower.peers()[0].drop()

        await network.host(LOWER).run(drop())
        took = await until(lambda: lower.peers()[0].connected and higher.peers()[0].connected)
        assert took < 1.0
        assert not [line for line in network.trace[before:] if " dials " in line]
        for node in (lower, higher):
            await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_warm_stream_that_swallows_the_offer_is_left_for_a_new_one() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        await asyncio.sleep(10)
        for stream in network.streams():
            if stream._lane is not None:
                stream._lane.stop()  # a circuit that is dead without a word
        network.break_links()
        took = await until(lambda: lower.peers()[0].connected and higher.peers()[0].connected)
        assert took < limits.WARM_REPLY_SECONDS + 3
        for node in (lower, higher):
            await node.close()

    simulate(scenario, conditions=QUICK)


@pytest.mark.parametrize("reply", [b"busy", b"nonsense", b"silence", b"bad sdp", b"end"])
def test_whatever_the_contact_replies_the_next_attempt_comes(reply: bytes) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, LOWER, HIGHER)
        contact = await Puppet(network, HIGHER).start()
        for _ in range(3):
            far = await asyncio.wait_for(contact.inbound.get(), 90)
            offer = await contact.reply(far)
            assert isinstance(offer, Offer)
            if reply == b"busy":
                await far.send_line(contact.seal(LOWER, Busy(offer.session_id)))
            elif reply == b"nonsense":
                await far.send_line(b"nonsense")
            elif reply == b"bad sdp":
                await far.send_line(contact.seal(LOWER, Answer(offer.session_id, "v=0", ANNOUNCEMENT)))
            elif reply == b"end":
                far.close()
        assert len(node.peers()[0]._connection._attempts._sessions) <= 1
        assert len(node.peers()[0]._connection._attempts._tasks) <= 1
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_the_higher_id_takes_its_offer_back_and_answers_the_lower() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, HIGHER, LOWER)
        contact = await Puppet(network, LOWER).start()
        # Known as version 2, so that the node dials although it has the higher id.
        node.peers()[0]._connection._machine.protocol = 2
        network.host(HIGHER).spawn(wake(node))
        far = await asyncio.wait_for(contact.inbound.get(), 90)
        assert isinstance(await contact.reply(far), Offer)
        stream = await contact.dial(HIGHER)
        await stream.send_line(contact.seal(HIGHER, await contact.offer()))
        answer = await contact.reply(stream)
        assert isinstance(answer, Answer)
        assert await far.receive_line() is None, "the end of its stream takes the offer back"
        await contact.link.accept_answer(answer.sdp)
        await until(lambda: ChannelOpened("chat") in contact.link_events)
        await node.close()

    simulate(scenario, conditions=QUICK)


async def wake(node: object) -> None:
    node.peers()[0].wake()  # type: ignore[attr-defined]


def test_an_offer_on_a_warm_stream_is_taken_back_with_a_cancel() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, LOWER, HIGHER)
        contact = await Puppet(network, HIGHER).start()
        far = await asyncio.wait_for(contact.inbound.get(), 90)
        first = await contact.reply(far)
        assert isinstance(first, Offer)
        peer = node.peers()[0]
        answer = await contact.link.answer(first.sdp)
        await far.send_line(contact.seal(LOWER, Answer(first.session_id, answer, ANNOUNCEMENT)))
        await until(lambda: peer._connection._machine.phase is Phase.OPENING)
        generation = peer._connection._machine.attempt
        assert generation is not None
        peer._connection._attempts._sessions[generation]._link.fail("never opened")  # type: ignore[attr-defined]
        second = await asyncio.wait_for(contact.reply(far), 30)
        assert isinstance(second, Offer), "over the same stream, which is warm now"
        # The contact is version 1 now: it offers itself and cannot answer ours.
        stream = await contact.dial(LOWER)
        old = Puppet(network, HIGHER)
        old._nonces = 1000
        await stream.send_line(old.seal(LOWER, await old.offer(announcement=None)))
        assert await asyncio.wait_for(contact.reply(far), 5) == Cancel(second.session_id)
        assert isinstance(await contact.reply(stream), Answer)
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_both_dropping_at_once_end_with_one_link() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        for _ in range(10):
            await asyncio.sleep(7)
            for name, node in ((LOWER, lower), (HIGHER, higher)):
                network.host(name).spawn(drop(node))
            await asyncio.sleep(0.001)
            took = await until(lambda: lower.peers()[0].connected and higher.peers()[0].connected)
            assert took < 2.0
        events = lower.events()
        await asyncio.sleep(30)
        await events.aclose()
        assert [event async for event in events if isinstance(event, LinkDown)] == []
        assert len(network.links()) == 2
        for node in (lower, higher):
            await node.close()

    simulate(scenario, conditions=QUICK)


async def drop(node: object) -> None:
    node.peers()[0].drop()  # type: ignore[attr-defined]


def test_an_offer_goes_over_several_streams_but_an_sdp_into_one_offer() -> None:
    """Two answers to one SDP: the handshake of the one that is given up spoils the other's."""

    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, LOWER, HIGHER)
        contact = await Puppet(network, HIGHER).start()
        far = await asyncio.wait_for(contact.inbound.get(), 90)
        first = await contact.reply(far)
        assert isinstance(first, Offer)
        answer = await contact.link.answer(first.sdp)
        await far.send_line(contact.seal(LOWER, Answer(first.session_id, answer, ANNOUNCEMENT)))
        await until(lambda: node.peers()[0]._connection._streams.warm is not None)
        await until(lambda: ChannelOpened("chat") in contact.link_events)
        contact.link.close()
        second = await next_offer(contact, far)  # on the warm stream, which then swallows it
        assert (second.sdp, second.session_id) != (first.sdp, first.session_id)
        copy = await next_offer(contact, await asyncio.wait_for(contact.inbound.get(), 90))
        assert copy == second, "over a new stream soon after"
        await node.close()

    simulate(scenario, conditions=QUICK)


async def next_offer(contact: Puppet, stream: SignalStream) -> Offer:
    while True:
        message = await asyncio.wait_for(contact.reply(stream), 90)
        assert message is not None
        if isinstance(message, Offer):
            return message
