"""Events to the application: none lost to another's leaving, none kept for nobody."""

from __future__ import annotations

import asyncio
import gc

from p4.core import limits
from p4.core.identity import PeerId
from p4.node.event_stream import EventHub
from p4.node.events import LinkDown, LinkUp, NodeWarning, RendezvousChanged
from p4.ports import RendezvousPhase, RendezvousStatus
from p4.testing.virtual_time import run

BOB = PeerId("b" * 24)
CAROL = PeerId("c" * 24)


def test_a_loop_that_was_left_collects_nothing() -> None:
    async def scenario() -> None:
        hub = EventHub()
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
        hub = EventHub()
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


def test_a_stream_ends_after_what_it_was_sent() -> None:
    async def scenario() -> None:
        hub = EventHub()
        stream = hub.open()
        hub.emit(NodeWarning("last"))
        hub.close()
        assert [event async for event in stream] == [NodeWarning("last")]
        assert [event async for event in stream] == []
        assert [event async for event in hub.open()] == []

    run(scenario())


def test_a_reader_that_was_cancelled_lost_nothing() -> None:
    async def scenario() -> None:
        hub = EventHub()
        stream = hub.open()
        reader = asyncio.create_task(stream.__anext__())
        await asyncio.sleep(0)
        hub.emit(NodeWarning("while it was cancelled"))
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        assert await anext(stream) == NodeWarning("while it was cancelled")

    run(scenario())


def test_a_reader_that_sleeps_for_a_year_fills_no_memory_and_learns_what_is_so_now() -> None:
    async def scenario() -> None:
        hub = EventHub()
        stream = hub.open()
        hub.emit(LinkUp(CAROL, 2))
        for number in range(1, 1001):
            hub.emit(LinkUp(BOB, 2))
            hub.emit(LinkDown(BOB, str(number)))
            hub.emit(NodeWarning(str(number)))
            hub.emit(RendezvousChanged(RendezvousStatus(RendezvousPhase.STARTING, number % 100, "")))
        hub.close()
        events = [event async for event in stream]
        assert LinkUp(CAROL, 2) in events, "one contact's events push out another's"
        links = [event for event in events if isinstance(event, LinkUp | LinkDown) and event.peer_id == BOB]
        assert [type(event) for event in links] == [LinkUp, LinkDown] * (limits.WAITING_EVENTS // 2)
        for kind in (NodeWarning, RendezvousChanged):
            assert sum(isinstance(event, kind) for event in events) == limits.WAITING_EVENTS
        # What is so now is what came last.
        assert links[-1] == LinkDown(BOB, "1000")
        assert [e.status.progress for e in events if isinstance(e, RendezvousChanged)][-1] == 1000 % 100
        assert [event for event in events if isinstance(event, NodeWarning)][-1].text == "1000"

    run(scenario())


def test_up_and_down_take_turns_for_a_reader_that_had_taken_an_up() -> None:
    async def scenario() -> None:
        hub = EventHub()
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
