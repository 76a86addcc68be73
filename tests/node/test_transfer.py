"""Texts over links: in order, once, and through disks that are full for a while."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.node.harness import HIGHER, LOWER, QUICK, Puppet, linked, start, until
from tests.sim.simulated_node import SimulatedNode

from p4.core import limits
from p4.core.session.frames import Ack, Frame, Resume, Text, encode
from p4.core.signaling import Answer
from p4.errors import FrameError, StateError
from p4.node.events import LinkDown, TextDelivered, TextReceived
from p4.node.transfer import TransferV2
from p4.ports import ChannelOpened, LinkMessage
from p4.testing import SimulatedNetwork, simulate

FULL = StateError("The disk is full. Nothing was written.", path="(memory)", code="full")


async def texts(node: SimulatedNode, count: int) -> list[str]:
    found: list[str] = []
    async with asyncio.timeout(60):
        async for event in node.events():
            if isinstance(event, TextReceived):
                found.append(event.text)
            if len(found) == count:
                break
    return found


def test_texts_sent_at_one_moment_arrive_in_the_order_of_their_numbers() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        peer = lower.peers()[0]
        numbers = await network.host(LOWER).run(send_all(lower, [str(n) for n in range(100)]))
        assert numbers == list(range(1, 101))
        assert await texts(higher, 100) == [str(n) for n in range(100)]
        await until(lambda: peer.queued == 0)
        for node in (lower, higher):
            await node.close()

    simulate(scenario, conditions=QUICK)


async def send_all(node: SimulatedNode, lines: list[str]) -> list[int]:
    return await asyncio.gather(*(node.peers()[0].send_text(line) for line in lines))


def test_a_sender_that_gave_up_waiting_did_not_lose_or_double_a_text() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        host = network.host(LOWER)
        for number in range(20):
            task = host.spawn(lower.peers()[0].send_text(str(number)))
            await asyncio.sleep(number * 0.01)
            task.cancel()
        await host.run(lower.peers()[0].send_text("last"))
        await until(lambda: lower.peers()[0].queued == 0)
        received = await texts(higher, 20)
        assert [int(text) for text in received[:19]] == sorted({int(text) for text in received[:19]})
        for node in (lower, higher):
            await node.close()

    simulate(scenario, conditions=QUICK)


@pytest.mark.parametrize("full", [LOWER, HIGHER], ids=["the sender's", "the receiver's"])
def test_a_disk_that_is_full_for_a_while_does_not_end_the_link(full: str) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        nodes = {LOWER: lower, HIGHER: higher}
        await asyncio.sleep(6)
        events = [node.events() for node in nodes.values()]
        sending = network.host(LOWER).spawn(lower.peers()[0].send_text("before"))
        await sending
        network.host(full).disk.failure = FULL
        await asyncio.sleep(60)
        assert all(node.peers()[0].connected for node in nodes.values())
        network.host(full).disk.failure = None
        await until(lambda: lower.peers()[0].queued == 0)
        for node in nodes.values():
            await node.close()
        seen = [event for stream in events async for event in stream]
        reasons = [event.reason for event in seen if isinstance(event, LinkDown)]
        assert all("ended it" in reason or "closed it" in reason for reason in reasons), reasons
        assert [event.text for event in seen if isinstance(event, TextReceived)] == ["before"]

    simulate(scenario, conditions=QUICK)


async def old_peer(network: SimulatedNetwork) -> tuple[SimulatedNode, Puppet]:
    """A node and a version 1 contact with an open link, made by the contact's offer."""
    node = await start(network, HIGHER, LOWER)
    old = await Puppet(network, LOWER).start()
    stream = await old.dial(HIGHER)
    await stream.send_line(old.seal(HIGHER, await old.offer(announcement=None)))
    reply = await old.reply(stream)
    assert isinstance(reply, Answer)
    await old.link.accept_answer(reply.sdp)
    await until(lambda: ChannelOpened("chat") in old.link_events)
    return node, old


def say(old: Puppet, message: dict[str, object]) -> None:
    old.link.send("chat", json.dumps({"from_peer_id": old.identity.peer_id, "timestamp": 1, **message}))


