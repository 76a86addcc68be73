"""Lines of the channel ``chat``, as version 1 speaks them (spec/link.md)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from p4.core import limits
from p4.core.identity import PeerId

__all__ = ["ChatText", "Hello", "chat_lines", "hello_line", "read_chat_line"]


@dataclass(frozen=True, slots=True)
class Hello:
    """Who the far end says it is."""

    sender: object


@dataclass(frozen=True, slots=True)
class ChatText:
    """What a person says."""

    text: str


def hello_line(me: PeerId, now_ms: int) -> str:
    """The first line of each side."""
    return json.dumps({"from_peer_id": me, "timestamp": now_ms // 1000, "type": "hello"})


def chat_lines(me: PeerId, text: str, now_ms: int) -> list[str]:
    """The line of a text; several if JSON's escapes make it longer than a message may be."""
    line = {"from_peer_id": me, "text": text, "timestamp": now_ms // 1000, "type": "chat"}
    encoded = json.dumps(line, ensure_ascii=False)
    if len(encoded.encode()) <= limits.LINK_MESSAGE_BYTES:
        return [encoded]
    half = len(text) // 2
    return [*chat_lines(me, text[:half], now_ms), *chat_lines(me, text[half:], now_ms)]


def read_chat_line(line: str) -> Hello | ChatText | None:
    """What a line says; None for anything else."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict):
        return None
    match message.get("type"), message.get("text"):
        case "hello", _:
            return Hello(message.get("from_peer_id"))
        case "chat", str() as text:
            # JSON can name half a character (a lone surrogate), which nothing can store or show.
            return ChatText(text.encode(errors="replace").decode())
    return None
