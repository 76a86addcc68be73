"""One contact, through the daemon."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from p4.client.messages import ChatReceipt, MessageSubscription, Receipt
from p4.client.records import ContactStatus
from p4.client.streams import Stream, incoming_stream, open_stream
from p4.client.values import decoded, encoded, quoted
from p4.core import limits

if TYPE_CHECKING:
    from p4.client.client import Client

__all__ = ["Contact"]

CHAT = "chat"


class Contact:
    """A contact by its name, id, or a unique beginning of its id. Made by `Client.contact`; asks nothing by
    itself.

    Every method raises ContactError ``unknown`` or ``ambiguous`` if the reference names no contact.
    """

    def __init__(self, client: Client, reference: str) -> None:
        self._client = client
        self.reference = reference
        self._path = f"/v1/contacts/{quoted(reference)}"

    def __repr__(self) -> str:
        return f"<Contact {self.reference!r}>"

    # -- how it is ---------------------------------------------------------------------------------------

    async def status(self) -> ContactStatus:
        """How it is now."""
        return ContactStatus.read(await self._client.request("GET", self._path))

    async def ping(self) -> float:
        """The round trip through the contact's program, seconds. Raises CallError."""
        answer = await self._client.request("POST", f"{self._path}/ping", repeatable=True)
        return float(answer["round_trip"])

    async def drop(self) -> bool:
        """Cut the link, which comes back by itself; False if there was none."""
        return bool((await self._client.request("POST", f"{self._path}/drop"))["dropped"])

    async def rename(self, name: str) -> ContactStatus:
        """Call it something else. Raises ContactError ``name-taken``."""
        return ContactStatus.read(
            await self._client.request("PATCH", self._path, {"name": name}, repeatable=True)
        )

    async def remove(self) -> None:
        """Forget it, and what waits for it and from it."""
        await self._client.request("DELETE", self._path, repeatable=False)

    async def set_policy(self, policy: str) -> None:
        """Choose which paths to it may be used: ``direct``, ``relay-only`` or ``lan-only``."""
        await self._client.request("PUT", f"{self._path}/policy", {"policy": policy})

    # -- what it may use here ----------------------------------------------------------------------------

    async def grants(self) -> tuple[str, ...]:
        """The services of this device that it may use."""
        return _grants(await self._client.request("GET", f"{self._path}/grants"))

    async def grant(self, *services: str) -> tuple[str, ...]:
        """Let it use these too; gives all that it may use then. On disk when this returns."""
        body = {"services": list(services)}
        return _grants(await self._client.request("POST", f"{self._path}/grants", body, repeatable=True))

    async def revoke(self, *services: str) -> tuple[str, ...]:
        """Let it use these no more; gives what is left. Raises InputError ``unknown`` for what it does not
        have."""
        for service in services:
            await self._client.request("DELETE", f"{self._path}/grants/{quoted(service)}", repeatable=False)
        return await self.grants()

    # -- messages ----------------------------------------------------------------------------------------

    async def send(
        self, value: object, *, service: str = CHAT, ttl: float | None = None, latest: str = ""
    ) -> Receipt:
        """Hand over a message. It is on disk when this returns, and arrives once, in order.

        A text for ``chat`` also stands in the history that `p4 chat` and the web page show.

        Args:
            value: bytes, or a JSON value (a str is one); up to 1 MiB.
            service: which service of the contact it is for.
            ttl: seconds after which it is of no use; None for never.
            latest: a key: this value replaces earlier ones with the same key that have not arrived yet.

        Raises:
            InputError, StateError: nothing was accepted. LocalError ``connection-lost``: the daemon ended in
                this moment; it may have been accepted.
        """
        if service == CHAT and isinstance(value, str) and ttl is None and not latest:
            line = await self._client.request("POST", f"/v1/chat/{quoted(self.reference)}", {"text": value})
            return ChatReceipt(self._client, self.reference, line)
        body = {"service": service, **encoded(value)}
        if ttl is not None:
            body["ttl"] = ttl
        if latest:
            body["latest"] = latest
        return Receipt(
            self._client, self.reference, await self._client.request("POST", f"{self._path}/messages", body)
        )

    async def send_many(
        self, values: Iterable[object], *, service: str, ttl: float | None = None
    ) -> list[Receipt]:
        """Hand over several messages, all or none: with one write to disk. See `send`."""
        body: dict[str, object] = {"service": service, "values": [encoded(value) for value in values]}
        if ttl is not None:
            body["ttl"] = ttl
        answer = await self._client.request("POST", f"{self._path}/messages/batch", body)
        return [Receipt(self._client, self.reference, entry) for entry in answer["receipts"]]

    def messages(self, service: str, *, window: int = limits.CLIENT_WINDOW) -> MessageSubscription:
        """Its messages for a service; see `Client.messages`."""
        return MessageSubscription(self._client, service, self.reference, window)

    # -- calls and streams -------------------------------------------------------------------------------

    async def call(
        self, service: str, argument: object = None, *, deadline: float = limits.CALL_SECONDS
    ) -> Any:
        """Ask a service of the contact and wait for its reply. It is executed at most once.

        Args:
            argument: bytes, or a JSON value; up to 1 MiB.
            deadline: seconds until the call is given up, here and there.

        Returns:
            Bytes, or a JSON value.

        Raises:
            CallError: no result; ``may_have_run`` says whether it may have been executed. InputError: nothing
                was sent. LocalError ``connection-lost``: the daemon ended; it may have been executed.
        """
        body = {"deadline": deadline, **encoded(argument)}
        path = f"{self._path}/calls/{quoted(service)}"
        return decoded(
            await self._client.request("POST", path, body, timeout=deadline + limits.CLIENT_WAIT_SECONDS)
        )

    def stream(self, service: str, name: str = "") -> AbstractAsyncContextManager[Stream]:
        """A byte stream to a service, for ``async with``: the one of this name, if it was opened before.

        Leaving it well says that no more is written; leaving it by an exception lets go of it, and it can be
        opened again. Raises StreamError: ``not-granted``, ``too-many``.
        """
        return open_stream(self._client, self.reference, service, name)

    def next_stream(self, service: str) -> AbstractAsyncContextManager[Stream]:
        """The next stream that it opens to a service of this device; see `Client.next_stream`."""
        return incoming_stream(self._client, service, self.reference)


def _grants(answer: dict[str, Any]) -> tuple[str, ...]:
    return tuple(answer["grants"])
