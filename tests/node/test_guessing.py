"""What the two sides of a negotiation do about port guessing: whole nodes, and bridges that only note it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.node.harness import ANNOUNCEMENT, HIGHER, LOWER, QUICK, Puppet, until

from p4.core.ice import IceSettings
from p4.core.identity import PeerId
from p4.core.policy import Policy
from p4.core.punch import NatNote, Role, punch_key, role_between
from p4.core.signaling import Answer, Offer, SignalingMessage
from p4.node.conversation import Conversation
from p4.node.node import NodeParts
from p4.node.options import NodeOptions
from p4.node.punching import Punching
from p4.testing import SimulatedNetwork, simulate
from p4.testing.simulated_node import SimulatedNode

EASY, HARD = NatNote(Role.EASY, "8.8.8.8", 4000), NatNote(Role.HARD, "9.9.9.9")
CANDIDATE = "a=candidate:4004 1 udp 1 127.0.0.1 9 typ srflx raddr 0.0.0.0 rport 9\r\n"


@dataclass
class NotedBridge:
    note: NatNote
    alive: bool = False
    added: int = 0
    started: tuple[NatNote, bytes] | None = None
    closed: bool = False

    def add_to(self, sdp: str) -> str:
        self.added += 1
        return sdp + CANDIDATE

    def start(self, theirs: NatNote, key: bytes) -> bool:
        assert self.added == 1
        self.started = theirs, key
        return True

    async def opened(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.closed = True


@dataclass
class NotedGuesser:
    """The servers answer after some time; then the kind is known until the network changes."""

    note: NatNote
    seconds: float = 0.04
    bridges: list[NotedBridge] = field(default_factory=list)
    known: bool = False
    asked: int = 0

    async def prepare(
        self, contact: PeerId, ice: IceSettings, theirs: NatNote | None = None
    ) -> NotedBridge | None:
        if self.known and theirs is not None and role_between(self.note, theirs) is None:
            return None
        self.asked += 1
        await asyncio.sleep(self.seconds)
        self.known = True
        self.bridges.append(NotedBridge(self.note))
        return self.bridges[-1]

    def network_changed(self) -> None:
        self.known = False

    async def close(self) -> None:
        for bridge in self.bridges:
            bridge.close()


class GuessingNode(SimulatedNode):
    """A node with a guesser."""

    def __init__(
        self, network: SimulatedNetwork, name: str, contact: str, guesser: NotedGuesser, options: NodeOptions
    ) -> None:
        super().__init__(network, network.host(name), (contact,), options)
        self._guesser = guesser

    async def _open(self) -> NodeParts:
        return replace(await super()._open(), port_guesser=self._guesser)


async def nodes(
    network: SimulatedNetwork, lower: NotedGuesser, higher: NotedGuesser
) -> tuple[GuessingNode, GuessingNode]:
    made = (
        GuessingNode(network, LOWER, HIGHER, lower, NodeOptions()),
        GuessingNode(network, HIGHER, LOWER, higher, NodeOptions()),
    )
    for node, name in zip(made, (LOWER, HIGHER), strict=True):
        await network.host(name).run(node.start())
    return made


async def linked(network: SimulatedNetwork, lower: NotedGuesser, higher: NotedGuesser) -> GuessingNode:
    """A first link, whose offer was not sealed, and a second one."""
    node, _ = await nodes(network, lower, higher)
    await until(lambda: node.peer(HIGHER).connected)
    node.peer(HIGHER).drop()
    await until(lambda: not node.peer(HIGHER).connected)
    await until(lambda: node.peer(HIGHER).connected)
    await asyncio.sleep(1)
    return node


async def one_easy_one_hard(network: SimulatedNetwork) -> None:
    easy, hard = NotedGuesser(EASY), NotedGuesser(HARD)
    await linked(network, easy, hard)
    assert len(easy.bridges) == len(hard.bridges) == 2
    for one, other in zip(easy.bridges, hard.bridges, strict=True):
        assert one.started is not None
        assert other.started is not None
        assert (one.started[0], other.started[0]) == (HARD, EASY)
        assert one.started[1] == other.started[1], "the same key"
        assert one.closed, "the link found another way"
        assert other.closed


async def both_easy(network: SimulatedNetwork) -> None:
    one, other = NotedGuesser(EASY), NotedGuesser(NatNote(Role.EASY, "9.9.9.9", 4000))
    node = await linked(network, one, other)
    assert not [bridge for bridge in one.bridges + other.bridges if bridge.started or not bridge.closed]
    asked = other.asked
    one.seconds = other.seconds = 0.14
    node.peer(HIGHER).drop()
    took = await until(lambda: not node.peer(HIGHER).connected)
    took += await until(lambda: node.peer(HIGHER).connected)
    assert took < 0.15, f"{took}: an offer waits for nothing that was not needed"
    assert other.asked == asked, "who answers knows that it does not fit"


async def held_up(network: SimulatedNetwork) -> None:
    """Servers that take long cost an offer 0.15 s and no more."""
    slow = NotedGuesser(EASY, seconds=5.0)
    node, _ = await nodes(network, slow, NotedGuesser(HARD))
    await until(lambda: node.peer(HIGHER).connected)
    node.peer(HIGHER).drop()
    took = await until(lambda: not node.peer(HIGHER).connected)
    took += await until(lambda: node.peer(HIGHER).connected)
    assert took < 0.6
    await asyncio.sleep(10)
    assert all(bridge.closed for bridge in slow.bridges)


async def hidden(network: SimulatedNetwork) -> None:
    """A contact that shall not learn our addresses is told of none, nor are servers asked."""
    guesser = NotedGuesser(EASY)
    node, other = await nodes(network, guesser, NotedGuesser(HARD))
    await until(lambda: node.peer(HIGHER).connected)
    await until(lambda: other.peer(LOWER).connected)
    asked = guesser.asked
    await node.peer(HIGHER).set_policy(Policy.LAN_ONLY)
    await until(lambda: not node.peer(HIGHER).connected)
    await until(lambda: node.peer(HIGHER).connected)
    assert guesser.asked == asked


async def in_clear(network: SimulatedNetwork) -> None:
    """An offer may carry it in clear, because the answer is sealed and its nonce is part of the key."""
    guesser = NotedGuesser(HARD)
    node = GuessingNode(network, LOWER, HIGHER, guesser, NodeOptions())
    puppet = await Puppet(network, HIGHER).start()
    await network.host(LOWER).run(node.start())
    stream = await puppet.dial(LOWER)
    sdp = await puppet.link.offer("chat")
    await stream.send_line(puppet.seal(LOWER, Offer("sid", sdp, replace(ANNOUNCEMENT, nat=EASY))))
    answer = await puppet.reply(stream)
    assert isinstance(answer, Answer)
    assert answer.p4 is not None
    assert answer.p4.nat == HARD
    assert puppet.sealed[-1]
    key = punch_key(bytes.fromhex(ANNOUNCEMENT.nonce), bytes.fromhex(answer.p4.nonce), "sid")
    await until(lambda: [bridge.started for bridge in guesser.bridges if bridge.started] == [(EASY, key)])


Scenario = Callable[[SimulatedNetwork], Coroutine[Any, Any, None]]


@pytest.mark.parametrize("scenario", [one_easy_one_hard, both_easy, held_up, hidden, in_clear])
def test_a_negotiation(scenario: Scenario) -> None:
    simulate(scenario, conditions=QUICK)


_note, _seal = Punching.note, Conversation.seal


def _in_clear(self: Conversation, message: SignalingMessage, *, sealed: bool) -> bytes:
    return _seal(self, message, sealed=False)


async def _patient(self: Punching, theirs: NatNote | None = None) -> NatNote | None:
    self._patience = 3.0
    return await _note(self, theirs)


MUTANTS: list[tuple[str, str, object, Scenario]] = [
    ("the answer is in clear", "p4.node.conversation.Conversation.seal", _in_clear, in_clear),
    ("an offer waits for the servers", "p4.node.punching.Punching.note", _patient, held_up),
    (
        "what was needless is waited for",
        "p4.node.punching.Punching.add_to",
        lambda _, sdp, __: sdp,
        both_easy,
    ),
]


@pytest.mark.parametrize(
    ("target", "bug", "law"), [each[1:] for each in MUTANTS], ids=[each[0] for each in MUTANTS]
)
def test_a_planted_bug_is_found(
    monkeypatch: pytest.MonkeyPatch, target: str, bug: object, law: Scenario
) -> None:
    monkeypatch.setattr(target, bug)
    with pytest.raises(AssertionError):
        simulate(law, conditions=QUICK)
