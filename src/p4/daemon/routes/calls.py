"""Calls: asking services of contacts, and answering for one's own, in any language."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Query, Request, WebSocket
from pydantic import BaseModel, Field

from p4.core import limits
from p4.daemon.call_desk import CallDesk
from p4.daemon.departure import departure
from p4.daemon.dependencies import Access, Context, NamedContact
from p4.daemon.routing import api_router
from p4.daemon.values import ServiceName, ValueModel, encoded, require_service_name

__all__ = ["router"]

router = api_router("calls")


class CallModel(ValueModel):
    """What to ask."""

    deadline: float = Field(
        default=limits.CALL_SECONDS,
        gt=0,
        le=limits.CALL_PATIENCE_MS / 1000,
        description="Seconds until the call is given up, here and there.",
    )


class ResultModel(BaseModel):
    """What the service replied: `value` or `base64`."""

    value: Any = None
    base64: str | None = None


class ServiceModel(BaseModel):
    """What programs do with a service of this device at the moment."""

    service: str
    serves_calls: bool = Field(description="Whether a program answers calls.")
    reads_messages: int = Field(description="Programs that read its messages.")
    accepts_streams: int = Field(description="Programs that wait for a stream.")


class ServicesModel(BaseModel):
    """The services of this device that programs of this API work on."""

    services: list[ServiceModel]


@router.post("/contacts/{contact}/calls/{service}", response_model_exclude_unset=True)
async def call(
    peer: NamedContact, service: ServiceName, question: CallModel, request: Request, access: Access
) -> ResultModel:
    """Ask a service of the contact and wait for its reply. Closing the connection cancels the call."""
    access.require(service=service)
    argument = question.content()
    calling = asyncio.ensure_future(peer.call(service, argument, deadline=question.deadline))
    leaving = asyncio.ensure_future(departure(request))
    try:
        await asyncio.wait([calling, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not calling.done():
            return ResultModel()  # nobody reads it
        return ResultModel(**encoded(calling.result()))
    finally:
        calling.cancel()
        leaving.cancel()


@router.websocket("/services/{service}/serve")
async def serve(
    websocket: WebSocket,
    service: ServiceName,
    context: Context,
    access: Access,
    at_once: Annotated[int, Query(ge=1, le=limits.API_CALLS_AT_ONCE)] = limits.API_CALLS_AT_ONCE,
) -> None:
    """Answer calls of contacts for a service, and for those below it that nobody else serves."""
    access.require(service=require_service_name(service))
    desk = CallDesk(websocket, access, at_once)
    context.node.serve(service, desk.handle)
    context.serving.add(service)
    try:
        await websocket.accept()
        await desk.run(service)
    finally:
        context.serving.discard(service)
        context.node.stop_serving(service)
        desk.close()


@router.get("/services")
async def list_services(context: Context, access: Access) -> ServicesModel:
    """Which services programs serve, read and wait for; an app sees those of its token."""
    readers, askers = context.desk.readers(), context.streams.askers()
    names = sorted(name for name in {*context.serving, *readers, *askers} if access.may_use(name))
    return ServicesModel(
        services=[
            ServiceModel(
                service=name,
                serves_calls=name in context.serving,
                reads_messages=readers.get(name, 0),
                accepts_streams=askers.get(name, 0),
            )
            for name in names
        ]
    )
