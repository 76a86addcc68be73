"""What readers of the event feed are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

from p4.cli.daemon_view import event_line
from p4.client import DaemonEvent
from p4.core import limits
from p4.core.identity import PeerId
from p4.daemon.event_feed import EventFeed, follow_node
from p4.node.events import NodeEvent, Paired
from p4.node.node import BaseNode

PEER = PeerId("ab" * 32)


async def test_what_a_reader_does_not_want_takes_no_room_and_is_not_counted() -> None:
    feed = EventFeed()
    reader = feed.read(lambda event: event.kind == "link.up")
    feed.publish("link.up", {"number": 1})
    for _ in range(limits.API_FEED_EVENTS + 1):
        feed.publish("transfer.changed", {})
    feed.publish("link.up", {"number": 2})
    assert [(await anext(reader)).data for _ in range(2)] == [{"number": 1}, {"number": 2}]


async def test_a_slow_reader_loses_the_oldest_and_is_told() -> None:
    feed = EventFeed()
    reader = feed.read()
    for number in range(limits.API_FEED_EVENTS + 3):
        feed.publish("link.up", {"number": number})
    missed = await anext(reader)
    assert (missed.kind, missed.data) == ("feed.missed", {"count": 3})
    assert (await anext(reader)).data == {"number": 3}


async def test_apps_that_may_reach_it_are_told_of_a_new_contact() -> None:
    class Pairing:
        """As much of a node as the feed follows."""

        async def events(self) -> AsyncIterator[NodeEvent]:
            yield Paired(PEER, "phone", "3f")

        def peers(self) -> list[Any]:
            return []

    feed = EventFeed()
    reader = feed.read()
    await follow_node(cast("BaseNode", Pairing()), feed)
    event = await anext(reader)
    assert (event.kind, event.contact) == ("contact.paired", PEER)
    assert event_line(DaemonEvent(event.kind, dict(event.data))) == f"{PEER[:8]} is paired with this device"
