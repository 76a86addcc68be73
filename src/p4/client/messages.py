"""Messages of contacts, each once, across restarts of the daemon (spec/daemon-api, "Messages")."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from p4.client.connection import FEED_OPENED
from p4.client.records import ContactName
from p4.client.values import decoded, quoted
from p4.core import limits
from p4.errors import DeliveryError, LocalError, P4Error

if TYPE_CHECKING:
    from p4.client.client import Client

__all__ = ["ChatReceipt", "Message", "MessageSubscription", "Receipt"]

_Key = tuple[str, str]
"""Contact id and message id: together they name a message for ever."""


_PROGRESS = ("sending", "queued", "delivered", "consumed", "seen")
"""The states of a message that arrives, in their order; ``sending`` and ``seen`` are those of chat only."""


class Receipt:
    """One accepted message and what becomes of it."""

    def __init__(self, client: Client, contact: str, entry: Mapping[str, Any]) -> None:
        self._client = client
        # By its id, where that was told: it may be called otherwise by the time somebody waits.
        self._contact = str(entry["contact"]["id"]) if "contact" in entry else contact
        self.id = str(entry["id"])
        """Names the message for ever; the contact's application sees the same."""
        self.state = str(entry.get("state", "queued"))
        """``queued``, ``delivered``, ``consumed`` or ``dropped``, as far as this receipt has been told."""

    def __repr__(self) -> str:
        return f"<Receipt {self.id} {self.state}>"

    async def delivered(self) -> None:
        """Wait until it is on the contact's disk.

        Raises:
            DeliveryError: it never will be. InputError ``unknown``: the daemon has restarted since and does
                not remember; the message arrives all the same.
        """
        await self._wait("delivered")

    async def consumed(self) -> None:
        """Wait until the contact's application has taken it. Raises as `delivered`."""
        await self._wait("consumed")

    async def _wait(self, wanted: str) -> None:
        path = f"/v1/contacts/{quoted(self._contact)}/receipts/{quoted(self.id)}"
        seconds = limits.CLIENT_WAIT_SECONDS
        while not _has_come(self.state, wanted):
            entry = await self._client.request(
                "GET", path, parameters={"wait": wanted, "timeout": seconds}, timeout=2 * seconds
            )
            self.state = str(entry["state"])
            if self.state == "dropped":
                reason = str(entry.get("reason") or "dropped")
                raise DeliveryError(f"The message will not arrive: {reason}.", code=reason)


class ChatReceipt(Receipt):
    """One thing that was said. It stands in the history: what becomes of it is known after restarts too."""

    def __init__(self, client: Client, contact: str, entry: Mapping[str, Any]) -> None:
        super().__init__(client, contact, {"id": entry["message_id"], "state": entry["state"]})
        self._place = str(entry["id"])

    async def _wait(self, wanted: str) -> None:
        if _has_come(self.state, wanted):
            return
        async for event in self._client.events(FEED_OPENED, "chat.receipt"):
            entries = event.data.get("entries")
            if entries is None:  # it may have come further while nobody told
                path = f"/v1/chat/{quoted(self._contact)}"
                after = {"before": int(self._place) + 1, "limit": 1}
                entries = (await self._client.request("GET", path, parameters=after))["entries"]
            for entry in entries:
                if entry["id"] == self._place:
                    self.state = str(entry["state"])
                    if self.state == "failed":
                        # What is said neither expires nor is it replaced: the contact does not take it.
                        raise DeliveryError(str(entry["reason"]), code="refused")
            if _has_come(self.state, wanted):
                return


def _has_come(state: str, wanted: str) -> bool:
    return state in _PROGRESS and _PROGRESS.index(state) >= _PROGRESS.index(wanted)


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """A message of a contact, which is on the daemon's disk until `done`."""

    contact: ContactName
    id: str
    """Names it for ever among the messages of this contact."""
    service: str
    key: str
    """Of a latest-value message; empty for others."""
    sent_ms: int
    """By its sender's clock."""
    received_ms: int
    _entry: Mapping[str, Any]
    _subscription: MessageSubscription

    def __repr__(self) -> str:
        return f"<Message {self.id} to {self.service!r} from {self.contact.label!r}>"

    @property
    def value(self) -> Any:
        """What was sent: bytes, or a JSON value. Raises FrameError ``bad-body`` if it was no JSON."""
        return decoded(self._entry)

    def done(self) -> asyncio.Future[None]:
        """The application has dealt with it.

        Returns:
            Await it to know that the message will not come again. Many may be done together.
        """
        return self._subscription.acknowledge((self.contact.id, self.id))


