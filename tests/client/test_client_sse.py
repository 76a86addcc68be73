"""Server-sent events, read as the standard says."""

from __future__ import annotations

from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from p4.client.sse import ServerSentEvent, parse_events


async def events_of(text: str) -> list[ServerSentEvent]:
    async def lines() -> AsyncIterator[bytes]:
        for line in text.splitlines(keepends=True):
            yield line.encode()

    return [event async for event in parse_events(lines())]


async def test_fields_comments_and_the_end() -> None:
    text = (
        ": a comment\n\n"
        "event: link.up\ndata: one\ndata:two\nid: 7\nretry: 10\nunknown\n\n"
        "data\n\n"
        "event: without data\n\n"
        "data:  two spaces\r\n\r\n"
        "data: cut off by the end"
    )
    assert await events_of(text) == [
        ServerSentEvent("link.up", "one\ntwo", "7"),
        ServerSentEvent("message", "", "7"),
        ServerSentEvent("message", " two spaces", "7"),
    ]


@given(st.text())
async def test_no_stream_breaks_the_reader(text: str) -> None:
    for event in await events_of(text):
        assert event.kind
