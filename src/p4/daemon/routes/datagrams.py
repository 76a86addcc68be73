"""Datagrams over WebSockets."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect

from p4.daemon.dependencies import Access, Context, NamedContact, find_contact
from p4.daemon.models import ContactName
from p4.daemon.routing import api_router
from p4.daemon.values import ServiceName, require_service_name
from p4.errors import InputError
from p4.node.datagrams import DatagramSubscription, ReceivedDatagram
from p4.node.node import BaseNode

__all__ = ["router"]

router = api_router("datagrams")


@router.websocket("/contacts/{contact}/datagrams/{service}")
async def with_one(
    websocket: WebSocket, peer: NamedContact, service: ServiceName, context: Context, access: Access
) -> None:
    """Datagrams to and from one contact: each binary message is one."""
    access.require(service=require_service_name(service))

    async def give(received: ReceivedDatagram) -> None:
        if received.peer is peer:
            await websocket.send_bytes(received.data)

    async def take() -> None:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1005))
            if (data := message.get("bytes")) is None:
                raise InputError("A datagram is a binary message. Nothing was sent.", code="not-bytes")
            peer.send_datagram(service, data)

    await _both_ways(websocket, context.node, service, give, take())


@router.websocket("/datagrams/{service}")
async def with_all(websocket: WebSocket, service: ServiceName, context: Context, access: Access) -> None:
    """Datagrams to and from all contacts: text messages with `contact` and `base64`."""
    access.require(service=require_service_name(service))

    async def give(received: ReceivedDatagram) -> None:
        if access.may_reach(received.peer):
            contact = ContactName.of(received.peer).model_dump()
            data = base64.b64encode(received.data).decode()
            await websocket.send_text(json.dumps({"contact": contact, "base64": data}))

    async def take() -> None:
        while True:
            reference, data = _parsed(await _text(websocket))
            find_contact(context.node, access, reference).send_datagram(service, data)

    await _both_ways(websocket, context.node, service, give, take())


async def _both_ways(
    websocket: WebSocket,
    node: BaseNode,
    service: str,
    give: Callable[[ReceivedDatagram], Awaitable[None]],
    taking: Coroutine[Any, Any, None],
) -> None:
    subscription = node.datagrams(service)
    work = [asyncio.ensure_future(taking), asyncio.ensure_future(_give_all(subscription, give))]
    try:
        await websocket.accept()
        done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        for part in done:
            part.result()
    except WebSocketDisconnect:
        pass
    finally:
        subscription.close()
        for part in work:
            part.cancel()
        await asyncio.gather(*work, return_exceptions=True)


async def _give_all(
    subscription: DatagramSubscription, give: Callable[[ReceivedDatagram], Awaitable[None]]
) -> None:
    async for received in subscription:
        await give(received)


async def _text(websocket: WebSocket) -> str:
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    return message.get("text") or ""


def _parsed(text: str) -> tuple[str, bytes]:
    try:
        word = json.loads(text)
        contact = word["contact"]
        reference = contact["id"] if isinstance(contact, dict) else contact
        return str(reference), base64.b64decode(word["base64"], validate=True)
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise InputError(
            'A datagram here is {"contact": …, "base64": …} as text. Nothing was sent.', code="bad-word"
        ) from error
