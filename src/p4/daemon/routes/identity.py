"""Who this device is."""

from __future__ import annotations

import base64

from pydantic import BaseModel, Field

from p4.core import limits
from p4.daemon.dependencies import Access, DaemonNode, Owner
from p4.daemon.routing import api_router
from p4.node.node import BaseNode

__all__ = ["router"]

router = api_router("identity")


class IdentityModel(BaseModel):
    """This device, as its contacts know it."""

    id: str = Field(description="The id that follows from its public key.")
    name: str = Field(description="What it calls itself towards those it pairs with.")
    public_key: str = Field(description="Raw Ed25519 public key in base64.")
    protocol_version: int = Field(description="Of the envelopes on the wire (spec/envelope.md).")


class NameModel(BaseModel):
    """What this device is to be called."""

    name: str = Field(max_length=1024, description="Empty for the machine's name.")


@router.get("/identity")
async def read_identity(node: DaemonNode, access: Access) -> IdentityModel:
    """Who this device is. Any app may ask."""
    return _identity(node)


@router.patch("/identity")
async def rename_device(change: NameModel, node: DaemonNode, access: Owner) -> IdentityModel:
    """Call this device otherwise towards those it pairs with from now on. Owner only."""
    node.rename(change.name)
    return _identity(node)


def _identity(node: BaseNode) -> IdentityModel:
    return IdentityModel(
        id=node.peer_id,
        name=node.name,
        public_key=base64.b64encode(node.invite().public_key).decode(),
        protocol_version=limits.PROTOCOL_VERSION,
    )
