"""Keeps the chat's model as the daemon knows it, and carries out what a person does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from p4.cli.chat.model import ChatModel, Person
from p4.cli.output import visible
from p4.client import Client
from p4.client.chat import Chat, ChatLine
from p4.core import limits
from p4.errors import P4Error

__all__ = ["PAGE", "Follower"]

PAGE = 100
"""Lines asked for at a time."""

PRESENCE_SECONDS = 2.0
"""Pause between two looks at how contacts are reached."""


class Follower:
    """Between daemon and model.

    Args:
        changed: called when there is something new to show.
    """

    def __init__(self, client: Client, model: ChatModel, changed: Callable[[], None]) -> None:
        self.model = model
        self._client = client
        self._chat = Chat(client)
        self._changed = changed

    async def load(self) -> None:
        """Who there is, and the history of whom is on the screen. Raises P4Error."""
        self.model.take(await self._chat.conversations())
        await self._presence()
        await self.open()

    async def open(self) -> None:
        """Load the history that is on the screen, and say that it was read. Raises P4Error."""
        person = self.model.person
        if person is not None and not person.loaded:
            lines, person.before = await self._chat.page(person.contact_id, limit=PAGE)
            person.put(lines)
            person.loaded = True
        await self.read()
        self._changed()

    async def older(self) -> None:
        """Load the page before what is loaded. Raises P4Error."""
        person = self.model.person
        if person is None or person.before is None:
            return
        before, person.before = person.before, None  # not twice at a time
        lines, person.before = await self._chat.page(person.contact_id, before=before, limit=PAGE)
        person.put(lines)
        self._changed()

    async def read(self) -> None:
        """Say that what is on the screen was read. Raises P4Error."""
        person = self.model.person
        if person is not None and person.unread and person.last_theirs is not None:
            person.unread = 0
            await self._chat.mark_read(person.contact_id, person.last_theirs)

    async def say(self, text: str) -> ChatLine | None:
        """Say something to whom is on the screen. Raises P4Error: it was not sent."""
        person = self.model.person
        if person is None:
            return None
        line = await self._chat.say(person.contact_id, text)
        person.put([line])
        self.model.scroll = 0
        self._changed()
        return line

    async def typing(self) -> None:
        """A person is writing; it does not matter if that is not told."""
        person = self.model.person
        if person is not None and person.connected:
            try:
                await self._chat.typing(person.contact_id)
            except P4Error:
                return

    async def follow(self) -> None:
        """Show what happens, until cancelled. Raises P4Error when the daemon is gone for good."""
        presence = asyncio.create_task(self._watch_presence())
        restarted = asyncio.Event()
        try:
            async for event in self._client.events(restarted=restarted.set):
                if restarted.is_set() or event.kind == "feed.missed" or event.kind.startswith("contact."):
                    restarted.clear()
                    await self._again()
                if event.kind.startswith("chat."):
                    await self._take(event.kind, event.data)
                elif event.kind in ("link.up", "link.down"):
                    await self._presence()
                self._changed()
        finally:
            presence.cancel()

    # -- inside ------------------------------------------------------------------------------------------

    async def _take(self, kind: str, data: dict[str, Any]) -> None:
        person = self.model.find(data["contact"]["id"])
        if person is None:
            self.model.take(await self._chat.conversations())
            return
        if kind == "chat.typing":
            person.typing_until = asyncio.get_running_loop().time() + limits.CHAT_TYPING_SHOWN_SECONDS
        elif kind == "chat.cleared":
            person.lines.clear()
            person.before = None
        elif kind == "chat.read":
            person.unread = data["unread"]
        else:
            self._put(person, [ChatLine.of(entry) for entry in data["entries"]])
            if kind == "chat.message":
                person.typing_until = 0.0
                person.unread = data["unread"]
                if person is self.model.person:
                    await self.read()

    def _put(self, person: Person, lines: list[ChatLine]) -> None:
        oldest = next(iter(person.lines.values()), None)
        # What lies before the first page comes with its own page.
        wanted = [line for line in lines if oldest is None or int(line.id) >= int(oldest.id)]
        if person.loaded:
            person.put(wanted)

    async def _again(self) -> None:
        for person in self.model.people:
            person.loaded, person.before = False, None
            person.lines.clear()
        await self.load()

    async def _watch_presence(self) -> None:
        while True:
            await asyncio.sleep(PRESENCE_SECONDS)
            try:
                await self._presence()
                await self._catch_up()
            except P4Error as error:
                self.model.notice = error.message
            self._changed()

    async def _catch_up(self) -> None:
        """What was said before the stream of events was open."""
        latest = {found.contact_id: found.last for found in await self._chat.conversations()}
        for person in self.model.people:
            last = latest.get(person.contact_id)
            if person.loaded and last is not None and last.id not in person.lines:
                lines, _ = await self._chat.page(person.contact_id, limit=PAGE)
                person.put(lines)

    async def _presence(self) -> None:
        status = await self._client.request("GET", "/v1/status")
        for contact in status["contacts"]:
            if (person := self.model.find(contact["id"])) is not None:
                person.connected = contact["connected"]
                person.presence = visible(_presence(contact))


def _presence(contact: dict[str, Any]) -> str:
    """How a contact is reached, or why not, in a few words."""
    waiting = f", {contact['queued_messages']} waiting" if contact["queued_messages"] else ""
    if not contact["connected"]:
        return f"not connected{waiting}"
    path = contact["path"]
    words = path["kind"] if path else "connected"
    if contact["round_trip"] is not None:
        words += f" {contact['round_trip'] * 1000:.0f} ms"
    return words + waiting
