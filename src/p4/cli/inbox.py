"""What `p4 inbox` prints: chat out of the history, other messages as they wait."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from p4.cli.output import complain, say, say_json_line, visible
from p4.client.connection import FEED_OPENED
from p4.core import limits
from p4.errors import FrameError

if TYPE_CHECKING:
    from p4.client import Client, Message

__all__ = ["ChatInbox", "ServiceInbox", "show_json", "show_line"]

PAGE_ENTRIES = 50
PEEK_LEASE_SECONDS = 0.2
"""What was only looked at can be taken by another reader this soon."""

Entry = dict[str, Any]


class ChatInbox:
    """What contacts said and nobody here was shown yet.

    Args:
        contact: only of this one, by name or id; None for all.
        acknowledge: whether it counts as shown once it is printed. It is printed once, then.
    """

    def __init__(
        self, client: Client, contact: str | None, *, acknowledge: bool, show: Callable[[Entry], None]
    ) -> None:
        self._client = client
        self._contact = contact
        self._acknowledge = acknowledge
        self._show = show
        self._printed: dict[str, int] = {}
        """Place of the last entry that was printed, by contact id."""
        self.count = 0

    async def show_waiting(self) -> None:
        """Print what is there, contact by contact."""
        only = None if self._contact is None else (await self._client.contact(self._contact).status()).id
        answer = await self._client.request("GET", "/v1/chat")
        for found in answer["conversations"]:
            contact = found["contact"]
            if found["unread"] and only in {None, contact["id"]}:
                last = found["last"]
                await self._show_unread(contact, found["unread"], int(last["id"]) if last else 0)

    async def follow(self) -> None:
        """Print what is there and what comes, across restarts of the daemon, until cancelled."""
        async for event in self._client.events(FEED_OPENED, "chat.message"):
            entries = event.data.get("entries", ())
            if not entries or any(not entry["mine"] for entry in entries):
                await self.show_waiting()

    async def _show_unread(self, contact: Entry, count: int, last: int) -> None:
        """Print the latest entries of a contact.

        Args:
            count: how many were unread when the one at the place ``last`` was the latest of the history.
        """
        path = f"/v1/chat/{contact['id']}"
        found: list[Entry] = []
        before: str | None = None
        while sum(int(entry["id"]) <= last for entry in found) < count:
            page = await self._client.request(
                "GET", path, parameters={"before": before, "limit": PAGE_ENTRIES}
            )
            found = [entry for entry in page["entries"] if not entry["mine"]] + found
            before = page["before"]
            if before is None:
                break
        printed = self._printed.get(contact["id"], 0)
        came_since = sum(int(entry["id"]) > last for entry in found)
        for entry in found[-(count + came_since) :]:
            if int(entry["id"]) > printed:
                self._show({"contact": contact, **entry})
                self.count += 1
                self._printed[contact["id"]] = int(entry["id"])
        if self._acknowledge and found:
            await self._client.request("POST", f"{path}/read", {"through": found[-1]["id"]}, repeatable=True)


class ServiceInbox:
    """Messages of contacts for a service of an application.

    Args:
        contact: only of this one; None for all.
        acknowledge: whether a message is done once it is printed. It does not come again, then.
    """

    def __init__(
        self,
        client: Client,
        service: str,
        contact: str | None,
        *,
        acknowledge: bool,
        show: Callable[[Entry], None],
    ) -> None:
        self._client = client
        self._service = service
        self._contact = contact
        self._acknowledge = acknowledge
        self._show = show
        self.count = 0

    async def show_waiting(self) -> None:
        """Print what is there."""
        path = f"/v1/messages/{self._service}"
        while True:
            parameters = {
                "contact": self._contact,
                "max": limits.CLIENT_ACKNOWLEDGED,
                "timeout": 0.5,
                "lease": limits.CLIENT_WAIT_SECONDS if self._acknowledge else PEEK_LEASE_SECONDS,
            }
            answer = await self._client.request("GET", f"{path}/next", parameters=parameters)
            found = answer["messages"]
            for entry in found:
                self._show(entry)
                self.count += 1
            if not (self._acknowledge and found):
                return
            done = [{"contact": entry["contact"]["id"], "id": entry["id"]} for entry in found]
            await self._client.request("POST", f"{path}/done", {"messages": done}, repeatable=True)

    async def follow(self) -> None:
        """Print what is there and what comes, each once, across restarts of the daemon, until cancelled."""
        async with self._client.messages(self._service, contact=self._contact) as messages:
            async for message in messages:
                self._show(_entry(message))
                message.done()


def _entry(message: Message) -> Entry:
    entry: Entry = {
        "id": message.id,
        "contact": {"id": message.contact.id, "name": message.contact.name},
        "service": message.service,
        "key": message.key,
        "sent_ms": message.sent_ms,
        "received_ms": message.received_ms,
    }
    try:
        value = message.value
    except FrameError as error:
        return entry | {"problem": error.message}
    if isinstance(value, bytes):
        return entry | {"base64": base64.b64encode(value).decode()}
    return entry | {"value": value}


def show_line(entry: Entry) -> None:
    """One received message as a line for a person."""
    contact = entry["contact"]
    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry["sent_ms"] / 1000))
    say(f"{moment}  {visible(contact.get('name') or contact['id'][:8])}: {visible(_text(entry))}")


def show_json(entry: Entry) -> None:
    """One received message as a line of JSON."""
    say_json_line({name: value for name, value in entry.items() if value is not None})


def _text(entry: Entry) -> str:
    if "text" in entry:
        return str(entry["text"])
    if entry.get("problem"):
        complain(f"A message cannot be shown: {entry['problem']}")
        return "(not readable)"
    if entry.get("base64") is not None:
        return repr(base64.b64decode(entry["base64"]))
    value = entry.get("value")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
