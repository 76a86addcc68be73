"""Contacts and the identity over the years: comparison codes, blocked contacts, rotation of our key."""

from __future__ import annotations

import base64

from pydantic import BaseModel, Field

from p4.core.identity import encode_key
from p4.daemon.dependencies import DaemonNode, Feed, NamedContact, Owner
from p4.daemon.models import ContactName
from p4.daemon.routing import api_router
from p4.errors import ContactError
from p4.node.lifecycle import RotationState
from p4.node.peer import Peer

__all__ = ["router"]

router = api_router("lifecycle")


class VerificationModel(BaseModel):
    """Whether a person has made sure that nobody is between this device and a contact."""

    contact: ContactName
    words: list[str] = Field(description="Six words; the contact's device shows the same for this device.")
    public_key: str = Field(description="The contact's key of today, raw Ed25519 in base64.")
    verification: str = Field(description="`no`, `verified`, or `verified-before-rotation`.")
    blocked: bool


class VerifyModel(BaseModel):
    """A person has compared the words, or takes that back."""

    verified: bool
    public_key: str = Field(
        max_length=64, description="The key that the words were shown for; refused if it is another by now."
    )


class BlockModel(BaseModel):
    """Whether a contact is blocked."""

    blocked: bool


class RotationModel(BaseModel):
    """Where the last change of this device's key stands."""

    id: str = Field(
        description="The id that follows from the key of today; contacts from before keep theirs."
    )
    public_key: str = Field(description="The key of today, raw Ed25519 in base64.")
    rotations: int = Field(description="How often it has been changed.")
    waiting: list[ContactName] = Field(description="Contacts that have not confirmed the key of today.")
    kept_keys: int = Field(description="Former private keys that are kept for these.")


@router.get("/contacts/{contact}/verification")
async def read_verification(peer: NamedContact, access: Owner) -> VerificationModel:
    """The six words to compare with a contact's owner. Owner only."""
    return await _verification(peer)


@router.put("/contacts/{contact}/verification")
async def verify(
    peer: NamedContact, change: VerifyModel, node: DaemonNode, feed: Feed, access: Owner
) -> VerificationModel:
    """Record that a person compared the words, or take it back; on disk with the answer. Owner only."""
    if change.public_key != encode_key(peer.contact.public_key):
        raise ContactError(
            f"{peer.contact.label} has another key than the one that the words were for. Nothing was "
            "changed. Compare the words again.",
            code="changed-key",
        )
    node.lifecycle.set_verified(peer.peer_id, change.verified)
    _publish(feed, peer)
    return await _verification(node.peer(peer.peer_id))


@router.put("/contacts/{contact}/block")
async def block(
    peer: NamedContact, change: BlockModel, node: DaemonNode, feed: Feed, access: Owner
) -> BlockModel:
    """Answer a contact no more than a stranger, or again as a contact; on disk afterwards. Owner only."""
    await (node.lifecycle.block if change.blocked else node.lifecycle.unblock)(peer.peer_id)
    _publish(feed, peer)
    return BlockModel(blocked=node.peer(peer.peer_id).blocked)


@router.get("/identity/rotation")
async def read_rotation(node: DaemonNode, access: Owner) -> RotationModel:
    """Where the last change of this device's key stands. Owner only."""
    return _rotation(node.lifecycle.rotation)


@router.post("/identity/rotation")
async def rotate(node: DaemonNode, feed: Feed, access: Owner) -> RotationModel:
    """Take a new key; on disk with the answer. Contacts follow when they are linked next. Owner only."""
    model = _rotation(node.lifecycle.rotate())
    feed.publish("identity.rotated", {"id": model.id})
    return model


async def _verification(peer: Peer) -> VerificationModel:
    return VerificationModel(
        contact=ContactName.of(peer),
        words=list(await peer.verification_words()),
        public_key=encode_key(peer.contact.public_key),
        verification=peer.verification.value,
        blocked=peer.blocked,
    )


def _rotation(state: RotationState) -> RotationModel:
    return RotationModel(
        id=state.peer_id,
        public_key=base64.b64encode(state.public_key).decode("ascii"),
        rotations=state.rotations,
        waiting=[ContactName(id=contact.peer_id, name=contact.name) for contact in state.waiting],
        kept_keys=state.kept_keys,
    )


def _publish(feed: Feed, peer: Peer) -> None:
    feed.publish("contact.changed", {"contact": ContactName.of(peer).model_dump()}, contact=peer.peer_id)
