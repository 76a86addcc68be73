"""A link over a relay gives way to a direct one as soon as there is a direct path (spec/signaling.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.node.harness import HIGHER, LOWER, QUICK, until

from p4.core import limits
from p4.core.ice import IceSettings, TurnServer
from p4.core.policy import Policy
from p4.node.events import LinkDown, LinkUp
from p4.node.options import NodeOptions
from p4.node.peer import Peer
from p4.ports import PathKind
from p4.testing import SimulatedNetwork, simulate
from p4.testing.simulated_node import SimulatedNode, start_node

TURN = TurnServer("turn:turn.example.org", username="u", password="p")
RELAYS = NodeOptions(ice=IceSettings(turn=(TURN,)))
ATTEMPT_SECONDS = 2.0

Scenario = Callable[[SimulatedNetwork], Coroutine[Any, Any, None]]


async def relayed(
    network: SimulatedNetwork, *, higher: NodeOptions = RELAYS
) -> tuple[SimulatedNode, SimulatedNode]:
    """Two nodes whose link goes over a relay, because there is no other way."""
    network.world.cut_direct(LOWER, HIGHER)
    lower = await start_node(network, LOWER, HIGHER, options=RELAYS)
    other = await start_node(network, HIGHER, LOWER, options=higher)
    await until(lambda: lower.peer(HIGHER).connected and other.peer(LOWER).connected)
    assert await kinds(lower, other) == [PathKind.RELAY] * 2
    return lower, other


async def kinds(lower: SimulatedNode, higher: SimulatedNode) -> list[PathKind | None]:
    """The way that each side's link goes."""
    return [await kind(lower.peer(HIGHER)), await kind(higher.peer(LOWER))]


async def kind(peer: Peer) -> PathKind | None:
    assert peer._relation is not None
    path = await peer._relation.path()
    return path.kind if path else None


async def becomes_direct(network: SimulatedNetwork) -> None:
    """The way opens after some attempts; no moment is without a link."""
    nodes = await relayed(network)
    seen = nodes[0].events()
    await asyncio.sleep(20)
    assert await kinds(*nodes) == [PathKind.RELAY] * 2, "attempts that fail change nothing"
    network.world.mend_direct(LOWER, HIGHER)
    began = asyncio.get_running_loop().time()
    while await kinds(*nodes) != [PathKind.DIRECT] * 2:
        await asyncio.sleep(0.1)
        assert nodes[0].peer(HIGHER).connected
        assert nodes[1].peer(LOWER).connected
        waited = asyncio.get_running_loop().time() - began
        assert waited < limits.IMPROVE_SECONDS[1] * 1.5 + ATTEMPT_SECONDS, "stuck on a relay"
    await asyncio.sleep(300)
    assert len(network.links(LOWER, HIGHER)) == 2, "one link with two ends, and nothing left of the others"
    for node in nodes:
        await node.close()
    events = [event async for event in seen]
    assert not [event for event in events if isinstance(event, LinkDown) and "relay" in event.reason]
    assert sum(isinstance(event, LinkUp) for event in events) == 1


def test_it_becomes_direct_when_the_way_opens() -> None:
    simulate(becomes_direct, conditions=QUICK)


async def soon(network: SimulatedNetwork) -> None:
    """What was blocked for a moment costs seconds, not a minute."""
    nodes = await relayed(network)
    network.world.mend_direct(LOWER, HIGHER)
    await asyncio.sleep(limits.IMPROVE_SECONDS[0] + ATTEMPT_SECONDS)
    assert await kinds(*nodes) == [PathKind.DIRECT] * 2


def test_the_first_attempt_comes_after_seconds() -> None:
    simulate(soon, conditions=QUICK)


async def never(network: SimulatedNetwork) -> None:
    """Attempts become rare, and each is over before the next."""
    nodes = await relayed(network)
    dials = network.world.trace
    await asyncio.sleep(600)
    assert await kinds(*nodes) == [PathKind.RELAY] * 2
    assert len(network.links(LOWER, HIGHER)) == 2
    assert not [line for line in dials if "link opens" in line][1:], "no relayed link beside the relayed one"
    attempts = max(node.peer(name)._connection._machine._generation for node, name in with_peers(*nodes))
    assert 600 / limits.IMPROVE_SECONDS[1] <= attempts <= 25


def with_peers(lower: SimulatedNode, higher: SimulatedNode) -> list[tuple[SimulatedNode, str]]:
    return [(lower, HIGHER), (higher, LOWER)]


def test_without_a_direct_path_the_attempts_become_rare_and_open_nothing() -> None:
    simulate(never, conditions=QUICK)


async def relay_dies(network: SimulatedNetwork) -> None:
    """In the middle of an attempt that leads nowhere."""
    nodes = await relayed(network)
    await asyncio.sleep(limits.IMPROVE_SECONDS[0] + 1)
    assert "opening" in nodes[0].peer(HIGHER)._connection.state
    network.break_links(LOWER, HIGHER)
    assert await until(lambda: not nodes[0].peer(HIGHER).connected) < 0.1
    waited = await until(lambda: nodes[0].peer(HIGHER).connected and nodes[1].peer(LOWER).connected)
    assert waited < 4


def test_a_relay_that_dies_meanwhile_is_replaced_at_once() -> None:
    simulate(relay_dies, conditions=QUICK)


async def hidden(network: SimulatedNetwork) -> None:
    """One side shows its addresses to nobody: neither asks for what must not be."""
    nodes = await relayed(network)
    await nodes[1].peer(LOWER).set_policy(Policy.RELAY_ONLY)
    network.world.mend_direct(LOWER, HIGHER)
    network.world.cut_direct(LOWER, HIGHER)
    await until(lambda: nodes[0].peer(HIGHER).connected and nodes[1].peer(LOWER).connected)
    network.world.mend_direct(LOWER, HIGHER)
    before = len([line for line in network.trace if "link opens" in line])
    await asyncio.sleep(200)
    assert await kinds(*nodes) == [PathKind.RELAY] * 2
    assert len([line for line in network.trace if "link opens" in line]) == before
    assert nodes[0].peer(HIGHER).connected


def test_under_relay_only_it_stays_where_it_is() -> None:
    simulate(hidden, conditions=QUICK)


MUTANTS: list[tuple[str, str, object, Scenario]] = [
    ("never tried", "p4.node.improvement.Improvement.watch", lambda *_: None, soon),
    ("tried for ever at the first pace", "p4.core.limits.IMPROVE_SECONDS", (5.0, 5.0), never),
    ("relays in a direct attempt", "p4.core.ice.IceSettings.under", lambda self, *_, **__: self, never),
    (
        "an attempt goes on without the link",
        "p4.core.limits.DIRECT_OPENING_SECONDS",
        60.0,
        relay_dies,
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
