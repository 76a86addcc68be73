"""Streams over WebSockets."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Query, WebSocket
from starlette.types import Message

from p4.daemon.dependencies import Access, Context, NamedContact, find_contact
from p4.daemon.own_services import refuse_own_streams
from p4.daemon.routing import api_router
from p4.daemon.stream_session import StreamSession
from p4.daemon.values import ServiceName, require_service_name
from p4.errors import InputError
from p4.node.peer import Peer

__all__ = ["router"]

router = api_router("streams")

_Id = Annotated[str, Query(alias="id", pattern="^[0-9a-f]{16}$")]
"""Of a stream, as ``open`` told it."""


@router.websocket("/contacts/{contact}/streams/{service}")
async def open_stream(
    websocket: WebSocket,
    peer: NamedContact,
    service: ServiceName,
    context: Context,
    access: Access,
    name: Annotated[str, Query(max_length=1024)] = "",
    again: _Id = "",
) -> None:
    """Open a stream to a contact, or go on with the one of this name or id."""
    access.require(service=service)
    if again:
        held = context.streams.again(peer, service, again, opened_here=True)
    else:
        held = await context.streams.open(peer, require_service_name(service), name)
    await websocket.accept()
    await StreamSession(websocket, held, context.streams).run()


@router.websocket("/streams/{service}")
async def accept_stream(
    websocket: WebSocket,
    service: ServiceName,
    context: Context,
    access: Access,
    contact: Annotated[str, Query(max_length=256)] = "",
    again: _Id = "",
) -> None:
    """Wait for a stream that a contact opens, and use it."""
    access.require(service=require_service_name(service))
    refuse_own_streams(service)
    only = find_contact(context.node, access, contact) if contact or again else None
    if only is not None and again:
        held = context.streams.again(only, service, again, opened_here=False)
        await websocket.accept()
        await StreamSession(websocket, held, context.streams).run()
        return

    def matches(peer: Peer) -> bool:
        return access.may_reach(peer) and (only is None or only.peer_id == peer.peer_id)

    await websocket.accept()
    accepting = asyncio.create_task(context.streams.accept(service, matches))
    receiving: asyncio.Task[Message] = asyncio.create_task(websocket.receive())
    try:
        await asyncio.wait([accepting, receiving], return_when=asyncio.FIRST_COMPLETED)
        if not accepting.done():
            if receiving.result()["type"] == "websocket.receive":
                raise InputError("No stream is open yet. Wait for the message 'open'.", code="not-open")
            return
        held = accepting.result()
    finally:
        accepting.cancel()
        if not accepting.done():
            receiving.cancel()
    await StreamSession(websocket, held, context.streams, receiving).run()
