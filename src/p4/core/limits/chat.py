"""Chat (spec/chat.md)."""

from __future__ import annotations

__all__ = [
    "CHAT_FILE_NAME_BYTES",
    "CHAT_HISTORY_BYTES",
    "CHAT_PAGE_BYTES",
    "CHAT_PAGE_ENTRIES",
    "CHAT_RETRY_SECONDS",
    "CHAT_SEEN_TTL_SECONDS",
    "CHAT_TRANSFER_ID_BYTES",
    "CHAT_TYPING_SECONDS",
    "CHAT_TYPING_SHOWN_SECONDS",
]

CHAT_FILE_NAME_BYTES = 255
"""Longest name of a file in a message, UTF-8: what most file systems take."""

CHAT_TRANSFER_ID_BYTES = 64
"""Longest name of a transfer in a message."""

CHAT_TYPING_SECONDS = 3.0
"""A person who writes is told of at most this often."""

CHAT_TYPING_SHOWN_SECONDS = 5.0
"""How long a person counts as writing after the last word of it."""

CHAT_SEEN_TTL_SECONDS = 30 * 86400.0
"""What was seen is of no interest any more after this time."""

CHAT_HISTORY_BYTES = 256 * 1024 * 1024
"""Texts kept for one contact. Beyond it the oldest go, so that no contact fills the disk."""

CHAT_PAGE_ENTRIES = 200
"""Most entries of a history that are read at a time."""

CHAT_PAGE_BYTES = 2 * 1024 * 1024
"""Texts of a page: it ends early, after one entry at the soonest, when they are longer."""

CHAT_RETRY_SECONDS = 5.0
"""Pause after the disk refused what arrived, before it is tried again."""
