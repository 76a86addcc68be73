"""What readers of the event feed are told."""

from __future__ import annotations

from p4.core import limits
from p4.daemon.event_feed import EventFeed


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
