"""Pairing through the daemon: invites of its device, and taking those of others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from p4.client.records import ContactName, ContactStatus
from p4.client.values import quoted
from p4.core import limits
from p4.errors import LocalError, PairingError

if TYPE_CHECKING:
    from p4.client.client import Client

__all__ = ["DeviceInvite", "Pairing"]

_INVITES = "/v1/invites"
_WAIT_SECONDS = 25.0
_MARGIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class DeviceInvite:
    """An invite at one moment (spec/daemon-api, "Pairing")."""

    id: str
    kind: str
    """``link``, ``words`` or ``local-words``."""
    text: str
    """The link or the words, secret; empty once it has ended."""
    name: str
    expires_at_ms: int
    """Unix milliseconds."""
    state: str
    """``open``, ``claimed``, ``paired``, or the code of why it ended."""
    findable: bool
    """Whether a guest would find the device now."""
    message: str
    """Why it ended, in sentences."""
    contact: ContactName | None
    """Who is paired by it."""

    @property
    def open(self) -> bool:
        """Whether a guest can still come."""
        return self.state in {"open", "claimed"}

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> DeviceInvite:
        """From the daemon's JSON; parts that it does not know are passed over."""
        contact = answer["contact"]
        return cls(
            id=answer["id"],
            kind=answer["kind"],
            text=answer["text"],
            name=answer["name"],
            expires_at_ms=answer["expires_at_ms"],
            state=answer["state"],
            findable=answer["findable"],
            message=answer["message"],
            contact=None if contact is None else ContactName.read(contact),
        )


class Pairing:
    """Pairing of a daemon's device. Every method raises P4Error as the daemon does.

        invite = await pairing.create()
        print(invite.text)
        phone = await pairing.wait(invite.id)

    Args:
        client: connected.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def create(
        self, *, kind: str = "link", lifetime: float = limits.PAIRING_SECONDS, name: str = ""
    ) -> DeviceInvite:
        """Make an invite; on the daemon's disk when this returns.

        Args:
            kind: ``link``, ``words`` or ``local-words``.
            lifetime: seconds.
            name: what the guest shall be called; empty for what it calls itself.
        """
        wanted = {"kind": kind, "lifetime": lifetime, "name": name}
        return DeviceInvite.of(await self._client.request("POST", _INVITES, wanted))

    async def list(self) -> tuple[DeviceInvite, ...]:
        """The open ones, the oldest first."""
        answer = await self._client.request("GET", _INVITES)
        return tuple(DeviceInvite.of(entry) for entry in answer["invites"])

    async def wait_findable(self, invite_id: str) -> DeviceInvite:
        """Wait until a guest would find the device by an invite, or the invite has ended."""
        while True:
            invite = await self._read(invite_id, "findable")
            if invite.findable or not invite.open:
                return invite

    async def wait(self, invite_id: str) -> ContactName:
        """Wait until both sides are paired, and give the guest. Goes on over restarts of the daemon.

        Raises:
            PairingError: it ended otherwise, with the reason as its code.
        """
        while True:
            invite = await self._read(invite_id, "ended")
            if invite.contact is not None:
                return invite.contact
            if invite.state == "closed":  # the daemon ends; its next run has the invite
                await asyncio.sleep(1)
            elif not invite.open:
                raise PairingError(invite.message, code=invite.state)

    async def cancel(self, invite_id: str) -> None:
        """Take an invite back; one that has ended stays as it is."""
        await self._client.request("DELETE", f"{_INVITES}/{quoted(invite_id)}")

    async def add(
        self, invite: str, name: str = "", *, patience: float = limits.PAIRING_PATIENCE_SECONDS
    ) -> ContactStatus:
        """Take the invite of another device: a link, words, or the JSON of version 1.

        Args:
            name: what the device shall be called here; empty for what it calls itself.
            patience: seconds in which it is looked for.

        Returns:
            The contact; both sides have each other on disk.
        """
        wanted = {"invite": invite, "name": name, "patience": patience}
        timeout = patience + _MARGIN_SECONDS
        # To be paired twice by the same link is to be paired.
        answer = await self._client.request("POST", "/v1/pairings", wanted, repeatable=True, timeout=timeout)
        return ContactStatus.read(answer)

    async def _read(self, invite_id: str, wait: str) -> DeviceInvite:
        parameters: dict[str, str | float] = {"wait": wait, "timeout": _WAIT_SECONDS}
        path = f"{_INVITES}/{quoted(invite_id)}"
        try:
            return DeviceInvite.of(await self._client.request("GET", path, parameters=parameters))
        except LocalError as error:
            if error.code != "connection-lost":
                raise
            return DeviceInvite.of(await self._client.request("GET", path))
