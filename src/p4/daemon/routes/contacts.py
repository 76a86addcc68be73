"""Contacts: how they are, what they are called, what they may do here."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Response
from pydantic import BaseModel, Field

from p4.core import limits
from p4.core.contacts import NAME_CHARACTERS
from p4.daemon.dependencies import Access, Apps, DaemonNode, Feed, NamedContact, Owner
from p4.daemon.models import ContactModel, ContactName
from p4.daemon.routing import api_router
from p4.errors import InputError
from p4.node.peer import Peer

__all__ = ["router"]

router = api_router("contacts")


class ContactsModel(BaseModel):
    """Contacts, in the order in which they were added."""

    contacts: list[ContactModel]


class RenameModel(BaseModel):
    """Another name for a contact."""

    name: str = Field(max_length=4 * NAME_CHARACTERS)


class GrantsModel(BaseModel):
    """The services of this device that a contact may use; each covers all below it, `*` covers everything."""

    grants: list[str]


class MoreGrantsModel(BaseModel):
    """Services to let a contact use, too."""

    services: list[str] = Field(min_length=1, max_length=limits.GRANTS)


class PolicyModel(BaseModel):
    """Which paths to a contact may be used."""

    policy: str = Field(description="`direct`, `relay-only` or `lan-only`.", max_length=32)


class DroppedModel(BaseModel):
    """What became of the link."""

    dropped: bool = Field(description="False if there was none.")


class PingModel(BaseModel):
    """How long an answer took."""

    round_trip: float = Field(description="Seconds, through the contact's program.")


@router.get("/contacts")
async def list_contacts(node: DaemonNode, access: Access) -> ContactsModel:
    """All contacts; an app gets those that its token names."""
    allowed = [peer for peer in node.peers() if access.may_reach(peer)]
    return ContactsModel(contacts=[(await ContactModel.read(peer)).seen_by(access) for peer in allowed])


@router.get("/contacts/{contact}")
async def read_contact(peer: NamedContact, access: Access) -> ContactModel:
    """One contact; an app does not learn its addresses, nor what it may use beside the app's services."""
    return (await ContactModel.read(peer)).seen_by(access)


@router.patch("/contacts/{contact}")
async def rename_contact(
    peer: NamedContact, change: RenameModel, node: DaemonNode, feed: Feed, access: Owner
) -> ContactModel:
    """Give a contact another name. Owner only."""
    node.rename_contact(peer.peer_id, change.name)
    _publish(feed, "contact.renamed", peer)
    return await ContactModel.read(peer)


@router.delete("/contacts/{contact}", status_code=204)
async def remove_contact(
    peer: NamedContact, node: DaemonNode, apps: Apps, feed: Feed, access: Owner
) -> Response:
    """Forget a contact: its link ends; what waits for it and from it, and what was said, goes. Owner only."""
    await node.remove_contact(peer.peer_id)
    await apps.forget(peer.peer_id)
    _publish(feed, "contact.removed", peer)
    return Response(status_code=204)


@router.get("/contacts/{contact}/grants")
async def list_grants(peer: NamedContact, access: Owner) -> GrantsModel:
    """What a contact may use on this device. Owner only."""
    return GrantsModel(grants=list(peer.grants))


@router.post("/contacts/{contact}/grants")
async def add_grants(peer: NamedContact, more: MoreGrantsModel, feed: Feed, access: Owner) -> GrantsModel:
    """Let a contact use more; on disk with the answer. Owner only."""
    await peer.grant(*more.services)
    return _granted(feed, peer)


@router.delete("/contacts/{contact}/grants/{grant}")
async def revoke_grant(
    peer: NamedContact,
    grant: Annotated[str, Path(description="As it is listed", max_length=64)],
    feed: Feed,
    access: Owner,
) -> GrantsModel:
    """Let a contact use this no more, at once; on disk with the answer. Owner only."""
    if grant not in peer.grants:
        raise InputError(
            f"{peer.contact.label} has no grant {grant!r}. Nothing was changed. Revoke one that it has.",
            code="unknown",
        )
    await peer.revoke(grant)
    return _granted(feed, peer)


@router.put("/contacts/{contact}/policy")
async def set_policy(peer: NamedContact, change: PolicyModel, feed: Feed, access: Owner) -> PolicyModel:
    """Choose which paths to a contact may be used; a link is renewed under the new policy. Owner only."""
    await peer.set_policy(change.policy)
    _publish(feed, "contact.changed", peer)
    return PolicyModel(policy=peer.policy.value)


@router.post("/contacts/{contact}/drop")
async def drop_link(peer: NamedContact, access: Owner) -> DroppedModel:
    """Cut the link; a new one follows by itself. Owner only."""
    return DroppedModel(dropped=peer.drop())


@router.post("/contacts/{contact}/ping")
async def ping(peer: NamedContact, access: Owner) -> PingModel:
    """The round trip through the contact's program. Owner only."""
    return PingModel(round_trip=await peer.ping())


def _granted(feed: Feed, peer: Peer) -> GrantsModel:
    grants = list(peer.grants)
    data = {"contact": ContactName.of(peer).model_dump(), "grants": grants}
    feed.publish("grants.changed", data)
    return GrantsModel(grants=grants)


def _publish(feed: Feed, kind: str, peer: Peer) -> None:
    feed.publish(kind, {"contact": ContactName.of(peer).model_dump()}, contact=peer.peer_id)
