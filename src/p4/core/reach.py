"""Where else a contact can be reached, by its own word (spec/signaling.md, Announcement)."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from p4.core.address import RendezvousAddress, Transport
from p4.core.identity import PeerId, is_peer_id
from p4.errors import InviteError

__all__ = ["KnownReach", "Reach", "common_contact_mark", "parse_endpoint", "recognised"]

MOST_ENDPOINTS = 12
MOST_COMMON_CONTACTS = 8
_LABEL = b"P4 via 1\0"
_MARK = re.compile(r"[0-9a-f]{16}")
_ENDPOINT = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]|(?P<v4>[0-9.]{7,15})):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Reach:
    """What an announcement says about ways to its sender; hints, never proof of anything.

    Args:
        endpoints: direct addresses where its signaling listens, best first.
        common_contacts: marks of contacts that would introduce (`common_contact_mark`).
    """

    endpoints: tuple[RendezvousAddress, ...] = ()
    common_contacts: tuple[str, ...] = ()

    def to_fields(self) -> dict[str, object]:
        """The keys of the announcement."""
        return {
            "at": [_endpoint_text(endpoint) for endpoint in self.endpoints[:MOST_ENDPOINTS]],
            "via": list(self.common_contacts[:MOST_COMMON_CONTACTS]),
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, object]) -> Reach | None:
        """Read the keys of a verified announcement; whatever is not of the form is left out.

        Returns:
            None if it says nothing about ways.
        """
        at, via = fields.get("at"), fields.get("via")
        if not isinstance(at, list):
            return None
        endpoints = (parse_endpoint(text) for text in at[:MOST_ENDPOINTS] if isinstance(text, str))
        marks = via[:MOST_COMMON_CONTACTS] if isinstance(via, list) else []
        return cls(
            tuple(dict.fromkeys(endpoint for endpoint in endpoints if endpoint is not None)),
            tuple(mark for mark in marks if isinstance(mark, str) and _MARK.fullmatch(mark)),
        )


@dataclass(frozen=True, slots=True)
class KnownReach:
    """What we remember of a contact's announcements; hints as well.

    Args:
        endpoints: as announced.
        introducers: those common contacts that we recognised: their marks mean nothing later.
    """

    endpoints: tuple[RendezvousAddress, ...] = ()
    introducers: tuple[PeerId, ...] = ()

    def to_text(self) -> str:
        """For the store."""
        endpoints = [_endpoint_text(endpoint) for endpoint in self.endpoints]
        return json.dumps({"at": endpoints, "through": self.introducers}, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> KnownReach:
        """What `to_text` gave, also in an older program; nothing for anything else: it is but a hint."""
        try:
            fields = json.loads(text) if text else {}
        except (ValueError, RecursionError):
            fields = {}
        if not isinstance(fields, dict):
            return cls()
        reach = Reach.from_fields(fields) or Reach()
        through = fields.get("through")
        known = through[:MOST_COMMON_CONTACTS] if isinstance(through, list) else []
        return cls(
            reach.endpoints, tuple(PeerId(one) for one in known if isinstance(one, str) and is_peer_id(one))
        )


def common_contact_mark(nonce: str, peer_id: PeerId) -> str:
    """How an announcement names a contact of its sender: only who knows the contact recognises it.

    Args:
        nonce: of the same announcement, 32 hex digits.
    """
    return hashlib.sha256(_LABEL + bytes.fromhex(nonce) + peer_id.encode("ascii")).hexdigest()[:16]


def recognised(reach: Reach, nonce: str, candidates: Iterable[PeerId]) -> list[PeerId]:
    """Those of our contacts that the announcement names."""
    marks = set(reach.common_contacts)
    return [peer_id for peer_id in candidates if marks and common_contact_mark(nonce, peer_id) in marks]


def parse_endpoint(text: str) -> RendezvousAddress | None:
    """``192.0.2.1:4000`` or ``[2001:db8::1]:4000``; None for anything else and for what nobody can be at."""
    match = _ENDPOINT.fullmatch(text)
    if match is None:
        return None
    try:
        host = ipaddress.IPv6Address(match["v6"]) if match["v6"] else ipaddress.IPv4Address(match["v4"])
        # An IPv4 address in the clothes of IPv6 would lead to ourselves all the same.
        inner = host.ipv4_mapped if isinstance(host, ipaddress.IPv6Address) else None
        meant = inner or host
        if meant.is_unspecified or meant.is_multicast or meant.is_loopback:
            return None
        return RendezvousAddress(Transport.DIRECT, str(host), int(match["port"]))
    except (ValueError, InviteError):
        return None


def _endpoint_text(endpoint: RendezvousAddress) -> str:
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"{host}:{endpoint.port}"
