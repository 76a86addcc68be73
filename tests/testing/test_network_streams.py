"""Rendezvous and streams of the simulated network: what they promise, and each fault."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from tests.testing.endpoints import Endpoint, on_network, pair

from p4.core import limits
from p4.core.address import Transport
from p4.errors import RendezvousError, SignalingError, StateError
from p4.ports import RendezvousPhase, SignalStream
from p4.testing.network import Conditions, SimulatedNetwork
from p4.testing.simulated_signaling import JOIN_SECONDS


def test_lines_go_both_ways_and_the_end_is_seen() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await pair(network)
        stream = await alice.dial(bob)
        for number in range(10):
            await stream.send_line(b"%d" % number)
        assert [await stream.receive_line() for _ in range(10)] == [b"echo %d" % n for n in range(10)]
        stream.close()
        stream.close()
        assert await stream.receive_line() is None
        with pytest.raises(RendezvousError) as broken:
            await stream.send_line(b"late")
        assert broken.value.code == "stream-broken"
        await asyncio.sleep(1)
        assert network.streams() == []

    on_network(scenario)()


def test_a_line_sent_before_close_arrives_before_the_end() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        async def reply_and_close(stream: SignalStream) -> None:
            await stream.send_line(b"reply")

        alice = await Endpoint(network, "alice").start()
        bob = await Endpoint(network, "bob").start(reply_and_close)
        await asyncio.sleep(1)
        stream = await alice.dial(bob)
        assert await stream.receive_line() == b"reply"
        assert await stream.receive_line() is None

    on_network(scenario)()


def test_statuses_lead_to_ready_and_only_then_others_reach_us() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice = await Endpoint(network, "alice").start()
        await asyncio.sleep(10)
        bob = await Endpoint(network, "bob").start()
        with pytest.raises(RendezvousError) as failure:
            await alice.dial(bob, timeout=2)
        assert failure.value.code == "unreachable"
        await asyncio.sleep(10)
        assert [status.phase for status in bob.statuses][-1] is RendezvousPhase.READY
        (await alice.dial(bob)).close()

    on_network(scenario, conditions=Conditions(publish=(8, 9), dead_dial_hangs=0.0))()


def test_a_line_over_the_limit_is_refused() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        received: list[int] = []

        async def accept(stream: SignalStream) -> None:
            received.append(len(await stream.receive_line() or b""))
            with pytest.raises(SignalingError) as refusal:
                await stream.receive_line()
            received.append(refusal.value.code == "line-too-long")

        alice = await Endpoint(network, "alice").start()
        bob = await Endpoint(network, "bob").start(accept)
        await asyncio.sleep(1)
        stream = await alice.dial(bob)
        await stream.send_line(b"x" * (limits.SIGNALING_LINE_BYTES - 1))
        await stream.send_line(b"x" * limits.SIGNALING_LINE_BYTES)
        await asyncio.sleep(1)
        assert received == [limits.SIGNALING_LINE_BYTES - 1, True]

    on_network(scenario)()


def test_a_reader_that_does_not_read_stops_the_writer() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        async def sleep(stream: SignalStream) -> None:
            await asyncio.sleep(1000)

        alice = await Endpoint(network, "alice").start()
        bob = await Endpoint(network, "bob").start(sleep)
        await asyncio.sleep(1)
        stream = await alice.dial(bob)

        async def write_for_ever() -> None:
            while True:
                await stream.send_line(b"x" * 10_000)

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(write_for_ever(), 60)
        assert asyncio.get_running_loop().time() > 1060

    on_network(scenario)()


def test_each_place_has_its_address_for_ever() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice = network.host("alice")
        before = alice.address()
        alice.crash()
        assert network.host("alice") is not alice
        assert network.host("alice").address() == before != network.host("bob").address()
        assert alice.address(Transport.DIRECT).transport is Transport.DIRECT

    on_network(scenario)()


def test_two_processes_cannot_have_one_address() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, _ = await pair(network)
        with pytest.raises(StateError):
            await alice.host.rendezvous().start(alice.echo, print)

    on_network(scenario)()


def test_closing_a_rendezvous_ends_its_streams_and_tasks() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await pair(network)
        stream = await alice.dial(bob)
        await stream.send_line(b"hi")
        await stream.receive_line()
        await bob.host.run(bob.rendezvous.close())
        assert await stream.receive_line() is None
        assert bob.rendezvous.status.phase is RendezvousPhase.STOPPED
        with pytest.raises(RendezvousError):
            await alice.dial(bob, timeout=5)

    on_network(scenario)()


def test_a_failed_rendezvous_recovers() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await pair(network)
        stream = await alice.dial(bob)
        bob.rendezvous.fail()
        with pytest.raises(RendezvousError):
            await stream.receive_line()
        with pytest.raises(RendezvousError):
            await alice.dial(bob, timeout=5)
        bob.rendezvous.recover()
        await asyncio.sleep(1)
        (await alice.dial(bob)).close()

    on_network(scenario)()


@pytest.mark.parametrize(
    ("conditions", "code"),
    [(Conditions(dial_refused=1.0), "refused"), (Conditions(dial_lost=1.0), "timeout")],
)
def test_dials_fail_as_told(conditions: Conditions, code: str) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await pair(network)
        with pytest.raises(RendezvousError) as failure:
            await alice.dial(bob, timeout=7)
        assert failure.value.code == code

    on_network(scenario, conditions=conditions)()


def test_a_stale_address_needs_a_fresh_attempt() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await pair(network)
        (await alice.dial(bob)).close()
        bob.host.crash()
        bob = await Endpoint(network, "bob").start()
        await asyncio.sleep(1)
        with pytest.raises(RendezvousError):
            await alice.dial(bob, timeout=JOIN_SECONDS)
        (await alice.dial(bob, fresh=True, timeout=JOIN_SECONDS)).close()
        bob.host.crash()
        bob = await Endpoint(network, "bob").start()
        await asyncio.sleep(1)
        (await alice.dial(bob, timeout=2 * JOIN_SECONDS)).close()

    on_network(scenario, conditions=Conditions(stale_addresses=True))()


def test_a_broken_stream_breaks_for_both() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await pair(network)
        stream = await alice.dial(bob)
        await asyncio.sleep(1)
        assert network.break_streams("bob") == 1
        with pytest.raises(RendezvousError) as failure:
            await stream.receive_line()
        assert failure.value.code == "stream-broken"

    async def accepting_side(network: SimulatedNetwork) -> None:
        reasons: list[str] = []

        async def accept(stream: SignalStream) -> None:
            try:
                await stream.receive_line()
            except RendezvousError as error:
                reasons.append(error.code)

        alice = await Endpoint(network, "alice").start()
        bob = await Endpoint(network, "bob").start(accept)
        await asyncio.sleep(1)
        await alice.dial(bob)
        await asyncio.sleep(1)
        network.break_streams("alice")
        await asyncio.sleep(1)
        assert reasons == ["stream-broken"]

    on_network(scenario)()
    on_network(accepting_side)()


def test_kill_ends_streams_and_power_loss_does_not() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await pair(network)
        stream = await alice.dial(bob)
        await asyncio.sleep(1)
        bob.host.crash()
        async with asyncio.timeout(1):
            with suppress(RendezvousError):  # a reset, which a killed process may cause as well
                assert await stream.receive_line() is None
        bob = await Endpoint(network, "bob").start()
        await asyncio.sleep(1)
        stream = await alice.dial(bob)
        await asyncio.sleep(1)
        bob.host.lose_power()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(500):
                await stream.receive_line()

    on_network(scenario)()


def test_a_partition_holds_lines_back_and_dials_hang() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await pair(network)
        stream = await alice.dial(bob)
        network.partition(["alice"], ["bob"])
        await stream.send_line(b"through")
        reply = asyncio.create_task(stream.receive_line())
        with pytest.raises(RendezvousError):
            await alice.dial(bob, timeout=5)
        assert not reply.done()
        network.heal()
        async with asyncio.timeout(1):
            assert await reply == b"echo through"

    on_network(scenario)()
