"""What is remembered of a contact for the two gates between us (spec/gate.md)."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from p4.core.address import RendezvousAddress, Transport
from p4.errors import InviteError

__all__ = ["KEY_BYTES", "GateRecord", "gate_public_key", "is_usable_gate_key"]

KEY_BYTES = 32
"""Of an X25519 key, private or public (RFC 7748)."""


def gate_public_key(private_key: bytes) -> bytes:
    """The X25519 public key of a private one, 32 bytes each."""
    return X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def is_usable_gate_key(public_key: bytes) -> bool:
    """Whether somebody can be admitted by this X25519 public key: one of small order would give
    everybody the same secret, and one of zeros ends Tor, which asserts that there is none."""
    if len(public_key) != KEY_BYTES:
        return False
    try:
        # Any private key shows it: all are multiples of 8 (RFC 7748 section 6.1).
        _ANY_PRIVATE_KEY.exchange(X25519PublicKey.from_public_bytes(public_key))
    except ValueError:
        return False
    return True


_ANY_PRIVATE_KEY = X25519PrivateKey.from_private_bytes(bytes(range(KEY_BYTES)))


@dataclass(frozen=True, slots=True)
class GateRecord:
    """Immutable. Empty values are not known yet.

    Args:
        own_key: our X25519 private key for the contact's gate.
        admitted_key: the contact's public key for ours.
        address: the contact's gate.
        confirmed: the host of our gate as the contact has confirmed to know it, and to have admitted us.
    """

    own_key: bytes = field(default=b"", repr=False)
    admitted_key: bytes = b""
    address: RendezvousAddress | None = None
    confirmed: str = ""

    @property
    def passable(self) -> bool:
        """Whether we can dial the contact's gate."""
        return bool(self.own_key) and self.address is not None and bool(self.confirmed)

    def needs_open(self, own_host: str) -> bool:
        """Whether the contact needs our open address.

        Args:
            own_host: of our gate now.
        """
        return not self.admitted_key or self.confirmed != own_host

    def unconfirmed(self) -> GateRecord:
        """The contact cannot pass our gate at present."""
        return replace(self, confirmed="")

    @classmethod
    def from_text(cls, text: str) -> GateRecord:
        """What `to_text` gave; an empty record for what cannot be read: it is exchanged again by itself."""
        try:
            fields = json.loads(text) if text else {}
            own, admitted = (_key(fields.get(name, "")) for name in ("own_key_b64", "admitted_key_b64"))
            at = fields.get("address")
            address = RendezvousAddress(Transport.ONION, at["host"], at["port"]) if at else None
            return cls(own, admitted, address, str(fields.get("confirmed", "")))
        except (ValueError, TypeError, KeyError, AttributeError, InviteError):
            return cls()

    def to_text(self) -> str:
        """For the store."""
        fields: dict[str, object] = {
            "own_key_b64": base64.b64encode(self.own_key).decode("ascii"),
            "admitted_key_b64": base64.b64encode(self.admitted_key).decode("ascii"),
            "confirmed": self.confirmed,
        }
        if self.address is not None:
            fields["address"] = {"host": self.address.host, "port": self.address.port}
        return json.dumps(fields)


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if key and len(key) != KEY_BYTES:
        raise ValueError("not a key")
    return key
