"""Wall clocks that jump by hours, as a person or a network makes them: only times to live notice.

Clocks may differ by up to a day (spec/envelope.md); beyond that devices do not find each other.
"""

from __future__ import annotations

import asyncio

import pytest
from tests.counts import CLOCK_JUMPS, explored
from tests.sim.stream_programs import StreamPrograms, small_limits
from tests.sim.test_chaos import ALICE, BOB
from tests.sim.test_chaos_streams import CONDITIONS, settled

from p4.errors import CallError, DeliveryError
from p4.node.inbox import MessageStream
from p4.testing import Chaos, SimulatedNetwork, simulate, start_node
from p4.testing.virtual_time import START_SECONDS, START_WALL_MS, VirtualClock

HOUR = 3600.0
FARTHEST = 11 * HOUR
"""From the true time, either way: two of them stay within a day."""


class JumpingClocks:
    """Moves the wall clocks of two hosts about."""

    def __init__(self, network: SimulatedNetwork) -> None:
        self._network = network

    async def run(self) -> None:
        chance = self._network.world.random
        true = self._network.host(ALICE).clock  # its wall clock is read before it jumps for the first time
        offset_ms = true.wall_ms() - round(true.monotonic() * 1000)
        while True:
            await asyncio.sleep(chance.uniform(0.0, 20.0))
            name = chance.choice((ALICE, BOB))
            if not self._network.is_alive(name):
                continue
            clock = self._network.host(name).clock
            away = chance.uniform(-FARTHEST, FARTHEST)
            clock.set_wall_ms(offset_ms + round((clock.monotonic() + away) * 1000))


async def jumps_in_chaos(network: SimulatedNetwork) -> None:
    programs = StreamPrograms(network, power_fails=False)
    await asyncio.gather(programs.start(ALICE), programs.start(BOB))
    jumping = asyncio.create_task(JumpingClocks(network).run())
    weights = {"break-links": 2.0, "silence-links": 1.0, "partition": 1.0, "crash": 2.0}
    await Chaos(network, [ALICE, BOB], restart=programs.start, weights=weights).run(120.0)
    await settled(programs)
    jumping.cancel()
    for name in (ALICE, BOB):
        await network.host(name).run(programs.nodes[name].close())


def run_seeds(first: int, count: int) -> None:
    with small_limits():
        for seed in range(first, first + count):
            simulate(jumps_in_chaos, seed=seed, conditions=CONDITIONS)


@pytest.mark.timeout(300)
def test_nothing_depends_on_the_wall_clock() -> None:
    run_seeds(0, 4)


@explored(CLOCK_JUMPS)
def test_nothing_depends_on_the_wall_clock_in_many_seeds(count: int) -> None:
    run_seeds(1000, count)


@pytest.mark.parametrize("hours", [5, -5])
def test_a_link_does_not_notice_a_jump(hours: float) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_node(network, "laptop", "phone")
        phone = await start_node(network, "phone", "laptop")

        async def slow(call: object) -> str:
            await asyncio.sleep(10)
            return "done"

        phone.serve("slow", slow)
        await phone.peer("laptop").grant("slow")
        await laptop.peer("phone").wait_connected()
        await laptop.peer("phone").ping()
        events = laptop.events()
        answer = asyncio.ensure_future(laptop.peer("phone").call("slow", deadline=30))
        await asyncio.sleep(1)
        for name in ("laptop", "phone"):
            network.host(name).clock.jump(hours * HOUR)
            await asyncio.sleep(30)
        assert await answer == "done"
        assert laptop.peer("phone").connected
        await events.aclose()
        assert [event async for event in events] == []
        await laptop.close()
        await phone.close()

    simulate(scenario)


def test_a_sender_whose_clock_jumps_ahead_gives_up_what_was_too_late_by_it() -> None:
    """And what has no time to live arrives, before and after it, in order."""

    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_node(network, "laptop", "phone")
        peer = laptop.peer("phone")
        await peer.send("first")
        ding = await peer.send("ding", ttl=60)
        await peer.send("second")
        network.host("laptop").clock.jump(2 * HOUR)
        dong = await peer.send("dong", ttl=60)
        phone = await start_node(network, "phone", "laptop")
        assert await texts(phone.messages(), 3) == ["first", "second", "dong"]
        with pytest.raises(DeliveryError) as caught:
            await ding.delivered()
        assert caught.value.code == "expired"
        await dong.consumed()
        assert peer.queued == 0
        await laptop.close()
        await phone.close()

    simulate(scenario)


def test_a_sender_whose_clock_jumps_back_gives_more_time() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_node(network, "laptop", "phone")
        ding = await laptop.peer("phone").send("ding", ttl=60)
        network.host("laptop").clock.jump(-2 * HOUR)
        await asyncio.sleep(600)
        phone = await start_node(network, "phone", "laptop")
        assert await texts(phone.messages(), 1) == ["ding"]
        await ding.consumed()
        await laptop.close()
        await phone.close()

    simulate(scenario)


def test_a_receiver_whose_clock_jumps_ahead_does_not_take_what_is_too_late() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_node(network, "laptop", "phone")
        phone = await start_node(network, "phone", "laptop")
        peer = laptop.peer("phone")
        ding = await peer.send("ding", ttl=600)
        await peer.send("second")
        await ding.delivered()
        network.host("phone").clock.jump(2 * HOUR)
        # A time to live counts from the arrival, by the clock there.
        dong = await peer.send("dong", ttl=600)
        assert await texts(phone.messages(), 2) == ["second", "dong"]
        await dong.consumed()
        await laptop.close()
        await phone.close()

    simulate(scenario)


async def texts(messages: MessageStream, count: int) -> list[object]:
    found: list[object] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            message = await anext(messages)
            found.append(message.value)
            await message.done()
    return found


# --- planted bugs -------------------------------------------------------------------------------------------


def test_durations_by_the_wall_clock_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def monotonic(self: VirtualClock) -> float:
        elapsed = asyncio.get_running_loop().time() - START_SECONDS
        return START_SECONDS + (self._wall_at_start_ms - START_WALL_MS) / 1000 + elapsed

    def wall_ms(self: VirtualClock) -> int:
        elapsed = asyncio.get_running_loop().time() - START_SECONDS
        return self._wall_at_start_ms + round(elapsed * 1000)

    monkeypatch.setattr(VirtualClock, "wall_ms", wall_ms)
    monkeypatch.setattr(VirtualClock, "monotonic", monotonic)
    with pytest.raises((AssertionError, CallError, TimeoutError)):
        test_a_link_does_not_notice_a_jump(-5)


def test_a_time_to_live_that_nobody_minds_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VirtualClock, "jump", lambda self, seconds: None)
    with pytest.raises(AssertionError):
        test_a_sender_whose_clock_jumps_ahead_gives_up_what_was_too_late_by_it()
