"""One stream with one contact, and what a hostile or dying far end can do to it."""

from __future__ import annotations

import asyncio

import pytest
from tests.node.harness import ANNOUNCEMENT, QUICK, Puppet, start, until

from p4.core import limits
from p4.core.signaling import FAILURE_LINE, Answer, Cancel, Ping, Pong
from p4.errors import RendezvousError, SignalingError
from p4.node.conversation import Conversation
from p4.node.signaling_streams import SignalingStreams
from p4.ports import SignalStream
from p4.testing import SimulatedNetwork, simulate


async def dialled(network: SimulatedNetwork) -> tuple[SignalingStreams, Conversation, Puppet, SignalStream]:
    """A stream that alice's node opened to bob, whose end the test plays."""
    bob = await Puppet(network, "bob").start()
    node = await start(network, "alice", "bob")
    streams = node.peers()[0]._connection._streams
    conversation = await network.host("alice").run(streams.open(fresh=False))
    far = await bob.inbound.get()
    while not bob.inbound.empty():
        far = bob.inbound.get_nowait()
    return streams, conversation, bob, far


def test_a_stream_that_is_closed_in_the_moment_it_was_made_is_forgotten() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        streams, _, bob, _ = await dialled(network)
        known = list(streams._conversations)
        stream = await network.host("alice").run(bob_address_stream(network))

        async def make_and_close() -> None:
            streams._add(stream, dialled=True).close()

        await network.host("alice").run(make_and_close())
        await asyncio.sleep(1)
        assert streams._conversations == known
        assert bob

    simulate(scenario, conditions=QUICK)


async def bob_address_stream(network: SimulatedNetwork) -> SignalStream:
    carol = await Puppet(network, "carol").start()
    return await carol.dial("bob")


def test_a_reply_counts_only_for_the_request_that_is_open() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        _, conversation, bob, far = await dialled(network)
        asked = asyncio.create_task(conversation.request(Ping("q1"), 5.0, sealed=False))
        await far.receive_line()
        await far.send_line(bob.seal("alice", Pong("q0")))
        await far.send_line(bob.seal("alice", Answer("q2", "v=0", ANNOUNCEMENT)))
        await asyncio.sleep(0.1)
        assert not asked.done()
        await far.send_line(bob.seal("alice", Pong("q1")))
        assert await asked == Pong("q1")

    simulate(scenario, conditions=QUICK)


def test_a_reply_that_someone_else_signed_ends_the_stream() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        _, conversation, _, far = await dialled(network)
        mallory = Puppet(network, "mallory")
        asked = asyncio.create_task(conversation.request(Ping("q1"), 5.0, sealed=False))
        await far.receive_line()
        await far.send_line(mallory.seal("alice", Pong("q1")))
        with pytest.raises(RendezvousError):
            await asked
        assert conversation.ended

    simulate(scenario, conditions=QUICK)


def test_a_failure_line_ends_the_request_and_the_stream() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        streams, conversation, _, far = await dialled(network)
        asked = asyncio.create_task(conversation.request(Ping("q1"), 5.0, sealed=False))
        await far.receive_line()
        await far.send_line(FAILURE_LINE)
        with pytest.raises(SignalingError) as caught:
            await asked
        assert caught.value.code == "refused"
        assert conversation.ended
        assert conversation not in streams._conversations

    simulate(scenario, conditions=QUICK)


def test_silence_is_an_error_after_the_time_given() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        _, conversation, _, _ = await dialled(network)
        with pytest.raises(RendezvousError) as caught:
            await conversation.request(Ping("q1"), 5.0, sealed=False)
        assert caught.value.code == "no-reply"
        assert not conversation._waiting

    simulate(scenario, conditions=QUICK)


def test_a_contact_that_asks_and_never_reads_piles_nothing_up() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, "alice", "bob")
        bob = await Puppet(network, "bob").start()
        stream = await bob.dial("alice")
        peer = node.peers()[0]
        await stream.send_line(bob.seal("alice", Ping("p")))
        await until(lambda: any(not c.dialled for c in peer._connection._streams._conversations))
        inbound = next(c for c in peer._connection._streams._conversations if not c.dialled)
        most = 0
        for number in range(2000):
            await stream.send_line(bob.seal("alice", Ping(f"p{number}")))
            await asyncio.sleep(0.5)
            most = max(most, len(peer._connection._background._tasks))
            if inbound.ended:
                break
        assert most <= limits.BUCKET_CAPACITY + limits.BUCKET_PER_SECOND * limits.WARM_REPLY_SECONDS
        assert inbound.ended
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_first_line_that_needs_no_reply_leaves_a_stream_that_ends_by_itself() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, "alice", "bob")
        bob = await Puppet(network, "bob").start()
        stream = await bob.dial("alice")
        await stream.send_line(bob.seal("alice", Cancel("never-offered")))
        began = asyncio.get_running_loop().time()
        assert await stream.receive_line() is None
        assert asyncio.get_running_loop().time() - began < limits.WARM_SILENCE_SECONDS + 1
        await node.close()

    simulate(scenario, conditions=QUICK)
