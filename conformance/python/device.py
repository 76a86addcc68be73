"""L1: the device, its contacts, and what is sent to them."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from conformance.python.following import timed_out
from p4.client import Client, ContactName, Receipt, connect
from p4.client.chat import Chat
from p4.client.lifecycle import verification
from p4.client.pairing import Pairing

__all__ = ["Arguments", "Device", "Operations", "Result", "contact_entry", "members", "value_of", "within"]

Arguments = Mapping[str, Any]
Result = dict[str, object]
Operations = Mapping[str, Callable[[Arguments], Awaitable[Result]]]

RESTART_SECONDS = 60.0
"""How long requests wait for a daemon that was killed."""


def value_of(given: Arguments) -> object:
    """The value among the arguments: JSON, or bytes."""
    return base64.b64decode(given["base64"]) if "base64" in given else given["value"]


def members(value: object) -> Result:
    """A value as members of a result."""
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else {"value": value}


def contact_entry(contact: ContactName) -> dict[str, str]:
    """A contact in a result."""
    return {"id": contact.id, "name": contact.name}


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """A time limit that is told as the protocol wants it."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise timed_out(seconds) from error


class Device:
    """Clients and receipts by their handles."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        self._receipts: dict[str, Receipt] = {}
        self.operations: Operations = {
            "connect": self._connect,
            "disconnect": self._disconnect,
            "identity": self._identity,
            "status": self._status,
            "services": self._services,
            "request": self._request,
            "token.new": self._new_token,
            "token.list": self._tokens,
            "token.revoke": self._revoke_token,
            "pairing.create": self._invite,
            "pairing.add": self._add,
            "pairing.wait": self._paired,
            "pairing.cancel": self._cancel_invite,
            "contact.list": self._contacts,
            "contact.status": self._contact_status,
            "contact.ping": self._ping,
            "contact.rename": self._rename,
            "contact.remove": self._remove,
            "contact.grant": self._grant,
            "contact.revoke": self._revoke,
            "contact.grants": self._grants,
            "contact.set_policy": self._set_policy,
            "contact.verification": self._verification,
            "contact.call": self._call,
            "message.send": self._send,
            "message.send_many": self._send_many,
            "receipt.delivered": self._delivered,
            "receipt.consumed": self._consumed,
            "chat.say": self._say,
            "chat.history": self._history,
        }

    def client(self, given: Arguments) -> Client:
        """The client that a request names."""
        return self._clients[given["client"]]

    async def close(self) -> None:
        """Close all clients."""
        for client in self._clients.values():
            await client.aclose()

    # -- the device --------------------------------------------------------------------------------------

    async def _connect(self, given: Arguments) -> Result:
        if "url" in given:
            client = connect(url=given["url"], token=given["token"], restart_seconds=RESTART_SECONDS)
        else:
            client = connect(given["state_dir"], restart_seconds=RESTART_SECONDS)
        self._clients[given["client"]] = await client.__aenter__()
        return {}

    async def _disconnect(self, given: Arguments) -> Result:
        await self._clients.pop(given["client"]).aclose()
        return {}

    async def _identity(self, given: Arguments) -> Result:
        identity = await self.client(given).identity()
        return {"id": identity.id, "name": identity.name, "public_key": identity.public_key}

    async def _status(self, given: Arguments) -> Result:
        status = await self.client(given).status()
        return {"id": status.id, "contacts": [contact.name for contact in status.contacts]}

    async def _services(self, given: Arguments) -> Result:
        told = (await self.client(given).services())["services"]
        return {
            "services": [{"service": one["service"], "serves_calls": one["serves_calls"]} for one in told]
        }

    async def _request(self, given: Arguments) -> Result:
        body = await self.client(given).request(given["method"], given["path"], given.get("body"))
        return {"body": body}

    async def _new_token(self, given: Arguments) -> Result:
        token = await self.client(given).new_token(
            given["app"],
            services=given["services"],
            contacts=given["contacts"],
            expires_in=given["expires_in_seconds"],
        )
        return {"id": token.id, "token": token.token}

    async def _tokens(self, given: Arguments) -> Result:
        return {"ids": [token.id for token in await self.client(given).tokens()]}

    async def _revoke_token(self, given: Arguments) -> Result:
        await self.client(given).revoke_token(given["token_id"])
        return {}

    # -- pairing and contacts ----------------------------------------------------------------------------

    async def _invite(self, given: Arguments) -> Result:
        pairing = Pairing(self.client(given))
        invite = await pairing.create(name=given["name"])
        await pairing.wait_findable(invite.id)
        return {"invite": invite.id, "text": invite.text}

    async def _add(self, given: Arguments) -> Result:
        pairing = Pairing(self.client(given))
        contact = await pairing.add(given["text"], given["name"], patience=given["patience_seconds"])
        return {"contact": contact_entry(contact)}

    async def _paired(self, given: Arguments) -> Result:
        return {"contact": contact_entry(await Pairing(self.client(given)).wait(given["invite"]))}

    async def _cancel_invite(self, given: Arguments) -> Result:
        await Pairing(self.client(given)).cancel(given["invite"])
        return {}

    async def _contacts(self, given: Arguments) -> Result:
        return {"contacts": [contact_entry(contact) for contact in await self.client(given).contacts()]}

    async def _contact_status(self, given: Arguments) -> Result:
        status = await self.client(given).contact(given["contact"]).status()
        figures = {"connected": status.connected, "queued_messages": status.queued_messages}
        return {"id": status.id, "name": status.name, **figures}

    async def _ping(self, given: Arguments) -> Result:
        return {"round_trip_seconds": await self.client(given).contact(given["contact"]).ping()}

    async def _rename(self, given: Arguments) -> Result:
        return {"name": (await self.client(given).contact(given["contact"]).rename(given["name"])).name}

    async def _remove(self, given: Arguments) -> Result:
        await self.client(given).contact(given["contact"]).remove()
        return {}

    async def _grant(self, given: Arguments) -> Result:
        return {"grants": list(await self.client(given).contact(given["contact"]).grant(*given["services"]))}

    async def _revoke(self, given: Arguments) -> Result:
        await self.client(given).contact(given["contact"]).revoke(given["service"])
        return {}

    async def _grants(self, given: Arguments) -> Result:
        return {"grants": list(await self.client(given).contact(given["contact"]).grants())}

    async def _set_policy(self, given: Arguments) -> Result:
        await self.client(given).contact(given["contact"]).set_policy(given["policy"])
        return {}

    async def _verification(self, given: Arguments) -> Result:
        return {"words": list((await verification(self.client(given), given["contact"])).words)}

    async def _call(self, given: Arguments) -> Result:
        contact = self.client(given).contact(given["contact"])
        deadline = given["deadline_seconds"]
        return members(await contact.call(given["service"], value_of(given), deadline=deadline))

    # -- messages that are sent --------------------------------------------------------------------------

    async def _send(self, given: Arguments) -> Result:
        receipt = (
            await self.client(given)
            .contact(given["contact"])
            .send(
                value_of(given),
                service=given["service"],
                ttl=given.get("ttl_seconds"),
                latest=given.get("latest", ""),
            )
        )
        self._receipts[given["receipt"]] = receipt
        return {"id": receipt.id}

    async def _send_many(self, given: Arguments) -> Result:
        contact = self.client(given).contact(given["contact"])
        values = [value_of(entry) for entry in given["values"]]
        receipts = await contact.send_many(values, service=given["service"])
        return {"ids": [receipt.id for receipt in receipts]}

    async def _delivered(self, given: Arguments) -> Result:
        async with within(given["timeout_seconds"]):
            await self._receipts[given["receipt"]].delivered()
        return {}

    async def _consumed(self, given: Arguments) -> Result:
        async with within(given["timeout_seconds"]):
            await self._receipts[given["receipt"]].consumed()
        return {}

    async def _say(self, given: Arguments) -> Result:
        return {"message_id": (await self.client(given).contact(given["contact"]).send(given["text"])).id}

    async def _history(self, given: Arguments) -> Result:
        lines, _ = await Chat(self.client(given)).page(given["contact"], limit=given["limit"])
        return {
            "entries": [
                {"message_id": line.message_id, "mine": line.mine, "text": line.text} for line in lines
            ]
        }
