"""Three nodes, one of which introduces the other two to each other."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
from tests.node.harness import QUICK, id_of, received, start, until
from tests.sim.simulated_node import SimulatedNode

from p4.core.identity import PeerId
from p4.core.session.introduction_frames import INTRODUCE, Introduce, IntroductionFrame
from p4.errors import RendezvousError
from p4.node.introduced_stream import IntroducedStream
from p4.node.introduction_link import IntroductionLink
from p4.node.introductions import Introductions
from p4.testing import SimulatedNetwork, simulate

MOVED = dataclasses.replace(QUICK, dead_dial_hangs=1.0)
"""Whoever is not at an address any more does not say so."""
NOBODY = PeerId("0" * 24)


@dataclass
class Three:
    """Alice and Bob know each other and Carol."""

    network: SimulatedNetwork
    alice: SimulatedNode
    bob: SimulatedNode
    carol: SimulatedNode

    @property
    def joined(self) -> bool:
        return self.alice.peer("bob").connected and self.bob.peer("alice").connected

    @property
    def in_touch(self) -> bool:
        """Whether both are linked with Carol, and each knows that she introduces the other."""
        return all(
            node.peer("carol").connected and id_of("carol") in known(node, other)
            for node, other in ((self.alice, "bob"), (self.bob, "alice"))
        )

    def move(self) -> None:
        """Nobody finds Alice and Bob where they were, and what was open between the two is gone."""
        for node in (self.alice, self.bob):
            node._parts.rendezvous[0]._leave()  # type: ignore[union-attr]
        self.network.break_links("alice", "bob")
        self.network.break_streams()


def known(node: SimulatedNode, contact: str) -> tuple[PeerId, ...]:
    return node.peer(contact)._connection.whereabouts.introducers


def introductions(node: SimulatedNode) -> Introductions:
    assert node._context is not None
    return node._context.introductions


def link(node: SimulatedNode, contact: str = "carol") -> IntroductionLink:
    return introductions(node)._linked[id_of(contact)].link


async def three(network: SimulatedNetwork, *granted: str) -> Three:
    others = {"alice": ("bob", "carol"), "bob": ("alice", "carol"), "carol": ("alice", "bob")}
    alice, bob, carol = [await start(network, name, *contacts) for name, contacts in others.items()]
    for name in granted:
        await carol.peer(name).grant(INTRODUCE)
    made = Three(network, alice, bob, carol)
    await until(lambda: made.joined and all(peer.connected for node in (alice, bob) for peer in node.peers()))
    if len(granted) == 2:
        await until(lambda: made.in_touch)
    else:
        await asyncio.sleep(5)
    return made


def run(
    scenario: Callable[[Three], Coroutine[Any, Any, None]], *granted: str, seed: int = 0, limit: float = 300.0
) -> None:
    async def whole(network: SimulatedNetwork) -> None:
        await scenario(await three(network, *granted))

    simulate(whole, seed=seed, conditions=MOVED, limit=limit)


async def outcome(stream: IntroducedStream) -> str:
    """Why a stream ended."""
    try:
        while await stream.receive_line() is not None:
            pass
    except RendezvousError as error:
        return error.code
    return "over"


async def asked(node: SimulatedNode, target: PeerId) -> str:
    stream = IntroducedStream(link(node), "a test")
    stream.ask_for(target)
    async with asyncio.timeout(5):
        return await outcome(stream)


BOTH = "alice", "bob"


async def come_back(world: Three) -> None:
    """Both move while they talk; every message arrives once and in order."""
    for number in range(20):
        await world.alice.peer("bob").send(number)
    sending = asyncio.gather(
        world.alice.peer("bob").send_many(range(20, 40)), world.bob.peer("alice").send_many(range(20, 40))
    )
    await asyncio.sleep(0.1)
    world.move()
    await until(lambda: not world.joined)
    took = await until(lambda: world.joined, seconds=20)
    assert took < 1.0, f"{took:.2f} s"
    await sending
    assert await received(world.bob, 40) == list(range(40))
    assert await received(world.alice, 20) == list(range(20, 40))
    assert not introductions(world.carol)._crossings, "what is proven needs no common contact any more"


def noting(
    frames: list[IntroductionFrame], then: Callable[[IntroductionFrame], None]
) -> Callable[[IntroductionFrame], None]:
    def note(frame: IntroductionFrame) -> None:
        frames.append(frame)
        then(frame)

    return note


def overheard(monkeypatch: pytest.MonkeyPatch, owner: str) -> list[IntroductionFrame]:
    """Every frame of introductions that a node gets or sends on links."""
    frames: list[IntroductionFrame] = []
    make = Introductions.link_up

    def link_up(self: Introductions, peer_id: PeerId, carrier: Any, **rights: Any) -> None:
        make(self, peer_id, carrier, **rights)
        if self._me(peer_id) == id_of(owner) and peer_id in self._linked:
            end = self._linked[peer_id].link
            monkeypatch.setattr(end, "handle", noting(frames, end.handle))
            monkeypatch.setattr(end, "_send", noting(frames, end._send))

    monkeypatch.setattr(Introductions, "link_up", link_up)
    return frames


async def listen_in(world: Three, frames: list[IntroductionFrame]) -> None:
    world.move()
    await until(lambda: not world.joined)
    await until(lambda: world.joined, seconds=20)
    lines = [frame.line for frame in frames if hasattr(frame, "line")]
    assert lines, "it went over Carol"
    assert all(line.startswith(b'{"veiled":') for line in lines)
    for secret in (b"candidate", b"fingerprint", b"session_id", *(id_of(name).encode() for name in BOTH)):
        assert not any(secret in line for line in lines)
    assert {frame.peer_id for frame in frames if isinstance(frame, Introduce)} <= {id_of(n) for n in BOTH}
