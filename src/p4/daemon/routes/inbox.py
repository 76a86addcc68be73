"""Receiving messages: as events, or by asking."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import BaseModel, Field

from p4.core import limits
from p4.core.identity import PeerId
from p4.daemon.access.authority import Authority
from p4.daemon.context import DaemonContext
from p4.daemon.departure import departure
from p4.daemon.dependencies import Access, Context, DaemonNode, find_contact
from p4.daemon.event_stream import EventStreamResponse
from p4.daemon.message_desk import Subscription
from p4.daemon.models import ContactName
from p4.daemon.routing import api_router
from p4.daemon.values import ServiceName, encoded
from p4.errors import AccessError, ContactError, FrameError
from p4.node.inbox import Message

__all__ = ["router"]

router = api_router("messages")

_Contact = Annotated[str, Query(max_length=256, description="Messages of this contact only.")]


class ReceivedModel(BaseModel):
    """A message of a contact: with `value` or `base64`, or with a `problem`."""

    id: str
    contact: ContactName
    service: str
    key: str = Field(description="Of a latest-value message; empty for others.")
    number: int = Field(description="Later messages of the contact have higher numbers, with gaps.")
    sent_ms: int = Field(description="By the sender's clock, which may be wrong.")
    received_ms: int
    value: Any = None
    base64: str | None = None
    problem: str | None = Field(default=None, description="Why it has neither.")


class ReceivedMessagesModel(BaseModel):
    """Messages that are the asker's until the lease ends."""

    messages: list[ReceivedModel]


class DoneMessageModel(BaseModel):
    """Which message is done."""

    contact: str = Field(max_length=256, description="Id of the contact.")
    id: str = Field(max_length=128)


class DoneModel(BaseModel):
    """Messages that a program has dealt with."""

    messages: list[DoneMessageModel] = Field(min_length=1, max_length=limits.API_BATCH)


class DoneAnswerModel(BaseModel):
    """What came of it."""

    done: int = Field(description="Messages that will not come again.")
    unknown: list[DoneMessageModel] = Field(description="Not handed out, or done before.")


@router.get(
    "/messages/{service}",
    response_class=EventStreamResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def read_messages(
    service: ServiceName,
    context: Context,
    node: DaemonNode,
    access: Access,
    contact: _Contact = "",
    window: Annotated[
        int, Query(ge=1, le=limits.API_UNACKNOWLEDGED, description="Messages at a time that are not done.")
    ] = 64,
) -> EventStreamResponse:
    """Messages as server-sent events. What is not done when the connection ends comes again."""
    subscription = _subscribe(context, access, service, contact, window)

    async def next_event() -> tuple[str, dict[str, Any]] | None:
        message = await subscription.next()
        return None if message is None else ("message", message_json(message))

    return EventStreamResponse(next_event, closed=subscription.close)


@router.get("/messages/{service}/next", response_model_exclude_unset=True)
async def take_messages(
    request: Request,
    service: ServiceName,
    context: Context,
    node: DaemonNode,
    access: Access,
    contact: _Contact = "",
    most: Annotated[int, Query(alias="max", ge=1, le=limits.API_UNACKNOWLEDGED)] = 1,
    timeout: Annotated[float, Query(ge=0, le=limits.API_WAIT_SECONDS, description="Seconds.")] = 30.0,
    lease: Annotated[
        float, Query(gt=0, le=limits.API_LEASE_SECONDS, description="Seconds until they come again.")
    ] = 60.0,
) -> ReceivedMessagesModel:
    """The next messages, as soon as there is one. What is not done before the lease ends comes again."""
    subscription = _subscribe(context, access, service, contact, most)
    found: list[Message] = []
    collecting = asyncio.ensure_future(_collect(subscription, found, most, timeout))
    leaving = asyncio.ensure_future(departure(request))
    try:
        await asyncio.wait([collecting, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not collecting.done():  # nobody reads the answer: the next reader gets what comes
            return ReceivedMessagesModel(messages=[])
        collecting.result()
        subscription.stop()
        if found:
            subscription.when_done = context.leases.begin(lease, subscription.close)
    finally:
        leaving.cancel()
        if subscription.when_done is None:
            collecting.cancel()
            await asyncio.wait([collecting])
            subscription.close()
    return ReceivedMessagesModel(messages=[ReceivedModel(**message_json(message)) for message in found])


@router.post("/messages/{service}/done")
async def done(
    service: ServiceName, messages: DoneModel, context: Context, access: Access
) -> DoneAnswerModel:
    """A program has dealt with messages; on disk with the answer, and they will not come again."""
    access.require(service=service)
    wanted: list[tuple[PeerId, str]] = []
    strange: list[DoneMessageModel] = []
    for message in messages.messages:
        try:
            peer = find_contact(context.node, access, message.contact)
        except (ContactError, AccessError):
            # Perhaps of a contact that was removed meanwhile; what others said is done all the same.
            strange.append(message)
        else:
            wanted.append((peer.peer_id, message.id))
    count, unknown = await context.desk.done(service, wanted)
    return DoneAnswerModel(
        done=count,
        unknown=[
            *strange,
            *(DoneMessageModel(contact=contact, id=message_id) for contact, message_id in unknown),
        ],
    )


def message_json(message: Message) -> dict[str, Any]:
    """A message in the form of the API."""
    data: dict[str, Any] = {
        "id": message.id,
        "contact": ContactName.of(message.peer).model_dump(),
        "service": message.service,
        "key": message.key,
        "number": message.number,
        "sent_ms": round(message.sent * 1000),
        "received_ms": round(message.received * 1000),
    }
    try:
        return data | encoded(message.value)
    except FrameError as error:
        return data | {"problem": error.message}


def _subscribe(
    context: DaemonContext, access: Authority, service: str, contact: str, window: int
) -> Subscription:
    access.require(service=service)
    peer = find_contact(context.node, access, contact) if contact else None
    return context.desk.subscribe(service, access=access, contact=peer, window=window)


async def _collect(subscription: Subscription, found: list[Message], most: int, patience: float) -> None:
    """Wait for a first message; take with it what is there."""
    try:
        async with asyncio.timeout(patience):
            first = await subscription.next()
        if first is None:
            return
        found.append(first)
        while len(found) < most:
            async with asyncio.timeout(limits.API_GATHER_SECONDS):
                following = await subscription.next()
            if following is None:
                return
            found.append(following)
    except TimeoutError:
        return
