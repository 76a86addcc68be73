"""One link: who is at its far end, and what may arrive before that is known."""

from __future__ import annotations

import json

from tests.node.harness import ANNOUNCEMENT, HIGHER, LOWER, QUICK, Puppet, id_of, start, until
from tests.sim.simulated_node import SimulatedNode

from p4.core import limits
from p4.core.session.frames import Bye, ByeReason, Ping, Resume, encode
from p4.core.signaling import Answer
from p4.node.events import LinkUp, TextReceived
from p4.ports import ChannelOpened, LinkClosed
from p4.testing import SimulatedNetwork, simulate


async def open_link(network: SimulatedNetwork, *, version_2: bool) -> tuple[SimulatedNode, Puppet]:
    """The contact offered, the node answered, the channel ``chat`` is open; nobody has proved anything."""
    node = await start(network, HIGHER, LOWER)
    contact = await Puppet(network, LOWER).start()
    stream = await contact.dial(HIGHER)
    offer = await contact.offer(announcement=ANNOUNCEMENT if version_2 else None)
    await stream.send_line(contact.seal(HIGHER, offer))
    reply = await contact.reply(stream)
    assert isinstance(reply, Answer)
    await contact.link.accept_answer(reply.sdp)
    await until(lambda: ChannelOpened("chat") in contact.link_events)
    return node, contact


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


def test_a_link_that_never_says_hello_is_given_up() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact = await open_link(network, version_2=True)
        await until(
            lambda: any(isinstance(event, LinkClosed) for event in contact.link_events),
            seconds=limits.LINK_OPEN_SECONDS + 1,
        )
        assert not node.peers()[0]._sessions
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_frames_that_came_early_and_end_with_a_goodbye_leave_no_dead_link() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact = await open_link(network, version_2=True)
        contact.link.open_channel("p4")
        await until(lambda: ChannelOpened("p4") in contact.link_events)
        for frame in (Resume(b"e" * 16, 1, bytes(16), 1), Bye(ByeReason.SHUTDOWN), Ping(7)):
            contact.link.send("p4", encode(frame))
        contact.link.send("chat", hello(LOWER))
        await until(lambda: any(isinstance(event, LinkClosed) for event in contact.link_events))
        peer = node.peers()[0]
        assert not peer.connected
        assert not peer._sessions
        assert peer._machine.deadline is not None, "it dials again"
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_more_early_frames_than_anyone_needs_end_the_link() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact = await open_link(network, version_2=True)
        contact.link.open_channel("p4")
        await until(lambda: ChannelOpened("p4") in contact.link_events)
        for _ in range(100):
            contact.link.send("p4", b"\x80" + bytes(60_000))
        await until(lambda: any(isinstance(event, LinkClosed) for event in contact.link_events))
        assert not node.peers()[0]._sessions
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_version_2_link_without_its_second_channel_is_given_up() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact = await open_link(network, version_2=True)
        contact.link.send("chat", hello(LOWER))
        await until(lambda: node.peers()[0].connected)
        await until(lambda: not node.peers()[0].connected, seconds=limits.CHANNEL_SECONDS + 1)
        await node.close()

    simulate(scenario, conditions=QUICK)
