"""The chat where there is no terminal: a line in is said, a line out was said."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import suppress

from p4.cli.lines import PlainLines
from p4.cli.output import complain, say, visible
from p4.client import Client, DaemonEvent
from p4.client.chat import Chat, ChatLine
from p4.core import limits
from p4.errors import InputError

__all__ = ["plain_chat", "show_conversations"]

LATEST = 20
LOOK_SECONDS = 2.0


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
    printer = _Printer(chat, contact_id, name)
    await printer.begin()
    working = [
        asyncio.create_task(_say_lines(chat, contact_id)),
        asyncio.create_task(printer.follow(client.events("chat.message"))),
    ]
    try:
        done, _ = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)


class _Printer:
    """Prints each line of a contact once."""

    def __init__(self, chat: Chat, contact_id: str, name: str) -> None:
        self._chat = chat
        self._contact_id = contact_id
        self._name = name
        self._last = 0
        self._changed = asyncio.Event()

    async def begin(self) -> None:
        """Print the latest of both sides."""
        lines, _ = await self._chat.page(self._contact_id, limit=LATEST)
        await self._print(lines)

    async def follow(self, events: AsyncIterator[DaemonEvent]) -> None:
        """Print what the contact says, without end."""
        listening = asyncio.create_task(self._listen(events))
        try:
            while True:
                # Events only hasten it: one may come before the stream of them is open.
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._changed.wait()
                self._changed.clear()
                if listening.done():
                    listening.result()
                lines, _ = await self._chat.page(self._contact_id, limit=limits.CHAT_PAGE_ENTRIES)
                await self._print([line for line in lines if int(line.id) > self._last and not line.mine])
        finally:
            listening.cancel()

    async def _listen(self, events: AsyncIterator[DaemonEvent]) -> None:
        async for event in events:
            if event.data["contact"]["id"] == self._contact_id:
                self._changed.set()

    async def _print(self, lines: list[ChatLine]) -> None:
        for line in lines:
            say(f"{'you' if line.mine else self._name}> {visible(line.text)}")
            self._last = int(line.id)
        if theirs := [line for line in lines if not line.mine]:
            await self._chat.mark_read(self._contact_id, theirs[-1].id)


async def _say_lines(chat: Chat, contact_id: str) -> None:
    lines = PlainLines(sys.stdin.fileno() if sys.stdin is not None else None)
    while (line := await lines.next_line("")) is not None:
        if line.strip():
            try:
                await chat.say(contact_id, line)
            except InputError as error:
                complain(error.message)
