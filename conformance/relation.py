"""Makes the two devices ready for the next case, whatever the one before has left."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Self

from conformance.devices import DevicePair
from p4.client import Client, connect
from p4.client.pairing import Pairing
from p4.errors import P4Error

__all__ = ["SERVICE", "Relation"]

SERVICE = "conformance"
"""Granted on both sides, with everything below it."""

_LINK_SECONDS = 60.0
_PAUSE_SECONDS = 0.1


class Relation:
    """The laptop's contact "phone" and the phone's contact "laptop", with their grants and their link."""

    def __init__(self, devices: DevicePair) -> None:
        self._devices = devices
        self._clients = AsyncExitStack()
        self._laptop: Client
        self._phone: Client

    async def __aenter__(self) -> Self:
        self._laptop, self._phone = [
            await self._clients.enter_async_context(connect(device.state_dir, restart_seconds=60))
            for device in (self._devices.laptop, self._devices.phone)
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._clients.aclose()

    async def prepare(self) -> None:
        """Both run, know each other by their names, and are linked."""
        await asyncio.gather(self._devices.laptop.ensure(), self._devices.phone.ensure())
        ends = ((self._laptop, "phone"), (self._phone, "laptop"))
        if not await self._know_each_other():
            for client, _ in ends:
                for contact in await client.contacts():
                    await client.contact(contact.id).remove()
            invite = await Pairing(self._laptop).create(name="phone")
            await Pairing(self._phone).add(invite.text, "laptop")
            await Pairing(self._laptop).wait(invite.id)
        for client, name in ends:
            (contact,) = await client.contacts()
            if contact.name != name:
                await client.contact(contact.id).rename(name)
            if SERVICE not in contact.grants:
                await client.contact(name).grant(SERVICE)
        for client, name in ends:
            await self._linked(client, name)

    async def _know_each_other(self) -> bool:
        for one, other in ((self._laptop, self._phone), (self._phone, self._laptop)):
            expected = [(await other.identity()).id]
            if [contact.id for contact in await one.contacts()] != expected:
                return False
        return True

    async def _linked(self, client: Client, name: str) -> None:
        async with asyncio.timeout(_LINK_SECONDS):
            while True:
                try:
                    await client.contact(name).ping()  # goes the same way after what tells of the grants
                except P4Error:
                    await asyncio.sleep(_PAUSE_SECONDS)
                else:
                    return
