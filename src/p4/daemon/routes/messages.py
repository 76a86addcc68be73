"""Sending messages and asking what became of them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import Path, Query, Request
from pydantic import BaseModel, Field

from p4.core import limits
from p4.daemon.dependencies import (
    Access,
    ContactReference,
    Context,
    NamedContact,
    access_of,
    context_of,
    find_contact,
)
from p4.daemon.models import ContactName
from p4.daemon.routing import api_router
from p4.daemon.values import ValueModel
from p4.errors import DeliveryError
from p4.node.peer import Peer
from p4.node.receipts import Receipt, ReceiptState

__all__ = ["router"]

router = api_router("messages")

_TTL = Field(default=None, gt=0, description="Seconds after which it is of no use; null: never.")
_SERVICE = Field(default="chat", max_length=64, description="Service of the contact that it is for.")


class NewMessageModel(ValueModel):
    """A message to send."""

    service: str = _SERVICE
    ttl: float | None = _TTL
    latest: str = Field(default="", max_length=1024, description="Replaces earlier values of this key.")


class NewMessagesModel(BaseModel):
    """Several messages for one service."""

    service: str = _SERVICE
    ttl: float | None = _TTL
    values: list[ValueModel] = Field(min_length=1, max_length=limits.API_BATCH)


class ReceiptModel(BaseModel):
    """What became of a message."""

    id: str = Field(description="The contact's application sees the same.")
    contact: ContactName
    service: str
    number: int = Field(description="In the queue towards the contact, from 1.")
    state: str = Field(description="`queued`, `delivered`, `consumed` or `dropped`.")
    reason: str = Field(default="", description="Of `dropped`: `expired`, `replaced`, `refused`, …")
    message: str = Field(default="", description="The same in a sentence.")


class ReceiptsModel(BaseModel):
    """Receipts, in the order of the messages."""

    receipts: list[ReceiptModel]


@router.post("/contacts/{contact}/messages", status_code=201)
async def send_message(contact: ContactReference, message: NewMessageModel, request: Request) -> ReceiptModel:
    """Hand over a message: it is on disk with the answer, and arrives once, in order."""
    context, access = context_of(request), access_of(request)
    peer = find_contact(context.node, access, contact)
    access.require(service=message.service)
    receipt = await peer.send(
        message.content(), service=message.service, ttl=message.ttl, latest=message.latest
    )
    context.receipts.keep(peer.peer_id, [receipt])
    return _model(peer, receipt)


@router.post("/contacts/{contact}/messages/batch", status_code=201)
async def send_messages(
    contact: ContactReference, messages: NewMessagesModel, request: Request
) -> ReceiptsModel:
    """Hand over several messages, all or none, with one write to disk."""
    context, access = context_of(request), access_of(request)
    peer = find_contact(context.node, access, contact)
    access.require(service=messages.service)
    values = [value.content() for value in messages.values]
    receipts = await peer.send_many(values, service=messages.service, ttl=messages.ttl)
    context.receipts.keep(peer.peer_id, receipts)
    return ReceiptsModel(receipts=[_model(peer, receipt) for receipt in receipts])


@router.get("/contacts/{contact}/receipts/{message}")
async def read_receipt(
    peer: NamedContact,
    message: Annotated[str, Path(max_length=128, description="Id of the message")],
    context: Context,
    access: Access,
    wait: Annotated[
        Literal["delivered", "consumed"] | None, Query(description="Wait until it is so.")
    ] = None,
    timeout: Annotated[float, Query(ge=0, le=limits.API_WAIT_SECONDS, description="Seconds.")] = 30.0,
) -> ReceiptModel:
    """What became of a message that was sent since the daemon started."""
    receipt = context.receipts.find(peer.peer_id, message)
    access.require(service=receipt.service)
    problem: DeliveryError | None = None
    if wait is not None or receipt.state is ReceiptState.DROPPED:
        # Of one that was dropped, waiting tells why at once.
        waiting = receipt.consumed() if wait == "consumed" else receipt.delivered()
        try:
            async with asyncio.timeout(timeout if wait else None):
                await waiting
        except TimeoutError:
            pass  # it is what it is by now
        except DeliveryError as error:
            problem = error
    return _model(peer, receipt, problem)


def _model(peer: Peer, receipt: Receipt, problem: DeliveryError | None = None) -> ReceiptModel:
    return ReceiptModel(
        id=receipt.id,
        contact=ContactName.of(peer),
        service=receipt.service,
        number=receipt.number,
        state=ReceiptState.DROPPED.value if problem else receipt.state.value,
        reason=problem.code if problem else "",
        message=problem.message if problem else "",
    )
