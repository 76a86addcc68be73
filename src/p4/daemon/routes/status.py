"""How the node is, and the end of the daemon."""

from __future__ import annotations

import os
import time

from pydantic import BaseModel, Field

from p4.daemon.dependencies import Context, DaemonNode, Owner
from p4.daemon.models import ContactModel
from p4.daemon.routing import api_router
from p4.node.status import node_status

__all__ = ["router"]

router = api_router("status")


class StatusModel(BaseModel):
    """The whole node at one moment."""

    id: str
    moment_ms: int = Field(description="Unix milliseconds of this status.")
    started_ms: int
    pid: int = Field(description="Process id of the daemon.")
    state_directory: str
    reachable: bool = Field(description="Whether others can reach us, as far as we know.")
    reachability: str = Field(description="The same in a sentence.")
    checked_ms: int | None = Field(description="When that was last tried out with success.")
    addresses: list[str] = Field(description="Where whoever has our invite reaches us.")
    port: int = Field(description="TCP port for signaling on this machine; 0 if none is open.")
    local_addresses: list[str]
    mappings: list[str] = Field(description="What a router passes on to that port.")
    lan: bool = Field(description="Whether contacts on the same local network can find this device.")
    versions: dict[str, str]
    contacts: list[ContactModel]


class EndingModel(BaseModel):
    """The daemon is about to end."""

    pid: int = Field(description="The process that ends.")


@router.get("/status")
async def read_status(node: DaemonNode, context: Context, access: Owner) -> StatusModel:
    """How the node and all its contacts are. Owner only."""
    now_ms = int(time.time() * 1000)
    status = await node_status(node, started_ms=context.started_ms, now_ms=now_ms, now=time.monotonic())
    grants = {peer.peer_id: peer.grants for peer in node.peers()}
    return StatusModel(
        id=status.peer_id,
        moment_ms=status.moment_ms,
        started_ms=status.started_ms,
        pid=os.getpid(),
        state_directory=str(context.state_directory),
        reachable=status.reachable,
        reachability=status.reachability,
        checked_ms=status.checked_ms,
        addresses=list(status.addresses),
        port=status.port,
        local_addresses=list(status.local_addresses),
        mappings=list(status.mappings),
        lan=status.lan,
        versions=status.versions,
        contacts=[
            ContactModel.from_status(contact, grants.get(contact.peer_id, ())) for contact in status.peers
        ],
    )


@router.post("/shutdown", status_code=202)
async def shut_down(context: Context, access: Owner) -> EndingModel:
    """End the daemon; it has ended when its process has, at most 2 s later. Owner only."""
    context.end()
    return EndingModel(pid=os.getpid())
