"""Between what travels in messages and what a person reads (spec/chat.md). All of it is a stranger's."""

from __future__ import annotations

import json
from dataclasses import dataclass

from p4.apps.chat.entry import ChatKind, FileMention
from p4.core import limits
from p4.errors import FrameError, InputError
from p4.node.inbox import Message

__all__ = ["Said", "read_message", "read_value", "value_of"]

_MOST_SIZE = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Said:
    """What a message says."""

    kind: ChatKind
    text: str
    file: FileMention | None = None


def read_message(message: Message) -> Said:
    """What a message of the service ``chat`` says; never raises for what a contact sent."""
    try:
        value = message.value
    except FrameError:
        return Said(ChatKind.UNREADABLE, "")
    return read_value(value)


def read_value(value: object) -> Said:
    """What a message's value says."""
    match value:
        case str():
            return Said(ChatKind.TEXT, value)
        case bytes():
            return Said(ChatKind.DATA, repr(value))
        case {
            "text": str(text),
            "file": {"name": str(name), "size": int(size), "transfer": str(transfer)},
        } if _is_file(name, size, transfer):
            return Said(ChatKind.FILE, text, FileMention(name, size, transfer))
        case {"text": str(text)}:
            return Said(ChatKind.TEXT, text)
    return Said(ChatKind.DATA, json.dumps(value, ensure_ascii=False))


def value_of(text: str, file: FileMention | None) -> object:
    """The value to send.

    Raises:
        InputError: ``empty``, or ``bad-file`` where it breaks the limits of spec/chat.md.
    """
    if not text.strip():
        raise InputError("There is nothing in this message. Nothing was sent.", code="empty")
    if file is None:
        return text
    if not _is_file(file.name, file.size, file.transfer):
        raise InputError("A message cannot speak of such a file. Nothing was sent.", code="bad-file")
    return {"text": text, "file": {"name": file.name, "size": file.size, "transfer": file.transfer}}


def _is_file(name: str, size: int, transfer: str) -> bool:
    return (
        not isinstance(size, bool)
        and 0 <= size <= _MOST_SIZE
        and 0 < _bytes(name) <= limits.CHAT_FILE_NAME_BYTES
        and 0 < _bytes(transfer) <= limits.CHAT_TRANSFER_ID_BYTES
    )


def _bytes(text: str) -> int:
    return len(text.encode(errors="replace"))
