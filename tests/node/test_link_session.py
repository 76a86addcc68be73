"""One link: who is at its far end, and what may arrive before that is known."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from tests.node.harness import ANNOUNCEMENT, HIGHER, LOWER, QUICK, Puppet, id_of, start, until
from tests.sim.simulated_node import SimulatedNode

from p4.core import limits
from p4.core.session.frames import Bind, Bye, ByeReason, Frame, Ping, Resume, Text, decode, encode
from p4.core.signaling import Answer, Offer
from p4.node.events import LinkUp, TextReceived
from p4.ports import ChannelOpened, LinkClosed, LinkMessage
from p4.testing import SimulatedNetwork, simulate


async def open_link(network: SimulatedNetwork, *, version_2: bool) -> tuple[SimulatedNode, Puppet]:
    """The contact offered, the node answered, ``chat`` is open; nobody has proved anything."""
    node, contact, _, _ = await negotiated(network, version_2=version_2)
    return node, contact


async def negotiated(
    network: SimulatedNetwork, *, version_2: bool
) -> tuple[SimulatedNode, Puppet, Offer, Answer]:
    node = await start(network, HIGHER, LOWER)
    contact = await Puppet(network, LOWER).start()
    stream = await contact.dial(HIGHER)
    offer = await contact.offer(announcement=ANNOUNCEMENT if version_2 else None)
    await stream.send_line(contact.seal(HIGHER, offer))
    reply = await contact.reply(stream)
    assert isinstance(reply, Answer)
    await contact.link.accept_answer(reply.sdp)
    await until(lambda: ChannelOpened("chat") in contact.link_events)
    return node, contact, offer, reply


async def open_channel(network: SimulatedNetwork) -> tuple[SimulatedNode, Puppet, Offer, Answer]:
    """As `negotiated`, and ``p4`` is open as well."""
    node, contact, offer, answer = await negotiated(network, version_2=True)
    contact.link.open_channel("p4")
    await until(lambda: ChannelOpened("p4") in contact.link_events)
    return node, contact, offer, answer


def over(contact: Puppet) -> bool:
    return any(isinstance(event, LinkClosed) for event in contact.link_events)


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
        assert not [event async for event in events if isinstance(event, LinkUp | TextReceived)]

    simulate(scenario, conditions=QUICK)


def test_nothing_is_delivered_before_the_hello() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact = await open_link(network, version_2=False)
        events = node.events()
        for message in ("", "[]", "null", "{", "[" * 60_000, '{"type": 7}', chat(LOWER, "too early")):
            contact.link.send("chat", message)
        contact.link.send("chat", hello(LOWER))
        contact.link.send("chat", chat(LOWER, "in time"))
        await until(lambda: node.peers()[0].connected)
        await until(lambda: any(text.text == "in time" for text in network.host(HIGHER).disk.inbox))
        await node.close()
        assert [e.text async for e in events if isinstance(e, TextReceived)] == ["in time"]

    simulate(scenario, conditions=QUICK)


@pytest.mark.parametrize("channel", [False, True])
def test_a_hello_proves_nothing_between_version_2_peers(channel: bool) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact = (await (open_channel if channel else negotiated_2)(network))[:2]
        events = node.events()
        contact.link.send("chat", hello(LOWER))
        contact.link.send("chat", chat(LOWER, "unproven"))
        await until(lambda: over(contact), seconds=limits.LINK_OPEN_SECONDS + 1)
        assert not node.peers()[0]._sessions
        await node.close()
        assert not [event async for event in events if isinstance(event, LinkUp | TextReceived)]

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
        frames = [
            decode(event.data)
            for event in contact.link_events
            if isinstance(event, LinkMessage) and isinstance(event.data, bytes)
        ]
        assert isinstance(frames[0], Bind)
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
        contact.link.send("p4", encode(Resume(b"e" * 16, 1, bytes(16), 1)))
        contact.link.send("p4", encode(Text(1, "from nobody")))
        await until(lambda: over(contact))
        assert "someone else" in node.peers()[0].last_failure
        await node.close()
        assert not [event async for event in events if isinstance(event, LinkUp | TextReceived)]

    simulate(scenario, conditions=QUICK)


@pytest.mark.parametrize("first", [Resume(b"e" * 16, 1, bytes(16), 1), Text(1, "early"), Ping(1)])
def test_nothing_but_a_proof_may_be_the_first_frame(first: Frame) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact, offer, answer = await open_channel(network)
        contact.link.send("p4", encode(first))
        contact.bind(HIGHER, offer, answer)
        await until(lambda: over(contact))
        assert not node.peers()[0]._sessions
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
        for frame in (Resume(b"e" * 16, 1, bytes(16), 1), Bye(ByeReason.SHUTDOWN), Ping(7)):
            contact.link.send("p4", encode(frame))
        await until(lambda: over(contact))
        peer = node.peers()[0]
        assert not peer.connected
        assert not peer._sessions
        assert peer._machine.deadline is not None, "it dials again"
        await node.close()

    simulate(scenario, conditions=QUICK)
