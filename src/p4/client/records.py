"""What the daemon tells, as typed objects. Members that this version does not know are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self, cast

__all__ = ["ContactName", "ContactStatus", "DeviceIdentity", "DeviceStatus", "TokenRecord", "WebLogin"]


class _Record:
    """A dataclass that is read from a JSON object."""

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> Self:
        """From an answer of the daemon; what is missing stays at its default.

        Raises:
            TypeError: something without a default is missing.
        """
        known = {field.name for field in fields(cast("Any", cls))}  # each subclass is a dataclass
        return cls(**{name: value for name, value in entry.items() if name in known})


@dataclass(frozen=True, slots=True)
class ContactName(_Record):
    """Who a contact is."""

    id: str
    name: str = ""
    """As the user calls it; may be empty."""

    @property
    def label(self) -> str:
        """The name, or the id of a contact that has none."""
        return self.name or self.id


@dataclass(frozen=True, slots=True)
class ContactStatus(ContactName):
    """A contact and how it is at the moment; see `p4.PeerStatus` for the figures."""

    connected: bool = False
    state: str = ""
    protocol: int = 0
    policy: str = "direct"
    grants: tuple[str, ...] = ()
    path: Mapping[str, Any] | None = None
    """Which way the link goes: ``kind``, ``protocol``, ``local_address``, ``remote_address``, …"""
    round_trip: float | None = None
    """Seconds."""
    sending: float | None = None
    """Bytes a second."""
    receiving: float | None = None
    queued_messages: int = 0
    queued_bytes: int | None = None
    open_streams: int = 0
    last_seen_ms: int = 0
    """Unix milliseconds; 0 for never."""
    why_not: str = ""
    """Why there is no link, in a sentence."""
    next_attempt_ms: int | None = None
    lanes: str = ""
    verification: str = "no"
    """``no``, ``verified``, or ``verified-before-rotation``."""
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class DeviceIdentity(_Record):
    """Who this device is."""

    id: str
    public_key: str = ""
    """Raw Ed25519 key in base64."""
    name: str = ""
    """As the device calls itself towards those whom it meets."""
    protocol_version: int = 0


@dataclass(frozen=True, slots=True)
class DeviceStatus(_Record):
    """The whole node at one moment."""

    id: str
    moment_ms: int = 0
    started_ms: int = 0
    pid: int = 0
    """Of the daemon."""
    state_directory: str = ""
    reachable: bool = False
    reachability: str = ""
    checked_ms: int | None = None
    addresses: tuple[str, ...] = ()
    port: int = 0
    local_addresses: tuple[str, ...] = ()
    mappings: tuple[str, ...] = ()
    lan: bool = False
    versions: Mapping[str, str] | None = None
    contacts: tuple[ContactStatus, ...] = ()

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> Self:
        """From an answer of the daemon."""
        contacts = tuple(ContactStatus.read(contact) for contact in entry.get("contacts", ()))
        return super(DeviceStatus, cls).read({**entry, "contacts": contacts})


@dataclass(frozen=True, slots=True)
class TokenRecord(_Record):
    """A token of an app, but for its secret."""

    id: str
    app: str = ""
    services: tuple[str, ...] | None = None
    """Each covers all below it; None for all."""
    contacts: tuple[Any, ...] | None = None
    """None for all."""
    created_ms: int = 0
    expires_ms: int | None = None
    """Unix milliseconds; None for never."""
    token: str = ""
    """The secret: only in the answer to making it."""

    def __repr__(self) -> str:
        return f"<TokenRecord {self.id} of {self.app!r}>"


@dataclass(frozen=True, slots=True)
class WebLogin(_Record):
    """A link that logs one browser in, once."""

    url: str
    expires_ms: int = 0

    def __repr__(self) -> str:
        return "<WebLogin>"  # never the code
