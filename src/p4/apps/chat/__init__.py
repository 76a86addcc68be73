"""Chat: a durable history of what people say to each other (spec/chat.md)."""

from __future__ import annotations

from p4.apps.chat.app import ChatApp
from p4.apps.chat.entry import ChatEntry, ChatEvent, ChatState, Conversation, FileMention
from p4.apps.chat.history import MIGRATIONS

__all__ = ["MIGRATIONS", "ChatApp", "ChatEntry", "ChatEvent", "ChatState", "Conversation", "FileMention"]
