"""Comparison codes, blocked contacts and the rotation of our key, through the daemon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from p4.client.records import ContactName
from p4.client.values import quoted

if TYPE_CHECKING:
    from p4.client.client import Client

__all__ = ["Rotation", "Verification", "read_rotation", "rotate", "set_blocked", "verification", "verify"]


@dataclass(frozen=True, slots=True)
class Verification:
    """What two people compare.

    Args:
        words: six; the contact's device shows the same for this device.
        public_key: for which they are, base64.
        state: ``no``, ``verified``, or ``verified-before-rotation``.
    """

    contact: ContactName
    words: tuple[str, ...]
    public_key: str
    state: str
    blocked: bool


@dataclass(frozen=True, slots=True)
class Rotation:
    """Where the last change of this device's key stands.

    Args:
        id: the id that follows from the key of today.
        public_key: base64.
        waiting: contacts that have not confirmed it.
        kept_keys: former private keys that are kept for these.
    """

    id: str
    public_key: str
    rotations: int
    waiting: tuple[ContactName, ...]
    kept_keys: int


async def verification(client: Client, contact: str) -> Verification:
    """The words to compare. Raises ContactError ``unknown``, ``ambiguous``."""
    return _verification(await client.request("GET", f"/v1/contacts/{quoted(contact)}/verification"))


async def verify(client: Client, contact: str, public_key: str, *, verified: bool = True) -> Verification:
    """Record that the words for this key were compared, or take it back.

    Raises:
        ContactError: ``changed-key``: it has another one by now.
    """
    body = {"verified": verified, "public_key": public_key}
    answer = await client.request("PUT", f"/v1/contacts/{quoted(contact)}/verification", body)
    return _verification(answer)


async def set_blocked(client: Client, contact: str, *, blocked: bool) -> None:
    """Block a contact, or be its contact again; on disk when this returns."""
    await client.request("PUT", f"/v1/contacts/{quoted(contact)}/block", {"blocked": blocked})


async def read_rotation(client: Client) -> Rotation:
    """Where the last change of the key stands."""
    return _rotation(await client.request("GET", "/v1/identity/rotation"))


async def rotate(client: Client) -> Rotation:
    """Take a new key; never asked twice, for each is another one."""
    return _rotation(await client.request("POST", "/v1/identity/rotation", repeatable=False))


def _verification(answer: Mapping[str, Any]) -> Verification:
    return Verification(
        ContactName.read(answer["contact"]),
        tuple(answer["words"]),
        str(answer["public_key"]),
        str(answer["verification"]),
        bool(answer["blocked"]),
    )


def _rotation(answer: Mapping[str, Any]) -> Rotation:
    return Rotation(
        str(answer["id"]),
        str(answer["public_key"]),
        int(answer["rotations"]),
        tuple(ContactName.read(one) for one in answer["waiting"]),
        int(answer["kept_keys"]),
    )
