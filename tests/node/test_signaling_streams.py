"""Warm streams: who keeps them, who closes them, and what their end is taken for."""

from __future__ import annotations

import asyncio

from tests.node.harness import HIGHER, LOWER, QUICK, Puppet, linked, start, until

from p4.core import limits
from p4.core.signaling import Ping, Pong
from p4.node.events import LinkDown
from p4.testing import Conditions, SimulatedNetwork, simulate


def test_one_warm_stream_serves_both() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        await asyncio.sleep(400)  # several rounds of pings
        assert len(network.streams()) == 2, "two ends of one stream"
        for node in (lower, higher):
            assert node.peers()[0]._connection._streams.warm is not None
        for node in (lower, higher):
            await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_warm_stream_that_breaks_is_replaced_and_a_link_that_answers_stays() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        events = lower.events()
        for _ in range(5):
            assert network.break_streams()
            await until(lambda: lower.peers()[0]._connection._streams.warm is not None, seconds=30)
            await until(lambda: higher.peers()[0]._connection._streams.warm is not None, seconds=30)
        await events.aclose()
        assert [event async for event in events if isinstance(event, LinkDown)] == []
        for node in (lower, higher):
            await node.close()

    simulate(scenario, conditions=QUICK)


def test_the_end_of_a_warm_stream_makes_a_dead_link_known_within_a_second() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, _ = await linked(network)
        await asyncio.sleep(5)
        network.host(HIGHER).crash()
        took = await until(lambda: not lower.peers()[0].connected)
        assert took <= limits.PROBE_SECONDS + 0.2
        await lower.close()

    simulate(scenario, conditions=QUICK)


def test_the_fifth_stream_of_a_contact_ends_its_first() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, "alice", "bob")
        bob = await Puppet(network, "bob").start()
        streams = []
        for number in range(limits.CONTACT_STREAMS + 1):
            streams.append(await bob.dial("alice"))
            await streams[-1].send_line(bob.seal("alice", Ping(f"p{number}")))
            await asyncio.sleep(0.2)
            inbound = [c for c in node.peers()[0]._connection._streams._conversations if not c.dialled]
            assert len(inbound) <= limits.CONTACT_STREAMS
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_stream_whose_first_ping_was_cut_off_is_closed() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, "alice", "bob")
        bob = await Puppet(network, "bob").start()
        streams = node.peers()[0]._connection._streams
        host = network.host("alice")
        await host.run(asyncio.sleep(0.5))  # past the first attempt of its own
        while not bob.inbound.empty():
            bob.inbound.get_nowait()

        async def keep() -> None:
            streams.keep_warm(0.0)

        await host.run(keep())
        far = await bob.inbound.get()
        assert isinstance(await bob.reply(far), Ping)
        before = [c for c in streams._conversations if not c.ended]
        streams.rest()
        await asyncio.sleep(0.1)
        assert [c for c in streams._conversations if c in before and c._waiting == {} and not c.warm] == []
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_link_that_is_back_at_once_gets_its_warm_stream() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, "alice", "bob")
        bob = await Puppet(network, "bob").start()
        streams = node.peers()[0]._connection._streams

        async def down_and_up() -> None:
            streams.keep_warm(1.0)
            streams.rest()
            streams.keep_warm(1.0)

        await network.host("alice").run(down_and_up())
        while True:
            far = await bob.inbound.get()
            request = await bob.reply(far)
            if isinstance(request, Ping):
                break
        await far.send_line(bob.seal("alice", Pong(request.session_id)))
        await until(lambda: streams.warm is not None)
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_two_streams_opened_by_both_sides_at_once_do_no_harm() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        events = higher.events()
        await asyncio.sleep(1)

        async def keep(node: object) -> None:
            streams = node.peers()[0]._connection._streams  # type: ignore[attr-defined]
            for conversation in list(streams._conversations):
                conversation.close()
            streams.rest()
            streams.keep_warm(0.2)

        await asyncio.gather(network.host(LOWER).run(keep(lower)), network.host(HIGHER).run(keep(higher)))
        await asyncio.sleep(120)
        assert lower.peers()[0].connected
        assert higher.peers()[0].connected
        assert len(network.streams()) <= 4
        await events.aclose()
        assert [event async for event in events if isinstance(event, LinkDown)] == []
        for node in (lower, higher):
            await node.close()

    simulate(scenario, conditions=QUICK)


def test_where_streams_cannot_be_opened_the_link_stays_and_tries_become_rare() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        network.conditions = Conditions(dial_refused=1.0)
        network.break_streams()
        before = len(network.trace)
        await asyncio.sleep(1200)
        dials = [line for line in network.trace[before:] if " dials " in line]
        assert lower.peers()[0].connected
        assert 4 < len(dials) < 40
        for node in (lower, higher):
            await node.close()

    simulate(scenario, conditions=QUICK)
