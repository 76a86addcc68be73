"""Pairing: invites of this device, and taking the invites of others (spec/pairing.md)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated, Literal

from fastapi import Query, Request, Response
from pydantic import BaseModel, Field

from p4.core import limits
from p4.core.contacts import NAME_CHARACTERS
from p4.daemon.departure import departure
from p4.daemon.dependencies import DaemonNode, Feed, Owner
from p4.daemon.models import ContactModel, ContactName
from p4.daemon.routing import api_router
from p4.errors import P4Error
from p4.node.pairing.invite import PairingInvite

__all__ = ["router"]

router = api_router("pairing")

_LONGEST_WAIT_SECONDS = 300.0
_LONGEST_TEXT = 16 * 1024


class NewInviteModel(BaseModel):
    """An invite to make."""

    kind: Literal["link", "words", "local-words"] = "link"
    lifetime: float = Field(
        default=limits.PAIRING_SECONDS,
        description=f"Seconds, {limits.PAIRING_SHORTEST_SECONDS} to {limits.PAIRING_LONGEST_SECONDS}.",
    )
    name: str = Field(
        default="",
        max_length=4 * NAME_CHARACTERS,
        description="What the guest is called here; empty for what it calls itself.",
    )


class InviteModel(BaseModel):
    """An invite of this device."""

    id: str = Field(description="No secret.")
    kind: Literal["link", "words", "local-words"]
    text: str = Field(description="The link or the words. Secret: whoever has it first is paired.")
    name: str
    created_ms: int
    expires_at_ms: int
    state: str = Field(
        description="`open`, `claimed` (its guest has not confirmed yet), `paired`, or why it ended: "
        "`expired`, `cancelled`, `ended` (a wrong guess), `unconfirmed`, `closed`."
    )
    findable: bool = Field(description="Whether a guest would find this device now.")
    message: str = Field(
        description="Why it ended, in sentences; empty if it has not, or somebody is paired."
    )
    contact: ContactName | None = Field(description="Who is paired by it.")

    @classmethod
    async def of(cls, invite: PairingInvite) -> InviteModel:
        """From an invite of the node."""
        message, contact = "", None
        if invite.ended:
            try:
                contact = ContactName.of(await invite.wait())
            except P4Error as error:
                message = error.message
        return cls(
            id=invite.id,
            kind=invite.kind.value,
            text="" if invite.ended else invite.text,
            name=invite.name,
            created_ms=invite.created_ms,
            expires_at_ms=invite.expires_at_ms,
            state=invite.code,
            findable=invite.findable and not invite.ended,
            message=message,
            contact=contact,
        )


class InvitesModel(BaseModel):
    """The open ones, the oldest first."""

    invites: list[InviteModel]


class PairingModel(BaseModel):
    """The invite of another device."""

    invite: str = Field(
        max_length=_LONGEST_TEXT,
        description="A link, the words of a code, or the JSON of an invite of version 1.",
    )
    name: str = Field(
        default="",
        max_length=4 * NAME_CHARACTERS,
        description="What the device is called here; empty for what it calls itself.",
    )
    patience: float = Field(
        default=limits.PAIRING_PATIENCE_SECONDS,
        gt=0,
        le=_LONGEST_WAIT_SECONDS,
        description="Seconds in which the other device is looked for.",
    )


@router.post("/invites", status_code=201)
async def create_invite(wanted: NewInviteModel, node: DaemonNode, access: Owner) -> InviteModel:
    """Make an invite; on disk with the answer, and soon to be found. Owner only."""
    return await InviteModel.of(await node.invites.create(wanted.lifetime, wanted.kind, wanted.name))


@router.get("/invites")
async def list_invites(node: DaemonNode, access: Owner) -> InvitesModel:
    """The open invites, with their secrets. Owner only."""
    return InvitesModel(invites=[await InviteModel.of(invite) for invite in node.invites.list()])


@router.get("/invites/{invite_id}")
async def read_invite(
    invite_id: str,
    node: DaemonNode,
    access: Owner,
    wait: Annotated[
        Literal["findable", "ended"] | None, Query(description="What to wait for before answering.")
    ] = None,
    timeout: Annotated[
        float, Query(ge=0, le=_LONGEST_WAIT_SECONDS, description="Seconds to wait at most.")
    ] = 30.0,
) -> InviteModel:
    """One invite, also one that has ended since the daemon started; may wait for it. Owner only."""
    invite = node.invites.get(invite_id)
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            if wait == "findable":
                await invite.wait_findable()
            elif wait == "ended":
                with suppress(P4Error):  # the answer says so
                    await invite.wait()
    return await InviteModel.of(invite)


@router.delete("/invites/{invite_id}", status_code=204)
async def cancel_invite(invite_id: str, node: DaemonNode, access: Owner) -> Response:
    """Take an invite back; one that has ended stays as it is. Owner only."""
    await node.invites.get(invite_id).cancel()
    return Response(status_code=204)


@router.post("/pairings", status_code=201, response_model=ContactModel)
async def pair(
    wanted: PairingModel, request: Request, node: DaemonNode, feed: Feed, access: Owner
) -> ContactModel | Response:
    """Take another device's invite: it is a contact here, and this device there, with the answer. Owner only.

    Closing the connection gives it up. An invite of version 1 makes a contact here only.
    """
    known = {peer.peer_id for peer in node.peers()}
    pairing = asyncio.ensure_future(node.pair(wanted.invite, wanted.name, patience=wanted.patience))
    leaving = asyncio.ensure_future(departure(request))
    try:
        await asyncio.wait([pairing, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not pairing.done():
            return Response(status_code=499)  # nobody reads it
        peer = pairing.result()
    finally:
        pairing.cancel()
        leaving.cancel()
    if peer.peer_id not in known and wanted.invite.lstrip("\ufeff \t\r\n").startswith("{"):
        feed.publish("contact.added", {"contact": ContactName.of(peer).model_dump()}, contact=peer.peer_id)
    return await ContactModel.read(peer)
