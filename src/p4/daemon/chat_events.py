"""The chat's entries as JSON objects, and its events on the feed."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, Field

from p4.apps.chat import ChatEntry, ChatEvent
from p4.core.identity import PeerId
from p4.daemon.event_feed import EventFeed
from p4.node.drafts import CHAT

__all__ = ["EntryModel", "FileModel", "announce_on"]


class FileModel(BaseModel):
    """A file that a message speaks of."""

    name: str = Field(description="As its sender calls it; not a path.", min_length=1, max_length=255)
    size: int = Field(description="Bytes.", ge=0, le=2**53 - 1)
    transfer: str = Field(description="The id of its transfer at its sender.", min_length=1, max_length=64)


class EntryModel(BaseModel):
    """One message of a history."""

    id: str = Field(description="Its place in this device's history; rises with time.")
    message_id: str = Field(description="The message's id on both devices; empty for a moment.")
    mine: bool
    kind: str = Field(description="`text`, `file`, `data` (of another program) or `unreadable`.")
    text: str
    file: FileModel | None
    sent_ms: int = Field(description="By its sender's clock.")
    kept_ms: int = Field(description="When it came into this history.")
    state: str = Field(
        description="`sending`, `queued`, `delivered`, `consumed`, `seen`, `failed`; `received` if not mine."
    )
    reason: str = Field(description="Why it failed, in a sentence.")

    @classmethod
    def of(cls, entry: ChatEntry) -> EntryModel:
        """From an entry of the history."""
        file = entry.file
        return cls(
            id=str(entry.position),
            message_id=entry.message_id,
            mine=entry.mine,
            kind=entry.kind.value,
            text=entry.text,
            file=None if file is None else FileModel(name=file.name, size=file.size, transfer=file.transfer),
            sent_ms=entry.sent_ms,
            kept_ms=entry.kept_ms,
            state=entry.state.value,
            reason=entry.reason,
        )


def announce_on(feed: EventFeed) -> Callable[[ChatEvent], None]:
    """Who tells the feed: ``chat.message``, ``chat.receipt``, ``chat.read``, ``chat.typing`` and
    ``chat.cleared``.

    Each has ``contact`` (its id); the first two the ``entries`` that are new or have come further;
    ``message`` and ``read`` how many are ``unread``.
    """

    def announce(event: ChatEvent) -> None:
        data: dict[str, object] = {"contact": {"id": event.peer_id}}
        if event.entries:
            data["entries"] = [EntryModel.of(entry).model_dump() for entry in event.entries]
        if event.kind in ("message", "read"):
            data["unread"] = event.unread
        feed.publish(f"chat.{event.kind}", data, contact=PeerId(event.peer_id), service=CHAT)

    return announce
