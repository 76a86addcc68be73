"""What a history is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ChatEntry", "ChatEvent", "ChatKind", "ChatState", "Conversation", "FileMention"]


class ChatKind(StrEnum):
    """What an entry holds."""

    TEXT = "text"
    """What a person says."""
    FILE = "file"
    """A text that speaks of a transfer."""
    DATA = "data"
    """Another program's JSON value or bytes, shown and never acted on."""
    UNREADABLE = "unreadable"
    """The contact's program sent what is no JSON."""


class ChatState(StrEnum):
    """How far an entry has come."""

    SENDING = "sending"
    """Ours, and not handed over yet."""
    QUEUED = "queued"
    """Ours, on our disk."""
    DELIVERED = "delivered"
    """On the contact's disk."""
    CONSUMED = "consumed"
    """The contact's program has taken it."""
    SEEN = "seen"
    """The contact's program has shown it to a person."""
    FAILED = "failed"
    """It will not arrive; the entry's reason says why."""
    RECEIVED = "received"
    """The contact's."""

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be learned of it from the node's receipts."""
        return self not in (ChatState.SENDING, ChatState.QUEUED, ChatState.DELIVERED)


@dataclass(frozen=True, slots=True)
class FileMention:
    """A file that an entry speaks of."""

    name: str
    """As its sender calls it; no path, and not to be used as one."""
    size: int
    """Bytes."""
    transfer: str
    """What its sender's application of files calls the transfer that brings it."""


@dataclass(frozen=True, slots=True)
class ChatEntry:
    """One message of a history."""

    position: int
    """Its place in this device's history; later ones have higher places, of all contacts together."""
    peer_id: str
    mine: bool
    """Whether we sent it."""
    kind: ChatKind
    text: str
    file: FileMention | None
    message_id: str
    """`p4.Message.id`, the same on both sides; empty while it is being handed over."""
    sent_ms: int
    """When its sender accepted it, Unix milliseconds by the sender's clock."""
    kept_ms: int
    """When it came into this history, Unix milliseconds."""
    state: ChatState
    reason: str = ""
    """Why it failed, in a sentence."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One contact's history in short."""

    peer_id: str
    unread: int
    """Entries of the contact that no person here was shown."""
    last: ChatEntry | None


@dataclass(frozen=True, slots=True)
class ChatEvent:
    """Something in a history changed."""

    kind: str
    """``message`` (entries are new), ``receipt`` (entries have come further), ``read`` (unread is less),
    ``typing`` (the contact is writing) or ``cleared``."""
    peer_id: str
    entries: tuple[ChatEntry, ...] = ()
    unread: int = 0
