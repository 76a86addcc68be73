"""Who this device is."""

from __future__ import annotations

import base64

from fastapi import APIRouter
from pydantic import BaseModel, Field

from p4.core import limits
from p4.daemon.dependencies import Access, DaemonNode

__all__ = ["router"]

router = APIRouter(tags=["identity"])


class IdentityModel(BaseModel):
    """This device, as its contacts know it."""

    id: str = Field(description="The id that follows from its public key.")
    public_key: str = Field(description="Raw Ed25519 public key in base64.")
    protocol_version: int = Field(description="Of the envelopes on the wire (spec/envelope.md).")


@router.get("/identity")
async def read_identity(node: DaemonNode, access: Access) -> IdentityModel:
    """Who this device is. Any app may ask."""
    return IdentityModel(
        id=node.peer_id,
        public_key=base64.b64encode(node.invite().public_key).decode(),
        protocol_version=limits.PROTOCOL_VERSION,
    )
