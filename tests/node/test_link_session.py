"""One link: who is at its far end, and what may arrive before that is known."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from tests.node.far_end import RESUME, heard, negotiated, open_channel, open_link, over, text
from tests.node.harness import HIGHER, LOWER, QUICK, Puppet, id_of, received, until
from tests.sim.simulated_node import SimulatedNode

from p4.core import limits
from p4.core.session.frames import (
    Bind,
    Bye,
    ByeReason,
    Frame,
    Ping,
    encode,
)
from p4.core.session.session_frames import Grants, Resume
from p4.core.signaling import Answer, Offer
from p4.node.events import LinkUp
from p4.ports import LinkClosed, LinkMessage
from p4.testing import SimulatedNetwork, simulate


def hello(sender: str) -> str:
    return json.dumps({"type": "hello", "from_peer_id": id_of(sender), "timestamp": 1})


def chat(sender: str, text: str) -> str:
    return json.dumps({"type": "chat", "from_peer_id": id_of(sender), "text": text, "timestamp": 1})


def test_a_link_whose_far_end_is_someone_else_is_refused() -> None:
    """A contact passed on another's description: the hello comes from that other one."""

    async def scenario(network: SimulatedNetwork) -> None:
        node, contact = await open_link(network, version_2=False)
        events = node.events()
        contact.link.send("chat", chat("mallory", "before the hello"))
        contact.link.send("chat", hello("mallory"))
        contact.link.send("chat", chat("mallory", "after the hello"))
        await until(lambda: any(isinstance(event, LinkClosed) for event in contact.link_events))
        assert not node.peers()[0].connected
        assert "someone else" in node.peers()[0].last_failure
        await node.close()
        assert not [event async for event in events if isinstance(event, LinkUp)]
        assert not any(network.host(HIGHER).disk.inbox.values())

    simulate(scenario, conditions=QUICK)


def test_nothing_is_delivered_before_the_hello() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact = await open_link(network, version_2=False)
        for message in ("", "[]", "null", "{", "[" * 60_000, '{"type": 7}', chat(LOWER, "too early")):
            contact.link.send("chat", message)
        contact.link.send("chat", hello(LOWER))
        contact.link.send("chat", chat(LOWER, "in time"))
        await until(lambda: node.peers()[0].connected)
        assert await received(node, 1) == ["in time"]
        assert not any(network.host(HIGHER).disk.inbox.values())
        await node.close()

    simulate(scenario, conditions=QUICK)


@pytest.mark.parametrize("channel", [False, True])
def test_a_hello_proves_nothing_between_version_2_peers(channel: bool) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact = (await (open_channel if channel else negotiated_2)(network))[:2]
        events = node.events()
        contact.link.send("chat", hello(LOWER))
        contact.link.send("chat", chat(LOWER, "unproven"))
        await until(lambda: over(contact), seconds=limits.LINK_OPEN_SECONDS + 1)
        assert not node.peers()[0]._connection._attempts._sessions
        await node.close()
        assert not [event async for event in events if isinstance(event, LinkUp)]
        assert not any(network.host(HIGHER).disk.inbox.values())

    simulate(scenario, conditions=QUICK)


async def negotiated_2(network: SimulatedNetwork) -> tuple[SimulatedNode, Puppet, Offer, Answer]:
    return await negotiated(network, version_2=True)


def test_our_signature_is_the_first_frame_and_waits_for_nothing() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact, offer, answer = await open_channel(network)
        await until(lambda: any(isinstance(e, LinkMessage) and e.label == "p4" for e in contact.link_events))
        contact.bind(HIGHER, offer, answer)
        await until(lambda: node.peers()[0].connected)
        await asyncio.sleep(0.1)
        frames = heard(contact)
        # Without waiting for anything of the contact's.
        assert [type(frame) for frame in frames[:3]] == [Bind, Resume, Grants]
        assert [type(frame) for frame in frames].count(Resume) == 1
        await node.close()

    simulate(scenario, conditions=QUICK)


@pytest.mark.parametrize("wrong", ["nonce", "fingerprint", "session", "role", "reflected", "zeros"])
def test_a_proof_of_something_else_ends_the_link(wrong: str) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact, offer, answer = await open_channel(network)
        events = node.events()
        assert answer.p4 is not None
        if wrong == "nonce":
            answer = replace(answer, p4=replace(answer.p4, nonce="22" * 16))
        elif wrong == "fingerprint":
            answer = replace(answer, sdp=offer.sdp)
        elif wrong == "session":
            offer = replace(offer, session_id="another")
        if wrong == "reflected":
            await until(lambda: isinstance(contact.link_events[-1], LinkMessage))
            (theirs,) = (
                e.data for e in contact.link_events if isinstance(e, LinkMessage) and e.label == "p4"
            )
            contact.link.send("p4", theirs)
        elif wrong == "zeros":
            contact.link.send("p4", encode(Bind(bytes(64))))
        else:
            contact.bind(HIGHER, offer, answer, offered=wrong != "role")
        for frame in (RESUME, Grants(("chat",)), text(1, "from nobody")):
            contact.link.send("p4", encode(frame))
        await until(lambda: over(contact))
        assert "someone else" in node.peers()[0].last_failure
        await node.close()
        assert not [event async for event in events if isinstance(event, LinkUp)]
        assert not any(network.host(HIGHER).disk.inbox.values())

    simulate(scenario, conditions=QUICK)


@pytest.mark.parametrize("first", [RESUME, Grants(()), text(1, "early"), Ping(1)])
def test_nothing_but_a_proof_may_be_the_first_frame(first: Frame) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact, offer, answer = await open_channel(network)
        contact.link.send("p4", encode(first))
        contact.bind(HIGHER, offer, answer)
        await until(lambda: over(contact))
        assert not node.peers()[0]._connection._attempts._sessions
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_second_proof_ends_the_link() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact, offer, answer = await open_channel(network)
        contact.bind(HIGHER, offer, answer)
        await until(lambda: node.peers()[0].connected)
        contact.bind(HIGHER, offer, answer)
        await until(lambda: not node.peers()[0].connected)
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_frames_that_follow_the_proof_and_end_with_a_goodbye_leave_no_dead_link() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact, offer, answer = await open_channel(network)
        contact.bind(HIGHER, offer, answer)
        for frame in (RESUME, Bye(ByeReason.SHUTDOWN), Ping(7)):
            contact.link.send("p4", encode(frame))
        await until(lambda: over(contact))
        peer = node.peers()[0]
        assert not peer.connected
        assert not peer._connection._attempts._sessions
        assert peer._connection._machine.deadline is not None, "it dials again"
        await node.close()

    simulate(scenario, conditions=QUICK)
