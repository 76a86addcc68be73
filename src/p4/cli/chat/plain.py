"""The chat where there is no terminal: a line in is said, a line out was said."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from p4.cli.lines import PlainLines
from p4.cli.output import complain, say, visible
from p4.client import Client, DaemonEvent
from p4.client.chat import Chat, ChatLine
from p4.errors import InputError

__all__ = ["plain_chat", "show_conversations"]

LATEST = 20


async def show_conversations(client: Client) -> None:
    """One line per contact: name, unread, the last that was said."""
    for found in await Chat(client).conversations():
        name = visible(found.name) or found.contact_id[:8]
        unread = f" ({found.unread} unread)" if found.unread else ""
        last = f": {visible(found.last.text)[:100]}" if found.last else ""
        say(f"{name}{unread}{last}")


async def plain_chat(client: Client, contact_id: str, name: str) -> None:
    """Print what is said, and say what is read from stdin, until that ends. Raises P4Error."""
    chat = Chat(client)
    events = client.events("chat.message")
    following = asyncio.create_task(_follow(chat, events, contact_id, name))
    try:
        lines, _ = await chat.page(contact_id, limit=LATEST)
        for line in lines:
            _print(line, name)
        await _read(chat, contact_id, lines)
        reading = asyncio.create_task(_say_lines(chat, contact_id))
        try:
            done, _ = await asyncio.wait({reading, following}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            reading.cancel()
    finally:
        following.cancel()


async def _follow(chat: Chat, events: AsyncIterator[DaemonEvent], contact_id: str, name: str) -> None:
    async for event in events:
        if event.data["contact"]["id"] == contact_id:
            lines = [ChatLine.of(entry) for entry in event.data["entries"] if not entry["mine"]]
            for line in lines:
                _print(line, name)
            await _read(chat, contact_id, lines)


async def _read(chat: Chat, contact_id: str, lines: list[ChatLine]) -> None:
    theirs = [line for line in lines if not line.mine]
    if theirs:
        await chat.mark_read(contact_id, theirs[-1].id)


async def _say_lines(chat: Chat, contact_id: str) -> None:
    lines = PlainLines(sys.stdin.fileno() if sys.stdin is not None else None)
    while (line := await lines.next_line("")) is not None:
        if line.strip():
            try:
                await chat.say(contact_id, line)
            except InputError as error:
                complain(error.message)


def _print(line: ChatLine, name: str) -> None:
    say(f"{'you' if line.mine else name}> {visible(line.text)}")