class MessageSubscription:
    """An endless iterator over the messages of a service, each once.

    A message whose `Message.done` was called does not come again, whatever restarts: if the daemon ended
    before it had noted that, it is told once more. One that was not done comes again to the next
    subscription. Leave it (``async with``, or `aclose`) to let other readers have what is not done.
    """

    def __init__(self, client: Client, service: str, contact: str | None, window: int) -> None:
        self._client = client
        self._service = service
        self._path = f"/v1/messages/{quoted(service)}"
        self._events = client.listen(self._path, {"contact": contact, "window": window})
        self._handed_out: set[_Key] = set()
        """Given to the application, and not yet known to be done by the daemon."""
        self._done: dict[_Key, asyncio.Future[None]] = {}
        """Done by the application, and not yet known to be so by the daemon."""
        self._unknown: OrderedDict[_Key, None] = OrderedDict()
        """Done by the application, and not known to the daemon when it was told: it had either noted that
        before, or has restarted and not handed them out again yet."""
        self._again: set[_Key] = set()
        """Came again while the daemon was told that they are done: it may have been told before that, and
        then has noted nothing."""
        self._telling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Tell the daemon what is done, and read no more."""
        if self._telling is not None:
            await asyncio.wait([self._telling])
        closing = getattr(self._events, "aclose", None)
        if closing is not None:
            await closing()

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        async for event in self._events:
            if event.kind != "message":
                continue
            entry = json.loads(event.data)
            contact = ContactName.read(entry["contact"])
            key = (contact.id, str(entry["id"]))
            if key in self._unknown:
                del self._unknown[key]
                self._handed_out.add(key)
                self.acknowledge(key)
                continue
            if key in self._done:
                self._again.add(key)
                self._tell()  # the daemon restarted before it had noted it
                continue
            if key in self._handed_out:
                continue  # the application has it, and will say when it is done
            self._handed_out.add(key)
            return Message(
                contact,
                key[1],
                str(entry.get("service", self._service)),
                str(entry.get("key", "")),
                int(entry.get("sent_ms", 0)),
                int(entry.get("received_ms", 0)),
                entry,
                self,
            )
        raise StopAsyncIteration

    def acknowledge(self, key: _Key) -> asyncio.Future[None]:
        """See `Message.done`."""
        future = self._done.get(key)
        if future is None or future.done():
            future = asyncio.get_running_loop().create_future()
            future.add_done_callback(_forgive)
            if key not in self._handed_out:
                future.set_result(None)  # the daemon knows already
                return future
            self._done[key] = future
        self._tell()
        return future

    def _tell(self) -> None:
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell_all(), name="acknowledges messages")

    async def _tell_all(self) -> None:
        told: set[_Key] = set()
        while keys := [key for key in self._done if key not in told][: limits.CLIENT_ACKNOWLEDGED]:
            self._again.difference_update(keys)  # what is told from now on was handed out before
            try:
                answer = await self._client.request(
                    "POST",
                    f"{self._path}/done",
                    {"messages": [{"contact": contact, "id": identity} for contact, identity in keys]},
                    repeatable=True,
                )
            except P4Error as error:
                for key in keys:
                    self._settle(key, error)
                told.update(keys)
            else:
                for entry in answer["unknown"]:
                    if (key := (entry["contact"], entry["id"])) not in self._again:
                        self._unknown[key] = None
                while len(self._unknown) > limits.CLIENT_UNKNOWN_MESSAGES:
                    self._unknown.popitem(last=False)
                for key in keys:
                    if key not in self._again:
                        self._settle(key, None)

    def _settle(self, key: _Key, error: P4Error | None) -> None:
        future = self._done[key]
        if error is None:
            del self._done[key]
            self._handed_out.discard(key)
            if not future.done():
                future.set_result(None)
        elif not future.done():
            # It stays among those that are done: if it comes again, the daemon is told again.
            future.set_exception(
                LocalError(
                    "That the message is done could not be noted: it comes again to the next subscription. "
                    + error.message,
                    code=error.code,
                )
            )


def _forgive(future: asyncio.Future[None]) -> None:
    """Nobody need await it: a message that could not be noted comes again, which is what was promised."""
    if not future.cancelled():
        future.exception()
