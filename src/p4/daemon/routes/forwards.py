"""Ports of one device at another: forwards and served ports (docs/tunnels.md)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated, Any, Literal

from fastapi import Path, WebSocket
from pydantic import BaseModel, Field, ValidationError
from starlette.websockets import WebSocketDisconnect

from p4.apps.forward import Endpoint, ForwardApp, TunnelState
from p4.core import limits
from p4.daemon.dependencies import Apps, Context, DaemonNode, Owner
from p4.daemon.errors import as_json
from p4.daemon.models import ContactName
from p4.daemon.routing import api_router
from p4.errors import InputError, LocalError, P4Error
from p4.node.node import BaseNode

__all__ = ["ForwardModel", "router"]

router = api_router("forwards")

_MOST_CONTACTS = 256


class FiguresModel(BaseModel):
    """What a tunnel has carried since it began. Sent is towards contacts."""

    open: int = Field(description="TCP connections, or UDP sources, at present.")
    connections: int = Field(description="All so far.")
    refused: int = Field(description="Connections that came to nothing.")
    sent: int = Field(description="Bytes.")
    received: int = Field(description="Bytes.")
    packets_sent: int
    packets_received: int
    too_large: int = Field(description="UDP packets dropped because a datagram cannot hold them.")
    dropped: int = Field(description="UDP packets dropped for any other reason.")


class ForwardModel(BaseModel):
    """A forward or a served port."""

    id: str
    kind: Literal["forward", "serve"]
    protocol: Literal["tcp", "udp"]
    name: str = Field(description="Under which the port is served, on whichever device.")
    service: str = Field(description="What a contact must be granted for it, as `tcp.web`.")
    contact: ContactName | None = Field(description="Whose port a forward leads to.")
    host: str = Field(description="Where a forward listens; what a served port leads to.")
    port: int
    active: bool = Field(description="False for a forward whose port was taken; it is tried again.")
    kept: bool = Field(description="Whether it is there again after a restart.")
    allowed: list[str] = Field(description="Names of the contacts that may use a served port.")
    problem: str = Field(description="The latest thing that went wrong, as a sentence; may be empty.")
    figures: FiguresModel

    @classmethod
    def of(cls, state: TunnelState) -> ForwardModel:
        """From the app's own."""
        return cls.model_validate(state.as_json())


class ForwardsModel(BaseModel):
    """All of them, in the order in which they were begun."""

    forwards: list[ForwardModel]


class BeginModel(BaseModel):
    """A forward or a served port to begin."""

    kind: Literal["forward", "serve"]
    protocol: Literal["tcp", "udp"] = "tcp"
    name: str = Field(max_length=limits.TUNNEL_NAME_BYTES, description="Under which the port is served.")
    contact: str = Field(default="", max_length=256, description="Of a forward: whose port it leads to.")
    host: str = Field(default="127.0.0.1", max_length=255, description="To listen on, or to lead to.")
    port: int = Field(ge=0, le=65535, description="Likewise; 0 lets the system choose where to listen.")
    to: list[str] = Field(
        default_factory=list,
        max_length=_MOST_CONTACTS,
        description="Of a served port: contacts that may use it from now on, until it is removed.",
    )


@router.get("/forwards")
async def list_forwards(apps: Apps, access: Owner) -> ForwardsModel:
    """All forwards and served ports. Owner only."""
    return ForwardsModel(forwards=[ForwardModel.of(state) for state in apps.forwards.list()])


@router.post("/forwards", status_code=201)
async def begin_forward(begin: BeginModel, apps: Apps, node: DaemonNode, access: Owner) -> ForwardModel:
    """Begin one that is kept over restarts, until it is removed. Owner only."""
    return ForwardModel.of(await _begin(apps.forwards, node, begin, keep=True))


@router.delete("/forwards/{forward}")
async def remove_forward(
    forward: Annotated[str, Path(max_length=300, description="Id, served name, or port where it listens.")],
    apps: Apps,
    access: Owner,
) -> ForwardModel:
    """End one with all its connections, and take back the rights that were given with it. Owner only."""
    return ForwardModel.of(await apps.forwards.remove(forward))


@router.websocket("/forwards/hold")
async def hold_forward(
    websocket: WebSocket, apps: Apps, node: DaemonNode, context: Context, access: Owner
) -> None:
    """Begin one that lasts as long as this WebSocket: whoever began it may be killed. Owner only.

    The first message is what `POST /v1/forwards` takes. The daemon answers
    ``{"type": "begun", "forward": …}``, then, when figures change, ``{"type": "changed", "forward": …}``.
    """
    await websocket.accept()
    try:
        begin = BeginModel.model_validate(await websocket.receive_json())
        state = await _begin(apps.forwards, node, begin, keep=False)
    except (ValidationError, ValueError, KeyError) as error:  # KeyError: of bytes, which are no JSON here
        await _refuse(websocket, InputError(f"This is nothing to begin: {error}", code="bad-request"))
        return
    except P4Error as error:
        await _refuse(websocket, error)
        return
    except WebSocketDisconnect:
        return
    telling = asyncio.create_task(_tell(websocket, apps.forwards, state))
    listening = asyncio.create_task(_until_closed(websocket))
    ending = asyncio.create_task(context.closing.wait())
    try:
        await asyncio.wait((telling, listening, ending), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (telling, listening, ending):
            task.cancel()
        await asyncio.gather(telling, listening, ending, return_exceptions=True)
        with suppress(InputError, LocalError):  # removed by hand, or the store is closed: begun no more
            await apps.forwards.remove(state.tunnel.id)
    with suppress(RuntimeError, WebSocketDisconnect):  # it is closed already
        await websocket.close()


async def _begin(forwards: ForwardApp, node: BaseNode, begin: BeginModel, *, keep: bool) -> TunnelState:
    endpoint = Endpoint(begin.host, begin.port)
    udp = begin.protocol == "udp"
    if begin.kind == "forward":
        peer = node.peer(begin.contact)
        return await forwards.forward(peer, begin.name, endpoint, udp=udp, keep=keep)
    if begin.port == 0:
        raise InputError("A served port cannot be 0. Nothing was begun.", code="bad-port")
    to = tuple(node.peer(contact) for contact in begin.to)
    return await forwards.serve(begin.name, endpoint, to=to, udp=udp, keep=keep)


async def _tell(websocket: WebSocket, forwards: ForwardApp, state: TunnelState) -> None:
    """How one is, now and whenever that changes; ends when it is removed."""
    told: dict[str, Any] = {}
    kind = "begun"
    while True:
        try:
            now = state.as_json() if not told else forwards.find(state.tunnel.id).as_json()
        except InputError:
            return
        if now != told:
            await websocket.send_json({"type": kind, "forward": now})
            told, kind = now, "changed"
        await asyncio.sleep(limits.TUNNEL_FIGURES_SECONDS)


async def _until_closed(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _refuse(websocket: WebSocket, error: P4Error) -> None:
    with suppress(RuntimeError, WebSocketDisconnect):
        await websocket.send_json({"type": "error", **as_json(error)})
        await websocket.close(code=1008)
