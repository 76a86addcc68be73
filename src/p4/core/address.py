"""Rendezvous addresses: where a peer's signaling can be reached (spec/invite.md)."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum

from p4.errors import InviteError

__all__ = ["RendezvousAddress", "Transport"]

_HOST_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


class Transport(StrEnum):
    """The kinds of rendezvous an invite can name."""

    ONION = "onion"
    DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class RendezvousAddress:
    """A validated signaling address.

    Args:
        transport: the kind of rendezvous.
        host: ``<56 characters>.onion`` in lower case, or a host name or IP address.
        port: TCP port, 1 to 65535 (of an onion service: its virtual port).

    Raises:
        InviteError: ``bad-address`` or ``bad-port``.
    """

    transport: Transport
    host: str
    port: int

    def __post_init__(self) -> None:
        if isinstance(self.port, bool) or not 1 <= self.port <= 65535:
            raise InviteError(f"The port {self.port} is not between 1 and 65535.", code="bad-port")
        valid = _is_onion(self.host) if self.transport is Transport.ONION else _is_host(self.host)
        if not valid:
            raise InviteError(
                f"{self.host[:80]!r} is not a valid {self.transport.value} address.", code="bad-address"
            )

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport.value}://{host}:{self.port}"


def _is_onion(host: str) -> bool:
    """A v3 onion address: base32 of key, checksum and version (Tor rend-spec-v3, ENCODING-ONION-ADDRESS)."""
    if not re.fullmatch(r"[a-z2-7]{56}\.onion", host):
        return False
    raw = base64.b32decode(host[:56].upper())
    key, checksum, version = raw[:32], raw[32:34], raw[34:]
    expected = hashlib.sha3_256(b".onion checksum" + key + version).digest()[:2]
    return version == b"\x03" and checksum == expected


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        # All-digit labels would be a mistyped IPv4 address, never a usable name.
        labels = host.removesuffix(".").split(".")
        return (
            len(host) <= 253
            and all(_HOST_LABEL.fullmatch(label) for label in labels)
            and not labels[-1].isdigit()
        )
    return True
