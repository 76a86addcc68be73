"""What people say to each other: histories, unread counts, receipts (spec/chat.md)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field

from p4.apps.chat import FileMention
from p4.core import limits
from p4.core.identity import PeerId
from p4.daemon.chat_events import EntryModel, FileModel
from p4.daemon.dependencies import Access, Apps, DaemonNode, NamedContact
from p4.daemon.models import ContactName
from p4.daemon.routing import api_router
from p4.node.drafts import CHAT

__all__ = ["router"]

router = api_router("chat", "/chat")

_MOST_TEXT = limits.BODY_BYTES


class ConversationModel(BaseModel):
    """One contact's history in short."""

    contact: ContactName
    connected: bool
    unread: int
    last: EntryModel | None


class ConversationsModel(BaseModel):
    """All of them."""

    conversations: list[ConversationModel]


class PageModel(BaseModel):
    """A part of a history."""

    entries: list[EntryModel] = Field(description="Oldest first.")
    before: str | None = Field(description="Ask with `?before=` this for the page before; null for none.")
    unread: int


class SayModel(BaseModel):
    """What to say."""

    text: str = Field(max_length=_MOST_TEXT)
    file: FileModel | None = Field(default=None, description="A file of which the text speaks.")


class ReadModel(BaseModel):
    """What a person was shown."""

    through: str = Field(description="The id of the last entry that was shown.", pattern=r"^[0-9]{1,18}$")


class UnreadModel(BaseModel):
    """How much is left to be read."""

    unread: int


class ClearedModel(BaseModel):
    """What was forgotten."""

    removed: int


class TypingModel(BaseModel):
    """Whether the contact was told."""

    told: bool


@router.get("")
async def list_conversations(node: DaemonNode, apps: Apps, access: Access) -> ConversationsModel:
    """Every contact's history in short. An app needs the service `chat`, and sees its contacts only."""
    access.require(service=CHAT)
    peers = {peer.peer_id: peer for peer in node.peers() if access.may_reach(peer)}
    found = []
    for conversation in await apps.chat.conversations():
        if (peer := peers.get(PeerId(conversation.peer_id))) is not None:
            last = None if conversation.last is None else EntryModel.of(conversation.last)
            found.append(
                ConversationModel(
                    contact=ContactName.of(peer),
                    connected=peer.connected,
                    unread=conversation.unread,
                    last=last,
                )
            )
    return ConversationsModel(conversations=found)


@router.get("/{contact}")
async def read_history(
    contact: NamedContact,
    apps: Apps,
    access: Access,
    before: Annotated[
        str | None, Query(pattern=r"^[0-9]{1,18}$", description="Older than this entry.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=limits.CHAT_PAGE_ENTRIES)] = 50,
) -> PageModel:
    """A page of a contact's history, the latest without `before`."""
    access.require(service=CHAT)
    entries, earlier = await apps.chat.entries(
        contact, before=None if before is None else int(before), limit=limit
    )
    return PageModel(
        entries=[EntryModel.of(entry) for entry in entries],
        before=None if earlier is None else str(earlier),
        unread=await apps.chat.unread(contact),
    )


@router.post("/{contact}", status_code=201)
async def say(contact: NamedContact, said: SayModel, apps: Apps, access: Access) -> EntryModel:
    """Say something; it is on disk when this answers, and arrives once, however long that takes."""
    access.require(service=CHAT)
    named = said.file
    file = None if named is None else FileMention(named.name, named.size, named.transfer)
    return EntryModel.of(await apps.chat.send(contact, said.text, file))


@router.post("/{contact}/read")
async def mark_read(contact: NamedContact, shown: ReadModel, apps: Apps, access: Access) -> UnreadModel:
    """A person was shown a contact's messages up to an entry; the contact is told."""
    access.require(service=CHAT)
    return UnreadModel(unread=await apps.chat.mark_read(contact, int(shown.through)))


@router.post("/{contact}/typing")
async def tell_typing(contact: NamedContact, apps: Apps, access: Access) -> TypingModel:
    """A person is writing. Say so as often as you like: the contact is told every few seconds."""
    access.require(service=CHAT)
    return TypingModel(told=apps.chat.typing(contact))


@router.delete("/{contact}")
async def clear_history(contact: NamedContact, apps: Apps, access: Access) -> ClearedModel:
    """Forget a history, on this device only. Owner only."""
    access.require_owner()
    return ClearedModel(removed=await apps.chat.clear(contact))
