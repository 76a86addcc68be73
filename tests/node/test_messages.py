"""Messages between whole nodes: in order, once, of every kind, and through disks full for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.node.far_end import RESUME, in_service, open_channel, over, text
from tests.node.harness import HIGHER, LOWER, QUICK, linked, received, start, until
from tests.sim.simulated_node import SimulatedNode, book_for

from p4.core import limits
from p4.core.session.frames import Frame, encode
from p4.core.session.messages.stored import Quota
from p4.core.session.session_frames import Ack, Resume
from p4.errors import DeliveryError, InputError, StateError
from p4.node.events import LinkDown, NodeEvent, NodeWarning
from p4.node.options import NodeOptions
from p4.node.receipts import Receipt, ReceiptState
from p4.testing import SimulatedNetwork, simulate

FULL = StateError("The disk is full. Nothing was written.", path="(memory)", code="full")


async def send(network: SimulatedNetwork, node: SimulatedNode, *values: object) -> list[Receipt]:
    async def all_at_once() -> list[Receipt]:
        return await asyncio.gather(*(node.peers()[0].send(value) for value in values))

    return await network.host(node._host.place).run(all_at_once())


async def ended(*nodes: SimulatedNode) -> None:
    for node in nodes:
        await node.close()


async def warnings(events: AsyncIterator[NodeEvent]) -> list[str]:
    return [event.text async for event in events if isinstance(event, NodeWarning)]


# --- order and names ------------------------------------------------------------------------------


def test_messages_sent_at_one_moment_arrive_in_the_order_of_their_numbers() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        receipts = await send(network, lower, *range(100))
        assert [receipt.number for receipt in receipts] == list(range(1, 101))
        messages = higher.messages("chat")
        async with asyncio.timeout(60):
            found = [await anext(messages) for _ in range(100)]
        assert [message.value for message in found] == list(range(100))
        assert [message.id for message in found] == [receipt.id for receipt in receipts]
        assert {message.peer.peer_id for message in found} == {lower.peer_id}
        await receipts[-1].delivered()
        assert lower.peers()[0].queued == 0
        await ended(lower, higher)

    simulate(scenario, conditions=QUICK)


def test_a_sender_that_gave_up_waiting_did_not_lose_or_double_a_message() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        host = network.host(LOWER)
        for number in range(20):
            task = host.spawn(lower.peers()[0].send(number))
            await asyncio.sleep(number * 0.01)
            task.cancel()
        (last,) = await send(network, lower, "last")
        await last.delivered()
        values = await received(higher, last.number)
        assert values[:-1] == sorted({int(str(value)) for value in values[:-1]})
        assert len(values) >= 20, "what had begun was handed over"
        await ended(lower, higher)

    simulate(scenario, conditions=QUICK)


@pytest.mark.parametrize("full", [LOWER, HIGHER], ids=["the sender's", "the receiver's"])
def test_a_disk_that_is_full_for_a_while_does_not_end_the_link(full: str) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        nodes = await linked(network)
        await asyncio.sleep(6)
        events = [node.events() for node in nodes]
        (receipt,) = await send(network, nodes[0], "before")
        network.host(full).disk.failure = FULL
        await asyncio.sleep(60)
        assert all(node.peers()[0].connected for node in nodes)
        network.host(full).disk.failure = None
        await receipt.delivered()
        assert await received(nodes[1], 1) == ["before"]
        await ended(*nodes)
        reasons = [event.reason for stream in events async for event in stream if isinstance(event, LinkDown)]
        assert all("ended it" in reason or "closed it" in reason for reason in reasons), reasons

    simulate(scenario, conditions=QUICK)


# --- values ---------------------------------------------------------------


def test_every_kind_of_value_arrives_as_it_was() -> None:
    values: list[object] = [
        None,
        True,
        -(2**60),
        0.1,
        "",
        "ä😀\x00",
        [],
        {"a": [1, {"b": None}]},
        b"",
        b"\x00\xff",
        bytes(limits.BODY_BYTES),
        "x" * (limits.BODY_BYTES - 2),
        "after the long ones",
    ]

    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        down = [node.events() for node in (lower, higher)]
        await send(network, lower, *values)
        found = await received(higher, len(values))
        assert found == values
        assert [type(value) for value in found] == [type(value) for value in values]
        await asyncio.gather(*(events.aclose() for events in down))
        assert not [event for events in down async for event in events], "parts and heartbeats got on"
        await ended(lower, higher)

    simulate(scenario, conditions=QUICK)


@pytest.mark.parametrize(
    ("value", "options", "code"),
    [
        (object(), {}, "not-json"),
        (float("nan"), {}, "not-json"),
        ("\ud800", {}, "not-json"),
        ({1: 2}, {}, "not-json"),
        (bytes(limits.BODY_BYTES + 1), {}, "too-large"),
        ("x" * (limits.BODY_BYTES - 1), {}, "too-large"),
        ("x", {"service": ""}, "bad-service"),
        ("x", {"service": "Chat"}, "bad-service"),
        ("x", {"service": "*"}, "bad-service"),
        ("x", {"ttl": 0}, "bad-ttl"),
        ("x", {"ttl": float("nan")}, "bad-ttl"),
        ("x", {"ttl": limits.TTL_MS}, "bad-ttl"),
        ("x", {"latest": "k" * (limits.KEY_BYTES + 1)}, "bad-key"),
        ("x", {"latest": "\ud800"}, "bad-key"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is_written(
    value: object, options: dict[str, object], code: str
) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, LOWER, HIGHER)
        peer = node.peers()[0]
        with pytest.raises(InputError) as caught:
            await peer.send(value, **options)  # type: ignore[arg-type]
        assert caught.value.code == code
        if "latest" not in options:
            with pytest.raises(InputError):
                await peer.send_many(["good", value], **options)  # type: ignore[arg-type]
        assert peer.queued == 0
        assert not any(network.host(LOWER).disk.outbox.values())
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_many_are_accepted_wholly_or_not_at_all() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        options = NodeOptions(quota=Quota(messages=10, bytes=100))
        node = SimulatedNode(network.host(LOWER), book_for(network, LOWER, [HIGHER]), options)
        await network.host(LOWER).run(node.start())
        peer = node.peers()[0]
        assert await peer.send_many([]) == []
        assert [receipt.number for receipt in await peer.send_many(range(8))] == list(range(1, 9))
        for values in (range(3), [b"x" * 100]):
            with pytest.raises(StateError) as caught:
                await peer.send_many(values)
            assert caught.value.code == "outbox-full"
            assert peer.queued == 8
        assert [receipt.number for receipt in await peer.send_many(range(2))] == [9, 10]
        with pytest.raises(StateError):
            await peer.send(1)
        await node.close()

    simulate(scenario, conditions=QUICK)


# --- latest values, time to live ------------------------------------------------------------------


@pytest.mark.parametrize("restarts", [False, True])
def test_of_values_that_could_not_be_sent_only_the_latest_arrives(restarts: bool) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        told = [node.events() for node in (lower, higher)]
        await (await send(network, lower, "first"))[0].delivered()
        await higher.close()
        host, peer = network.host(LOWER), lower.peers()[0]
        await until(lambda: not peer.connected)
        receipts = [
            await host.run(peer.send(number, latest="level" if number % 2 else "other"))
            for number in range(10)
        ]
        for receipt in receipts[:-2]:
            assert receipt.state is ReceiptState.DROPPED
            with pytest.raises(DeliveryError) as caught:
                await receipt.delivered()
            assert caught.value.code == "replaced"
        assert peer.queued == 2
        if restarts:
            await ended(lower)
            host.crash()
            lower = await start(network, LOWER, HIGHER)
            told.append(lower.events())
        network.host(HIGHER).crash()
        higher = await start(network, HIGHER, LOWER)
        told.append(higher.events())
        assert await received(higher, 3) == ["first", 8, 9]
        await until(lambda: lower.peers()[0].queued == 0)
        await ended(lower, higher)
        assert [text for events in told for text in await warnings(events)] == [], "nothing was lost"

    simulate(scenario, conditions=QUICK)


def test_a_value_that_the_application_has_not_seen_is_replaced_where_it_waits() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        host, peer = network.host(LOWER), lower.peers()[0]
        messages = higher.messages("chat")
        for number in range(3):
            await (await host.run(peer.send(number, latest="level"))).delivered()
        first = await anext(messages)
        assert first.value == 2
        # What the application has been given stays, whatever follows.
        await (await host.run(peer.send(3, latest="level"))).delivered()
        await first.done()
        assert (await anext(messages)).value == 3
        await ended(lower, higher)

    simulate(scenario, conditions=QUICK)


def test_what_is_of_no_use_any_more_is_not_delivered() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        told = [node.events() for node in (lower, higher)]
        host, peer = network.host(LOWER), lower.peers()[0]
        waits = await host.run(peer.send("waits at the receiver", ttl=20))
        await waits.delivered()
        network.partition([LOWER], [HIGHER])
        await until(lambda: not peer.connected)
        late = await host.run(peer.send("waits at the sender", ttl=20))
        for value in ("in time", "for ever"):
            await host.run(peer.send(value, ttl=600 if value == "in time" else None))
        await asyncio.sleep(30)
        network.heal()
        assert await received(higher, 2) == ["in time", "for ever"]
        with pytest.raises(DeliveryError) as caught:
            await late.delivered()
        assert caught.value.code == "expired"
        await until(lambda: not any(network.host(HIGHER).disk.inbox.values()))
        await ended(lower, higher)
        assert [text for events in told for text in await warnings(events)] == []

    simulate(scenario, conditions=QUICK)


# --- applications that do not take what comes -----------------------------------------------------


def test_a_contact_keeps_what_nobody_takes_here_until_somebody_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INBOX_UNCONSUMED", 50)

    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        told = higher.events()
        for number in range(0, 200, 5):
            await send(network, lower, *range(number, number + 5))
            await asyncio.sleep(0.5)
        await asyncio.sleep(60)
        (waiting,) = network.host(HIGHER).disk.inbox.values()
        assert 50 <= len(waiting) < 100
        assert lower.peers()[0].queued == 200 - len(waiting)
        assert lower.peers()[0].connected
        (last,) = await send(network, lower, 200)
        taken: list[object] = []
        messages = higher.messages("chat")
        async with asyncio.timeout(60):
            while len(taken) < 201:
                message = await anext(messages)
                taken.append(message.value)
                message.done()
            await last.consumed()
        assert taken == list(range(201))
        await ended(lower, higher)
        warned = await warnings(told)
        assert warned
        assert all("waits here" in text for text in warned)

    simulate(scenario, conditions=QUICK)


def test_services_that_nobody_reads_do_not_hold_up_those_that_are_read() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        await network.host(HIGHER).run(higher.peers()[0].grant("*"))
        await asyncio.sleep(1)
        peer, host = lower.peers()[0], network.host(LOWER)
        unread = await host.run(peer.send_many(range(100), service="unread"))
        await host.run(peer.send("read"))
        assert await received(higher, 1) == ["read"]
        assert {receipt.state for receipt in unread} == {ReceiptState.DELIVERED}
        theirs = higher.peers()[0].messages("unread")
        assert [(await anext(theirs)).value for _ in range(100)] == list(range(100))
        await ended(lower, higher)

    simulate(scenario, conditions=QUICK)


# --- contacts that break the rules ----------------------------------------------------------------


def test_messages_beyond_the_window_end_the_link() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact = await in_service(network)
        network.host(HIGHER).disk.failure = FULL
        for number in range(1, 3 * limits.SEND_WINDOW_MESSAGES):
            contact.link.send("p4", encode(text(number, "x")))
        await until(lambda: over(contact))
        assert "broke the protocol" in node.peers()[0].last_failure
        network.host(HIGHER).disk.failure = None
        await node.close()

    simulate(scenario, conditions=QUICK)


@pytest.mark.parametrize("frame", [RESUME, Ack(3)], ids=["a second RESUME", "confirms what was not sent"])
def test_a_frame_out_of_turn_ends_the_link(frame: Frame) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact = await in_service(network)
        await send(network, node, "a", "b")
        await asyncio.sleep(1)
        contact.link.send("p4", encode(frame))
        await until(lambda: over(contact))
        assert node.peers()[0].queued == 2
        await node.close()

    simulate(scenario, conditions=QUICK)


@pytest.mark.parametrize(("out_first", "in_next"), [(0, 1), (1, 0), (2**53 + 1, 1), (1, 2**63)])
def test_impossible_numbers_in_a_resume_end_the_link(out_first: int, in_next: int) -> None:
    """Such a number must not reach the disk, where it would be believed after a restart."""

    async def scenario(network: SimulatedNetwork) -> None:
        node, contact, offer, answer = await open_channel(network)
        contact.bind(HIGHER, offer, answer)
        contact.link.send("p4", encode(Resume(b"e" * 16, out_first, bytes(16), in_next)))
        await until(lambda: over(contact))
        assert all(record.in_next == 1 for record in network.host(HIGHER).disk.peers.values())
        await node.close()

    simulate(scenario, conditions=QUICK)
