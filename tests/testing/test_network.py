"""The simulated network: what it promises when nothing fails, and each fault."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from p4.core import limits
from p4.core.address import Transport
from p4.core.ice import IceSettings
from p4.errors import LinkError, RendezvousError, SignalingError, StateError
from p4.ports import (
    ChannelOpened,
    Link,
    LinkClosed,
    LinkEvent,
    LinkMessage,
    RendezvousPhase,
    RendezvousStatus,
    SignalStream,
)
from p4.testing.network import Conditions, CrashedError, SimulatedHost, SimulatedNetwork, simulate
from p4.testing.simulated_signaling import SimulatedRendezvous

T = TypeVar("T")


class Endpoint:
    """A host that echoes lines and records link events."""

    def __init__(self, network: SimulatedNetwork, name: str, transport: Transport = Transport.ONION) -> None:
        self.host: SimulatedHost = network.host(name)
        self.rendezvous: SimulatedRendezvous = self.host.rendezvous(transport)
        self.backend = self.host.links()
        self.statuses: list[RendezvousStatus] = []
        self.events: list[LinkEvent] = []
        self.accepted: list[SignalStream] = []

    async def start(self, accept: Callable[[SignalStream], Awaitable[None]] | None = None) -> Endpoint:
        await self.host.run(self.rendezvous.start(accept or self.echo, self.statuses.append))
        return self

    async def echo(self, stream: SignalStream) -> None:
        self.accepted.append(stream)
        with suppress(RendezvousError):
            while (line := await stream.receive_line()) is not None:
                await stream.send_line(b"echo " + line)

    async def dial(self, other: Endpoint, *, timeout: float = 10.0, fresh: bool = False) -> SignalStream:
        address = other.host.address(other.rendezvous.transport)
        return await self.host.run(self.rendezvous.dial(address, timeout=timeout, fresh=fresh))

    def link(self) -> Link:
        return self.backend.create(IceSettings(), self.events.append)

    def messages(self) -> list[str | bytes]:
        return [event.data for event in self.events if isinstance(event, LinkMessage)]


async def pair(network: SimulatedNetwork) -> tuple[Endpoint, Endpoint]:
    alice, bob = Endpoint(network, "alice"), Endpoint(network, "bob")
    await alice.start()
    await bob.start()
    await asyncio.sleep(1)
    return alice, bob


async def linked(network: SimulatedNetwork) -> tuple[Endpoint, Endpoint, Link, Link]:
    alice, bob = await pair(network)
    near, far = alice.link(), bob.link()
    await near.accept_answer(await far.answer(await near.offer("chat")))
    await asyncio.sleep(1)
    assert alice.events == bob.events == [ChannelOpened("chat")]
    return alice, bob, near, far


def on_network(
    scenario: Callable[[SimulatedNetwork], Coroutine[Any, Any, T]], **options: Any
) -> Callable[[], None]:
    """Make a test of a scenario; run it with three seeds."""

    def test() -> None:
        for seed in range(3):
            simulate(scenario, seed=seed, **options)

    return test


# --- rendezvous and streams -------------------------------------------------------------------------------


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


def test_a_stale_address_needs_a_fresh_dial() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await pair(network)
        (await alice.dial(bob)).close()
        bob.host.crash()
        bob = await Endpoint(network, "bob").start()
        await asyncio.sleep(1)
        for _ in range(2):
            with pytest.raises(RendezvousError):
                await alice.dial(bob)
        (await alice.dial(bob, fresh=True)).close()
        (await alice.dial(bob)).close()

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


# --- processes --------------------------------------------------------------------------------------------


def test_a_crash_ends_every_task_of_the_host_and_no_other() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        steps: list[str] = []

        async def work(name: str) -> None:
            async def child() -> None:
                while True:
                    await asyncio.sleep(1)
                    steps.append(name)

            async with asyncio.TaskGroup() as group:
                group.create_task(child())
                group.create_task(child())

        alice, bob = network.host("alice"), network.host("bob")
        alice.spawn(work("alice"))
        bob.spawn(work("bob"))
        await asyncio.sleep(5.5)
        alice.crash()
        steps.clear()
        await asyncio.sleep(5)
        assert set(steps) == {"bob"}

    on_network(scenario)()


def test_waiting_for_a_process_that_dies_says_so() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice = network.host("alice")
        asyncio.get_running_loop().call_later(1, alice.crash)
        with pytest.raises(CrashedError):
            await alice.run(asyncio.sleep(10))

    on_network(scenario)()


def test_dying_code_can_do_no_harm() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await pair(network)
        store = alice.host.store()

        async def process() -> None:
            await store.open()
            stream = await alice.rendezvous.dial(bob.host.address(), timeout=9)
            try:
                await asyncio.sleep(1000)
            finally:
                with pytest.raises(asyncio.CancelledError):
                    await stream.send_line(b"from the grave")
                with pytest.raises(asyncio.CancelledError):
                    await store.forget_peer("a" * 24)  # type: ignore[arg-type]

        task = alice.host.spawn(process())
        await asyncio.sleep(5)
        alice.host.crash()
        await asyncio.wait([task])
        assert task.cancelled()

    on_network(scenario)()


def test_the_disk_outlives_the_host() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        store = network.host("alice").store()
        await store.open()
        number = await store.append_outbox("b" * 24, "text", now_ms=0, new_epoch=b"E" * 16)  # type: ignore[arg-type]
        network.host("alice").crash()
        store = network.host("alice").store()
        await store.open()
        (message,) = await store.read_outbox("b" * 24, after=0, limit=9)  # type: ignore[arg-type]
        assert (message.number, message.text) == (number, "text")

    on_network(scenario)()


# --- links ------------------------------------------------------------------------------------------------


def test_messages_keep_their_order_and_kind() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob, near, far = await linked(network)
        for number in range(50):
            near.send("chat", f"{number}" if number % 2 else b"%d" % number)
        far.send("chat", "back")
        await asyncio.sleep(2)
        assert bob.messages() == [f"{n}" if n % 2 else b"%d" % n for n in range(50)]
        assert alice.messages() == ["back"]

    on_network(scenario)()


def test_further_channels_open_on_both_sides() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob, near, far = await linked(network)
        with pytest.raises(LinkError) as refusal:
            near.send("p4", b"early")
        assert refusal.value.code == "not-open"
        far.open_channel("p4")
        await asyncio.sleep(1)
        near.send("p4", b"x")
        far.send("p4", b"y")
        await asyncio.sleep(1)
        assert alice.events[1:] == [ChannelOpened("p4"), LinkMessage("p4", b"y")]
        assert bob.events[1:] == [ChannelOpened("p4"), LinkMessage("p4", b"x")]

    on_network(scenario)()


def test_sizes_are_limited() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, _, near, _ = await linked(network)
        with pytest.raises(LinkError) as refusal:
            near.send("chat", b"x" * (limits.LINK_MESSAGE_BYTES + 1))
        assert refusal.value.code == "too-large"
        alice.host.world.cut("alice", "bob")
        for _ in range(256):
            near.send("chat", b"x" * limits.LINK_MESSAGE_BYTES)
        with pytest.raises(LinkError) as refusal:
            near.send("chat", b"x")
        assert refusal.value.code == "buffer-full"
        assert near.buffered("chat") > 15 * 1024 * 1024
        drained = asyncio.create_task(near.drained("chat"))
        await asyncio.sleep(1)
        assert not drained.done()
        network.heal()
        await drained
        assert near.buffered("chat") <= limits.LINK_LOW_WATER_BYTES

    on_network(scenario)()


def test_closing_tells_the_other_side_only() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob, near, _ = await linked(network)
        near.close()
        near.close()
        await asyncio.sleep(1)
        assert isinstance(bob.events[-1], LinkClosed)
        assert alice.events == [ChannelOpened("chat")]
        with pytest.raises(LinkError):
            near.send("chat", "late")

    on_network(scenario)()


def test_a_dead_peer_is_silence_until_consent_expires() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob, near, _ = await linked(network)
        bob.host.crash()
        near.send("chat", "into the void")
        await asyncio.sleep(25)
        assert alice.events == [ChannelOpened("chat")]
        await asyncio.sleep(10)
        assert isinstance(alice.events[-1], LinkClosed)
        assert bob.events == [ChannelOpened("chat")]

    on_network(scenario)()


def test_a_short_outage_delays_and_a_long_one_kills() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob, near, _ = await linked(network)
        network.partition(["alice"], ["bob"])
        near.send("chat", "late")
        await asyncio.sleep(20)
        assert bob.messages() == []
        network.heal()
        await asyncio.sleep(1)
        assert bob.messages() == ["late"]
        network.partition(["alice"], ["bob"])
        await asyncio.sleep(40)
        assert isinstance(alice.events[-1], LinkClosed)
        assert isinstance(bob.events[-1], LinkClosed)

    on_network(scenario)()


def test_silenced_links_do_not_disturb_new_ones() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob, near, _ = await linked(network)
        assert len(network.silence_links("alice")) == 1
        near.send("chat", "lost")
        alice.events.clear()
        bob.events.clear()
        second, answering = alice.link(), bob.link()
        await second.accept_answer(await answering.answer(await second.offer("chat")))
        await asyncio.sleep(1)
        second.send("chat", "arrives")
        await asyncio.sleep(1)
        assert bob.messages() == ["arrives"]

    on_network(scenario)()


def test_one_end_may_break_alone() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob, _, far = await linked(network)
        assert network.break_links("alice", reason="told to") == 1
        await asyncio.sleep(5)
        assert alice.events[-1] == LinkClosed("told to")
        assert bob.events == [ChannelOpened("chat")]
        far.send("chat", "nobody hears it")
        await asyncio.sleep(40)
        assert isinstance(bob.events[-1], LinkClosed)

    on_network(scenario)()


def test_a_link_that_finds_no_path_gives_up() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await pair(network)
        near, far = alice.link(), bob.link()
        await near.accept_answer(await far.answer(await near.offer("chat")))
        await asyncio.sleep(40)
        assert [type(event) for event in (*alice.events, *bob.events)] == [LinkClosed, LinkClosed]

    on_network(scenario, conditions=Conditions(link_fails=1.0))()


def test_a_link_opens_when_the_path_heals_in_time() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await pair(network)
        near, far = alice.link(), bob.link()
        network.partition(["alice"], ["bob"])
        await near.accept_answer(await far.answer(await near.offer("chat")))
        await asyncio.sleep(10)
        assert alice.events == []
        network.heal()
        await asyncio.sleep(2)
        assert alice.events == bob.events == [ChannelOpened("chat")]

    on_network(scenario)()


def test_an_sdp_is_bound_to_its_end() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await pair(network)
        near, far = alice.link(), bob.link()
        with pytest.raises(LinkError) as refusal:
            await far.answer("v=0\r\n")
        assert refusal.value.code == "bad-sdp"
        answer = await far.answer(await near.offer("chat"))
        start = answer.index("sha-256 ") + len("sha-256 ")
        forged = answer[:start] + "00:" * 31 + "00" + answer[start + 95 :]
        await near.accept_answer(forged)
        await asyncio.sleep(40)
        assert [type(event) for event in alice.events] == [LinkClosed]

    on_network(scenario)()


def test_its_sdp_has_what_check_sdp_demands() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await pair(network)
        offer = await alice.link().offer("chat")
        for sdp in (offer, await bob.link().answer(offer)):
            assert sdp.count("m=application ") == 1
            assert len(sdp.split("a=ice-pwd:")[1].splitlines()[0]) >= 22
            fingerprint = sdp.split("a=fingerprint:sha-256 ")[1].splitlines()[0]
            assert len(bytes.fromhex(fingerprint.replace(":", ""))) == 32

    on_network(scenario)()


# --- the whole --------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_run() -> None:
    async def scenario(network: SimulatedNetwork) -> list[str]:
        alice, bob, near, _ = await linked(network)
        network.conditions = replace(network.conditions, dial_refused=0.5, line_breaks_stream=0.2)
        for _ in range(20):
            try:
                stream = await alice.dial(bob)
                await stream.send_line(b"x")
                await stream.receive_line()
            except RendezvousError:
                pass
        near.close()
        await asyncio.sleep(1)
        return [*network.trace, str(asyncio.get_running_loop().time())]

    assert simulate(scenario, seed=5) == simulate(scenario, seed=5) != simulate(scenario, seed=6)


def test_a_failure_shows_seed_and_trace() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, _ = await pair(network)
        alice.host.crash()
        raise AssertionError("the scenario failed")

    with pytest.raises(AssertionError) as failure:
        simulate(scenario, seed="some seed")
    (note,) = failure.value.__notes__
    assert "some seed" in note
    assert "alice#1 is killed" in note