def chats(old: Puppet) -> list[str]:
    heard = [json.loads(e.data) for e in old.link_events if isinstance(e, LinkMessage)]
    return [line["text"] for line in heard if line["type"] == "chat"]


def test_a_text_whose_escapes_do_not_fit_reaches_a_version_1_peer_in_parts() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, old = await old_peer(network)
        say(old, {"type": "hello"})
        await until(lambda: node.peers()[0].connected)
        events = node.events()
        long = "\x01" * limits.TEXT_BYTES  # six bytes each in JSON
        await network.host(HIGHER).run(node.peers()[0].send_text(long))
        await network.host(HIGHER).run(node.peers()[0].send_text("after"))
        await until(lambda: node.peers()[0].queued == 0)
        lines = chats(old)
        assert "".join(lines[:-1]) == long
        assert lines[-1] == "after"
        assert node.peers()[0].connected
        await node.close()
        assert TextDelivered(old.identity.peer_id, 2) in [event async for event in events]

    simulate(scenario, conditions=QUICK)


def test_half_a_character_from_a_version_1_peer_is_shown_as_such() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, old = await old_peer(network)
        say(old, {"type": "hello"})
        await until(lambda: node.peers()[0].connected)
        say(old, {"type": "chat", "text": "half \ud83d"})
        say(old, {"type": "chat", "text": "whole"})
        assert await texts(node, 2) == ["half ?", "whole"]
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_texts_beyond_the_window_end_the_link() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        await asyncio.sleep(1)  # until its second channel is open
        session = next(iter(lower.peers()[0]._sessions.values()))
        transfer = session._transfer
        generation = higher.peers()[0]._machine.live

        async def flood() -> None:
            for number in range(1, 3 * limits.SEND_WINDOW_MESSAGES):
                session._link.send("p4", encode(Text(number, "x")))

        assert transfer is not None
        network.host(HIGHER).disk.failure = FULL
        await network.host(LOWER).run(flood())
        await until(lambda: higher.peers()[0]._machine.live != generation)
        network.host(HIGHER).disk.failure = None
        for node in (lower, higher):
            await node.close()

    simulate(scenario, conditions=QUICK)


@pytest.mark.parametrize(
    "frame",
    [
        Resume(b"e" * 16, 1, bytes(16), 1),
        Ack(3),
    ],
    ids=["a second RESUME", "a confirmation of what was not sent"],
)
def test_a_frame_out_of_turn_ends_the_link(frame: Frame) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        await asyncio.sleep(1)  # until its second channel is open
        session = next(iter(lower.peers()[0]._sessions.values()))
        generation = higher.peers()[0]._machine.live

        async def send() -> None:
            session._link.send("p4", encode(frame))

        for text in ("a", "b"):
            await network.host(HIGHER).run(higher.peers()[0].send_text(text))
        await network.host(LOWER).run(send())
        await until(lambda: higher.peers()[0]._machine.live != generation)
        for node in (lower, higher):
            await node.close()

    simulate(scenario, conditions=QUICK)


@pytest.mark.parametrize(("out_first", "in_next"), [(0, 1), (1, 0), (2**53 + 1, 1), (1, 2**63)])
def test_impossible_numbers_in_a_resume_end_the_link(out_first: int, in_next: int) -> None:
    """Such a number must not reach the disk, where it would be believed after a restart."""

    async def scenario(network: SimulatedNetwork) -> None:
        higher = await start(network, HIGHER, LOWER)
        mailbox = higher.peers()[0]._mailbox
        broken: list[str] = []
        transfer = TransferV2(
            network.host(HIGHER).links().create(None, lambda event: None),  # type: ignore[arg-type] # unused
            "p4",
            mailbox,
            send=lambda frame: None,
            failed=broken.append,
        )
        with pytest.raises(FrameError) as caught:
            transfer.handle(Resume(b"e" * 16, out_first, bytes(16), in_next))
        assert caught.value.code == "bad-number"
        await higher.close()

    simulate(scenario, conditions=QUICK)
