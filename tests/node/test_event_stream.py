"""Events to the application: none lost to another's leaving, none kept for nobody."""

from __future__ import annotations

import asyncio
import gc

from p4.core import limits
from p4.core.identity import PeerId
from p4.node.event_stream import EventHub
from p4.node.events import (
    LinkDown,
    LinkUp,
    NodeWarning,
    RendezvousChanged,
    TextDelivered,
    TextReceived,
)
from p4.ports import InboxMessage, RendezvousPhase, RendezvousStatus
from p4.testing.virtual_time import run

BOB = PeerId("b" * 24)
CAROL = PeerId("c" * 24)


def text(number: int) -> InboxMessage:
    return InboxMessage(BOB, b"e" * 16, number, f"text {number}", 1000 + number)


def test_a_text_is_taken_when_the_next_event_is_asked_for() -> None:
    async def scenario() -> None:
        taken: list[int] = []
        hub = EventHub(lambda message: taken.append(message.number))
        stream = hub.open()
        hub.text(text(1))
        hub.text(text(2))
        event = await anext(stream)
        assert event == TextReceived(BOB, "text 1", 1001)
        assert taken == []
        await anext(stream)
        assert taken == [1]

    run(scenario())


def test_a_text_that_was_handed_out_but_not_taken_goes_to_the_next_stream() -> None:
    async def scenario() -> None:
        taken: list[int] = []
        hub = EventHub(lambda message: taken.append(message.number))
        first = hub.open()
        for number in (1, 2, 3):
            hub.text(text(number))
        await anext(first)
        await anext(first)  # takes 1
        await first.aclose()
        second = hub.open()
        assert [await anext(second), await anext(second)] == [
            TextReceived(BOB, "text 2", 1002),
            TextReceived(BOB, "text 3", 1003),
        ]
        assert taken == [1, 2]

    run(scenario())


def test_a_loop_that_was_left_collects_nothing() -> None:
    async def scenario() -> None:
        hub = EventHub(lambda message: None)
        hub.emit(NodeWarning("nobody hears it"))

        async def first_event() -> object:
            hub_events = hub.open()
            hub.emit(NodeWarning("heard"))
            async for event in hub_events:
                return event
            return None

        assert await first_event() == NodeWarning("heard")
        gc.collect()
        hub.emit(NodeWarning("again nobody"))
        assert hub._streams == []

    run(scenario())


def test_a_reader_that_nobody_refers_to_goes_on() -> None:
    async def scenario() -> None:
        hub = EventHub(lambda message: None)
        seen: list[object] = []

        async def read() -> None:
            async for event in hub.open():
                seen.append(event)  # noqa: PERF401 - one by one is the point

        asyncio.get_running_loop().create_task(read())
        await asyncio.sleep(0)
        gc.collect()
        hub.emit(LinkDown(BOB, "one"))
        await asyncio.sleep(0)
        gc.collect()
        hub.emit(LinkDown(BOB, "two"))
        await asyncio.sleep(0)
        assert seen == [LinkDown(BOB, "one"), LinkDown(BOB, "two")]
        hub.close()
        await asyncio.sleep(0)

    run(scenario())


def test_too_many_texts_that_nobody_takes_stop_the_receiving() -> None:
    async def scenario() -> None:
        hub = EventHub(lambda message: None)
        for number in range(limits.INBOX_UNCONSUMED):
            hub.text(text(number))
        waiting = asyncio.create_task(hub.room())
        await asyncio.sleep(1)
        assert not waiting.done()
        stream = hub.open()
        for _ in range(limits.INBOX_UNCONSUMED // 2 + 1):
            await anext(stream)
        await asyncio.sleep(0)
        assert waiting.done()

    run(scenario())


def test_the_texts_of_a_removed_contact_take_up_no_room() -> None:
    async def scenario() -> None:
        hub = EventHub(lambda message: None)
        for number in range(limits.INBOX_UNCONSUMED):
            hub.text(text(number))
        hub.forget(BOB)
        await hub.room()
        assert not hub._pending

    run(scenario())


def test_a_stream_ends_after_what_it_was_sent() -> None:
    async def scenario() -> None:
        hub = EventHub(lambda message: None)
        stream = hub.open()
        hub.emit(NodeWarning("last"))
        hub.close()
        assert [event async for event in stream] == [NodeWarning("last")]
        assert [event async for event in stream] == []
        assert [event async for event in hub.open()] == []

    run(scenario())


def test_a_reader_that_was_cancelled_lost_nothing() -> None:
    async def scenario() -> None:
        hub = EventHub(lambda message: None)
        stream = hub.open()
        reader = asyncio.create_task(stream.__anext__())
        await asyncio.sleep(0)
        hub.text(text(1))
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        assert await anext(stream) == TextReceived(BOB, "text 1", 1001)

    run(scenario())


def test_a_reader_that_sleeps_for_a_year_loses_no_text_and_fills_no_memory() -> None:
    async def scenario() -> None:
        hub = EventHub(lambda message: None)
        stream = hub.open()
        hub.emit(LinkUp(CAROL, 2))
        for number in range(1, 1001):
            hub.emit(LinkUp(BOB, 2))
            hub.text(text(number))
            hub.emit(TextDelivered(BOB, number))
            hub.emit(LinkDown(BOB, str(number)))
            hub.emit(NodeWarning(str(number)))
            hub.emit(RendezvousChanged(RendezvousStatus(RendezvousPhase.STARTING, number % 100, "")))
        hub.close()
        events = [event async for event in stream]
        assert [event.text for event in events if isinstance(event, TextReceived)] == [
            f"text {number}" for number in range(1, 1001)
        ]
        assert LinkUp(CAROL, 2) in events, "one contact's events push out another's"
        links = [event for event in events if isinstance(event, LinkUp | LinkDown) and event.peer_id == BOB]
        assert [type(event) for event in links] == [LinkUp, LinkDown] * (limits.WAITING_EVENTS // 2)
        for kind in (NodeWarning, TextDelivered, RendezvousChanged):
            assert sum(isinstance(event, kind) for event in events) == limits.WAITING_EVENTS
        # What is so now is what came last.
        assert links[-1] == LinkDown(BOB, "1000")
        assert [event for event in events if isinstance(event, TextDelivered)][-1].number == 1000
        assert [event for event in events if isinstance(event, NodeWarning)][-1].text == "1000"

    run(scenario())


def test_up_and_down_take_turns_for_a_reader_that_had_taken_an_up() -> None:
    async def scenario() -> None:
        hub = EventHub(lambda message: None)
        stream = hub.open()
        hub.emit(LinkUp(BOB, 2))
        assert await anext(stream) == LinkUp(BOB, 2)
        for number in range(100):
            hub.emit(LinkDown(BOB, str(number)))
            hub.emit(LinkUp(BOB, 2))
        hub.close()
        kinds = [type(event) async for event in stream]
        assert kinds == [LinkDown, LinkUp] * (len(kinds) // 2)
        assert len(kinds) <= limits.WAITING_EVENTS

    run(scenario())
