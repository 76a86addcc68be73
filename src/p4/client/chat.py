"""What people say to each other, through the daemon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from p4.client.client import Client

__all__ = ["Chat", "ChatConversation", "ChatLine"]


@dataclass(frozen=True, slots=True)
class ChatLine:
    """One message of a history (spec/daemon-api, "Chat"). Its text is a stranger's."""

    id: str
    mine: bool
    kind: str
    """``text``, ``file``, ``data`` or ``unreadable``."""
    text: str
    sent_ms: int
    """Unix milliseconds, by its sender's clock."""
    state: str
    """``sending``, ``queued``, ``delivered``, ``consumed``, ``seen``, ``failed``; for theirs ``received``."""
    reason: str
    """Why it failed."""
    file: Mapping[str, Any] | None = None
    message_id: str = ""
    """Names it for ever; the same on both devices."""

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> ChatLine:
        """From the daemon's JSON; parts that it does not know are passed over."""
        return cls(
            id=answer["id"],
            mine=answer["mine"],
            kind=answer["kind"],
            text=answer["text"],
            sent_ms=answer["sent_ms"],
            state=answer["state"],
            reason=answer["reason"],
            file=answer["file"],
            message_id=answer.get("message_id", ""),
        )


@dataclass(frozen=True, slots=True)
class ChatConversation:
    """A contact's history in short."""

    contact_id: str
    name: str
    connected: bool
    unread: int
    last: ChatLine | None


class Chat:
    """The chat of a daemon's device. Every method raises P4Error as the daemon does.

    Args:
        client: connected.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def conversations(self) -> list[ChatConversation]:
        """Every contact's history in short, in the order of the contacts."""
        answer = await self._client.request("GET", "/v1/chat")
        return [
            ChatConversation(
                contact_id=found["contact"]["id"],
                name=found["contact"]["name"],
                connected=found["connected"],
                unread=found["unread"],
                last=None if found["last"] is None else ChatLine.of(found["last"]),
            )
            for found in answer["conversations"]
        ]

    async def page(
        self, contact: str, *, before: str | None = None, limit: int = 50
    ) -> tuple[list[ChatLine], str | None]:
        """A part of a history.

        Args:
            contact: name, id, or unique beginning of an id.
            before: only what stands before this line; None for the latest.

        Returns:
            The lines, oldest first, and the ``before`` of the page before them, None if there is none.
        """
        answer = await self._client.request(
            "GET", _path(contact), parameters={"before": before, "limit": limit}
        )
        return [ChatLine.of(entry) for entry in answer["entries"]], answer["before"]

    async def say(self, contact: str, text: str) -> ChatLine:
        """Say something; on disk when this returns."""
        return ChatLine.of(await self._client.request("POST", _path(contact), {"text": text}))

    async def mark_read(self, contact: str, through: str) -> None:
        """A person was shown everything up to a line."""
        await self._client.request("POST", f"{_path(contact)}/read", {"through": through}, repeatable=True)

    async def typing(self, contact: str) -> None:
        """A person is writing to the contact."""
        await self._client.request("POST", f"{_path(contact)}/typing")


def _path(contact: str) -> str:
    return f"/v1/chat/{quote(contact, safe='')}"
