"""Chat with a version 1 peer: its lines, and what it cannot take."""

from __future__ import annotations

import json

import pytest
from tests.node.harness import HIGHER, LOWER, QUICK, Puppet, received, start, until
from tests.sim.simulated_node import SimulatedNode

from p4.core.signaling import Answer
from p4.errors import DeliveryError, P4Error
from p4.node.events import NodeWarning
from p4.ports import ChannelOpened, LinkMessage
from p4.testing import SimulatedNetwork, simulate


async def old_peer(network: SimulatedNetwork) -> tuple[SimulatedNode, Puppet]:
    """A node and a version 1 contact with an open link, made by the contact's offer."""
    node = await start(network, HIGHER, LOWER)
    old = await joined(network)
    await until(lambda: node.peers()[0].connected)
    return node, old


async def joined(network: SimulatedNetwork) -> Puppet:
    """The version 1 contact, which has called the running node and said hello."""
    old = await Puppet(network, LOWER).start()
    stream = await old.dial(HIGHER)
    await stream.send_line(old.seal(HIGHER, await old.offer(announcement=None)))
    reply = await old.reply(stream)
    assert isinstance(reply, Answer)
    await old.link.accept_answer(reply.sdp)
    await until(lambda: ChannelOpened("chat") in old.link_events)
    say(old, {"type": "hello"})
    return old


def say(old: Puppet, message: dict[str, object]) -> None:
    old.link.send("chat", json.dumps({"from_peer_id": old.identity.peer_id, "timestamp": 1, **message}))


def chats(old: Puppet) -> list[str]:
    heard = [json.loads(e.data) for e in old.link_events if isinstance(e, LinkMessage)]
    return [line["text"] for line in heard if line["type"] == "chat"]


def test_a_text_whose_escapes_do_not_fit_reaches_a_version_1_peer_in_parts() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, old = await old_peer(network)
        long = "\x01" * 32 * 1024  # six bytes each in JSON
        receipts = await network.host(HIGHER).run(node.peers()[0].send_many([long, "after"]))
        await receipts[-1].delivered()
        lines = chats(old)
        assert "".join(lines[:-1]) == long
        assert lines[-1] == "after"
        assert node.peers()[0].connected
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_half_a_character_from_a_version_1_peer_is_shown_as_such() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, old = await old_peer(network)
        say(old, {"type": "chat", "text": "half \ud83d"})
        say(old, {"type": "chat", "text": "whole"})
        assert await received(node, 2) == ["half ?", "whole"]
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_what_a_version_1_peer_cannot_take_is_refused_or_dropped_with_a_word() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, HIGHER, LOWER)
        told = node.events()
        # Its version is not known yet.
        peer = node.peers()[0]
        unfit, fit = await network.host(HIGHER).run(peer.send_many([{"not": "a text"}, "a text"]))
        old = await joined(network)
        await until(lambda: chats(old) == ["a text"])
        await fit.delivered()
        with pytest.raises(DeliveryError) as caught:
            await unfit.delivered()
        assert caught.value.code == "not-supported"
        with pytest.raises(P4Error) as refused:
            await peer.send({"not": "a text"})
        assert refused.value.code == "not-supported"
        await until(lambda: peer.queued == 0)
        await node.close()
        assert not any(network.host(HIGHER).disk.outbox.values())
        (warning,) = [event.text async for event in told if isinstance(event, NodeWarning)]
        assert "One message to" in warning
        assert "older program" in warning

    simulate(scenario, conditions=QUICK)
