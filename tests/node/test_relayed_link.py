"""A contact passes on another's session description as its own: whom the two ends then believe."""

from __future__ import annotations

import asyncio

import pytest
from tests.node.harness import QUICK, Puppet, id_of, start, until
from tests.sim.simulated_node import SimulatedNode

from p4.core.envelope import parse
from p4.core.session.binding import LinkProof
from p4.core.signaling import Answer, Offer
from p4.node.events import LinkDown, LinkUp
from p4.ports import ChannelOpened
from p4.testing import SimulatedNetwork, simulate
from p4.testing.simulated_sdp import SDP_ATTRIBUTES

NAMES = "alice", "bob"


async def honest_link(mallory: Puppet, bob: SimulatedNode) -> None:
    """Mallory is a contact like any other, and has a link."""
    stream = await mallory.dial("bob")
    offer = await mallory.offer(sid="honest")
    await stream.send_line(mallory.seal("bob", offer))
    answer = await mallory.reply(stream)
    assert isinstance(answer, Answer)
    await mallory.link.accept_answer(answer.sdp)
    await until(lambda: ChannelOpened("chat") in mallory.link_events)
    mallory.link.open_channel("p4")
    await until(lambda: ChannelOpened("p4") in mallory.link_events)
    mallory.bind("bob", offer, answer)
    await until(lambda: bob.peer("mallory").connected)


def with_fingerprint(sdp: str, of: str) -> str:
    """The description with the certificate of another."""
    own, other = (dict(SDP_ATTRIBUTES.findall(text))["fingerprint"] for text in (sdp, of))
    return sdp.replace(own, other)


async def attack(network: SimulatedNetwork, *, swap: bool) -> list[object]:
    """Mallory connects Alice, who calls her, to Bob, whom she calls. Gives what reached the two."""
    nodes = [await start(network, name, *({"alice", "bob", "mallory"} - {name})) for name in NAMES]
    alice, bob = nodes
    await until(lambda: alice.peer("bob").connected and bob.peer("alice").connected)
    mallory = await Puppet(network, "mallory").start()
    live = [generation(bob, "alice"), generation(alice, "bob")]
    await network.host("alice").run(queue(alice))
    seen = [node.events() for node in nodes]
    while True:
        from_alice = await asyncio.wait_for(mallory.inbound.get(), 90)
        line = await from_alice.receive_line()
        if line is not None and parse(line).sender == id_of("alice"):
            break
    offer = mallory.read(line)
    assert isinstance(offer, Offer)
    if swap:
        offer = Offer(
            offer.session_id, with_fingerprint(offer.sdp, await mallory.link.offer("chat")), offer.p4
        )
    to_bob = await mallory.dial("bob")
    await to_bob.send_line(mallory.seal("bob", offer))
    answer = await mallory.reply(to_bob)
    assert isinstance(answer, Answer)
    await from_alice.send_line(mallory.seal("alice", answer))
    await asyncio.sleep(40)
    assert [generation(bob, "alice"), generation(alice, "bob")] == live, "theirs goes on"
    for node in nodes:
        await node.close()
    told: list[object] = [event for events in seen async for event in events]
    arrived = [waiting for name in NAMES for waiting in network.host(name).disk.inbox.values() if waiting]
    return told + arrived


def generation(node: SimulatedNode, contact: str) -> int | None:
    return node.peer(contact)._connection._machine.live


async def queue(alice: SimulatedNode) -> None:
    await alice.peer("mallory").send("for Mallory's eyes")


def deceived(*, swap: bool) -> bool:
    found: list[object] = []

    async def scenario(network: SimulatedNetwork) -> None:
        found.extend(await attack(network, swap=swap))

    simulate(scenario, conditions=QUICK)
    return any(isinstance(event, LinkUp | dict) for event in found)


@pytest.mark.parametrize("swap", [False, True])
def test_nobody_is_deceived(swap: bool) -> None:
    assert not deceived(swap=swap)


def test_a_node_that_checks_no_signature_is_deceived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LinkProof, "accepts", lambda self, signature: True)
    assert deceived(swap=False)


def test_the_link_of_the_one_who_passes_on_is_not_replaced() -> None:
    """Bob has an honest link with Mallory; the relayed one must not take its place."""

    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await asyncio.gather(
            start(network, "alice", "mallory"), start(network, "bob", "mallory")
        )
        mallory = await Puppet(network, "mallory").start()
        await honest_link(mallory, bob)
        live, events = generation(bob, "mallory"), bob.events()
        while True:
            from_alice = await asyncio.wait_for(mallory.inbound.get(), 90)
            line = await from_alice.receive_line()
            if line is not None and parse(line).sender == id_of("alice"):
                break
        offer = mallory.read(line)
        assert isinstance(offer, Offer)
        to_bob = await mallory.dial("bob")
        await to_bob.send_line(mallory.seal("bob", offer))
        answer = await mallory.reply(to_bob)
        assert isinstance(answer, Answer)
        await from_alice.send_line(mallory.seal("alice", answer))
        await until(
            lambda: "someone else" in alice.peer("mallory").last_failure + bob.peer("mallory").last_failure
        )
        assert generation(bob, "mallory") == live
        assert not alice.peer("mallory").connected
        await events.aclose()
        for node in (alice, bob):
            await node.close()
        assert not [event async for event in events if isinstance(event, LinkUp | LinkDown)]

    simulate(scenario, conditions=QUICK)
