"""What happens, as it happens."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

from p4.daemon.access.authority import Authority
from p4.daemon.dependencies import Access, Feed
from p4.daemon.event_feed import FeedEvent
from p4.daemon.event_stream import EventStreamResponse
from p4.daemon.routing import api_router

__all__ = ["router"]

router = api_router("events")


@router.get(
    "/events",
    response_class=EventStreamResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def read_events(
    feed: Feed,
    access: Access,
    types: Annotated[
        str, Query(max_length=256, description="Subjects to be told of, as `link,contact`; empty: all.")
    ] = "",
) -> EventStreamResponse:
    """Server-sent events from now on. An app is told of the contacts and services of its token."""
    subjects = frozenset(filter(None, types.split(",")))

    def wanted(event: FeedEvent) -> bool:
        chosen = not subjects or event.kind.partition(".")[0] in subjects
        return chosen and _may_know(access, event)

    # What it may not know is not counted either among what it missed.
    reader = feed.read(wanted)

    async def next_event() -> tuple[str, dict[str, Any]] | None:
        event = await anext(reader)
        return event.kind, dict(event.data)

    return EventStreamResponse(next_event, closed=reader.close)


def _may_know(access: Authority, event: FeedEvent) -> bool:
    if access.is_owner or event.kind == "daemon.ending":
        return True
    if event.contact is None and event.service is None:
        return False
    return (event.contact is None or access.may_reach(event.contact)) and (
        event.service is None or access.may_use(event.service)
    )
