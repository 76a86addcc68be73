"""Whole nodes with lanes on a network in which everything breaks: each byte arrives once, in its place."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from tests.counts import BROKEN_LANES, explored

from p4.core import limits
from p4.core.session.lane_flight import LaneFlight
from p4.core.session.lanes import LaneKind
from p4.core.session.streams.writer import Writer
from p4.node.lanes.bundle import LaneBundle
from p4.node.lanes.lane import LaneSession
from p4.node.node import BaseNode
from p4.node.options import NodeOptions
from p4.testing import Conditions, SimulatedNetwork, simulate
from p4.testing.simulated_lane import SimulatedStreamLanes, StreamLaneRegistry
from p4.testing.simulated_node import SimulatedNode
from p4.testing.virtual_time import VirtualTimeError

PEER, STREAM = LaneKind.PEER, LaneKind.STREAM
SERVICE = "bulk"
LONG_PATH = Conditions(link_latency=(0.02, 0.03))
LONGEST_PAUSE = limits.LANE_SILENCE_SECONDS + 0.7
Patch = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    small_limits(monkeypatch)


def small_limits(patch: pytest.MonkeyPatch) -> None:
    """Little is under way on the link and on a lane, so that little traffic wants lanes."""
    for name, value in {
        "LINK_HIGH_WATER_BYTES": 20_000,
        "LINK_LOW_WATER_BYTES": 8_000,
        "LINK_BESIDE_LANES_BYTES": 20_000,
        "STREAM_TURN_BYTES": 4_000,
        "LANE_FIRST_WINDOW_BYTES": (8_000, 16_000),
        "LANE_WINDOW_BYTES": (8_000, 40_000),
        "LANE_RECEIVED_BYTES": 8_000,
        "LANE_AMPLE_RATE": 5e6,
    }.items():
        patch.setattr(limits, name, value)
    patch.setattr(limits, "LANE_FRAME_BYTES", (2_000, 8_000))


class LaneNode(SimulatedNode):
    """A simulated node that can have lanes over TCP."""

    registry: StreamLaneRegistry

    async def _load(self, *arguments: object) -> None:
        await BaseNode._load(self, *arguments)  # type: ignore[arg-type]
        object.__setattr__(self._context, "stream_lanes", SimulatedStreamLanes(self._host, self.registry))


@dataclass
class Pair:
    """Two nodes, and what goes from alice to bob."""

    network: SimulatedNetwork
    registry: StreamLaneRegistry
    options: NodeOptions = field(default_factory=NodeOptions)
    size: int = 3_000_000
    broken: int = 0
    bundles: list[LaneBundle] = field(default_factory=list)
    """One for each link."""
    pause: float = 0.0
    """The longest time in which nothing was read."""
    seen: dict[LaneKind, int] = field(default_factory=lambda: {PEER: 0, STREAM: 0})

    async def start(self, name: str, *contacts: str) -> LaneNode:
        host = self.network.host(name)
        node = LaneNode(self.network, host, contacts, self.options)
        node.registry = self.registry
        await host.run(node.start())
        return node

    async def carry(self, faults: Callable[[Pair, LaneNode], object] | None = None) -> float:
        """Send everything; how many virtual seconds it took."""
        alice, bob = await self.start("alice", "bob"), await self.start("bob", "alice")
        await bob.peer("alice").grant(SERVICE)
        await alice.peer("bob").wait_connected()
        began = asyncio.get_running_loop().time()
        data = random.Random(7).randbytes(self.size)
        came = bytearray()

        async def write() -> None:
            async with alice.peer("bob").stream(SERVICE) as stream:
                for at in range(0, len(data), 10_000):
                    await stream.write(data[at : at + 10_000])

        async def read() -> None:
            async with await anext(aiter(bob.streams(SERVICE))) as stream:
                last = asyncio.get_running_loop().time()
                async for piece in stream:
                    now = asyncio.get_running_loop().time()
                    self.pause, last = max(self.pause, now - last), now
                    came.extend(piece)
                    self.look(alice)
                    if faults is not None:
                        faults(self, alice)

        await asyncio.gather(self.network.host("alice").run(write()), self.network.host("bob").run(read()))
        took = asyncio.get_running_loop().time() - began
        assert hashlib.sha256(came).digest() == hashlib.sha256(data).digest()
        await asyncio.gather(alice.close(), bob.close())
        return took

    def look(self, node: LaneNode) -> None:
        lanes = bundle(node)
        if lanes is not None:
            if lanes not in self.bundles:
                self.bundles.append(lanes)
            for kind in LaneKind:
                self.seen[kind] = max(self.seen[kind], lanes.open_lanes(kind))


def bundle(node: LaneNode, contact: str = "bob") -> LaneBundle | None:
    transport = node.peer(contact).relation._transport
    return None if transport is None else transport.lanes


def lanes_of(node: LaneNode) -> list[LaneSession]:
    lanes = bundle(node)
    return [] if lanes is None else lanes.open_sessions


def run(
    faults: Callable[[Pair, LaneNode], object] | None = None,
    *,
    seed: int = 0,
    tcp: bool = True,
    options: NodeOptions | None = None,
    size: int = 3_000_000,
    limit: float = 600.0,
) -> tuple[Pair, float]:
    async def scenario(network: SimulatedNetwork) -> tuple[Pair, float]:
        pair = Pair(network, StreamLaneRegistry(network.world), options or NodeOptions(), size)
        pair.registry.reachable = tcp
        return pair, await pair.carry(faults)

    return simulate(scenario, seed=seed, conditions=LONG_PATH, limit=limit)


def test_lanes_of_both_kinds_come_and_carry() -> None:
    pair, with_lanes = run()
    assert pair.seen[STREAM] == 1
    assert pair.seen[PEER] >= 1
    _, alone = run(options=NodeOptions(peer_lanes=False, stream_lanes=False))
    assert with_lanes < 0.6 * alone


def test_peer_lanes_alone_where_tcp_does_not_reach() -> None:
    pair, _ = run(tcp=False, size=12_000_000)
    assert pair.seen[STREAM] == 0
    assert pair.seen[PEER] >= 3


@pytest.mark.parametrize(
    ("options", "kind"),
    [(NodeOptions(peer_lanes=False), PEER), (NodeOptions(stream_lanes=False), STREAM)],
)
def test_each_kind_can_be_switched_off(options: NodeOptions, kind: LaneKind) -> None:
    pair, _ = run(options=options)
    assert pair.seen.pop(kind) == 0
    assert any(pair.seen.values())


class Saboteur:
    """Breaks lanes and links at random moments, by seed; each way of breaking is another."""

    def __init__(self, seed: int, *, links: bool) -> None:
        self.chance = random.Random(seed)
        self.links = links
        self.broken = 0

    def __call__(self, pair: Pair, node: LaneNode) -> None:
        if self.chance.random() > 0.01:
            return
        lanes = lanes_of(node)
        if self.links and self.chance.random() < 0.2:
            pair.network.break_links(self.chance.choice(("alice", "bob")))
            self.broken += 1
        elif lanes:
            lane = self.chance.choice(lanes)
            self.broken += 1
            ends = pair.registry.open_lanes()
            match self.chance.randrange(3):
                case 0 if ends:
                    self.chance.choice(ends).break_off()
                case 1 if ends:
                    self.chance.choice(ends).silent = True
                case _:
                    lane._end("a test wants it so")


def sabotage(seed: int, *, links: bool = False) -> tuple[Pair, float]:
    saboteur = Saboteur(seed, links=links)
    try:
        pair, took = run(saboteur, seed=seed, tcp=seed % 3 != 0, limit=300.0)
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise
    pair.broken = saboteur.broken
    if not links:
        assert len(pair.bundles) == 1, "a lane that ends does not end the link"
        assert pair.pause < LONGEST_PAUSE, "a lane held up the stream"
    return pair, took


def sabotage_many(count: int) -> None:
    for seed in range(count):
        sabotage(seed)


FIRST = int(os.environ.get("P4_FIRST_SEED", "0"))


@pytest.mark.parametrize("links", [False, True])
def test_lanes_and_links_that_break_lose_nothing(links: bool) -> None:
    pairs = [sabotage(seed, links=links)[0] for seed in range(FIRST, FIRST + 12)]
    assert sum(pair.broken for pair in pairs) > 12


@pytest.mark.parametrize("links", [False, True])
@explored(BROKEN_LANES)
def test_lanes_and_links_that_break_lose_nothing_in_many_seeds(links: bool, count: int) -> None:
    for seed in range(100, 100 + count):
        sabotage(seed, links=links)


def test_a_lane_that_falls_silent_holds_up_a_stream_for_three_seconds_at_most() -> None:
    silenced: list[float] = []

    def silence(pair: Pair, node: LaneNode) -> None:
        lanes = bundle(node)
        if not silenced and lanes is not None and lanes.confirmed > 200_000:
            silenced.append(pair.pause)
            for end in pair.registry.open_lanes():
                end.silent = True

    pair, _ = run(silence, options=NodeOptions(peer_lanes=False))
    assert silenced[0] < 1.0 < pair.pause < LONGEST_PAUSE


# -- planted mistakes ----------------------------------------------------------------------------------------


def forgets_what_was_under_way(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LaneFlight, "unconfirmed", ())


def confirms_what_was_only_given(patch: pytest.MonkeyPatch) -> None:
    received = LaneFlight.received

    def mutant(self: LaneFlight, count: int, now: float) -> int:
        confirmed = received(self, count, now)
        self._flying.clear()
        return confirmed

    patch.setattr(LaneFlight, "received", mutant)


def does_not_notice_silence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LaneFlight, "overdue_at", lambda self, round_trip: None)


def sends_only_the_last_lost_stretch_again(patch: pytest.MonkeyPatch) -> None:
    def mutant(self: Writer, begin: int, end: int) -> None:
        self._again = [(max(begin, self.confirmed), end)] if end > self.confirmed else []

    patch.setattr(Writer, "lost", mutant)


@pytest.mark.parametrize(
    "plant",
    [
        forgets_what_was_under_way,
        confirms_what_was_only_given,
        does_not_notice_silence,
        sends_only_the_last_lost_stretch_again,
    ],
    ids=lambda plant: plant.__name__,
)
def test_a_planted_mistake_is_found(plant: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises((AssertionError, VirtualTimeError)):
        sabotage_many(12)
