"""Pairing links: ``p4:`` and base32 (spec/pairing.md, The link)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
from dataclasses import dataclass, field
from typing import Final

from p4.core import limits
from p4.core.address import RendezvousAddress, Transport
from p4.core.identity import KEY_BYTES, PeerId, is_usable_key, peer_id_of
from p4.errors import InviteError

__all__ = ["PairingLink", "is_link"]

_PREFIX: Final = "p4:"
_LABEL: Final = b"P4 link 1\0"
_CHECKSUM_BYTES: Final = 4
_ALPHABET: Final = frozenset("abcdefghijklmnopqrstuvwxyz234567")
_NO_ADDRESS, _HOST_NAME, _IPV4, _IPV6 = 0, 1, 4, 6
_FIXED_BYTES: Final = 2 + 4 + limits.PAIRING_SECRET_BYTES + KEY_BYTES
_AGAIN: Final = "Copy it again as a whole, or ask for a new one."


def is_link(text: str) -> bool:
    """Whether a text is meant as a pairing link, well formed or not."""
    return text.lstrip().lower().startswith(_PREFIX)


@dataclass(frozen=True, slots=True)
class PairingLink:
    """What a link says.

    Args:
        secret: 16 random bytes; whoever knows them first is paired.
        host_key: raw Ed25519 key of the device that made the link.
        expires_at: Unix time in seconds.
        address: of a host in direct mode; None for one that is met over Tor or on the local network.
    """

    secret: bytes = field(repr=False)
    host_key: bytes
    expires_at: int
    address: RendezvousAddress | None = None

    @property
    def host(self) -> PeerId:
        """The id of the device that made the link."""
        return peer_id_of(self.host_key)

    def to_text(self) -> str:
        """The link in lower case. In upper case it is the same link, and fits a smaller QR code."""
        kind, address = _address_bytes(self.address)
        body = (
            bytes([limits.PAIRING_VERSION, kind])
            + self.expires_at.to_bytes(4, "big")
            + self.secret
            + self.host_key
            + address
        )
        return _PREFIX + base64.b32encode(body + _checksum(body)).decode("ascii").rstrip("=").lower()

    @classmethod
    def parse(cls, text: str) -> PairingLink:
        """Read a link; white space in it does not matter, nor does case.

        Whether it has expired, or is our own, is for the caller to say.

        Raises:
            InviteError: ``too-large``, ``not-a-link``, ``bad-character``, ``bad-link``, ``mistyped``,
                ``wrong-version``, ``bad-key``, ``bad-address`` or ``bad-port``.
        """
        body = _body(text)
        if body[0] != limits.PAIRING_VERSION:
            raise InviteError(
                f"This link is of version {body[0]} of pairing; this program knows version "
                f"{limits.PAIRING_VERSION}. Update the older of the two devices, then make a new link.",
                code="wrong-version",
            )
        if len(body) < _FIXED_BYTES:
            raise _malformed()
        secret, key = body[6 : 6 + limits.PAIRING_SECRET_BYTES], body[_FIXED_BYTES - KEY_BYTES : _FIXED_BYTES]
        kind, rest = body[1], body[_FIXED_BYTES:]
        _require_length(kind, rest)
        if not is_usable_key(key):
            raise InviteError(
                f"The key in this link is not a safe Ed25519 public key. {_AGAIN}", code="bad-key"
            )
        return cls(secret, key, int.from_bytes(body[2:6], "big"), _read_address(kind, rest))


def _body(text: str) -> bytes:
    """Everything but the checksum, which was right."""
    if len(text) > limits.PAIRING_LINK_CHARACTERS:
        raise InviteError(f"This is too long for a pairing link. {_AGAIN}", code="too-large")
    compact = "".join(text.split()).lower()
    if not compact.startswith(_PREFIX):
        raise InviteError("A pairing link begins with p4: and this does not.", code="not-a-link")
    encoded = compact.removeprefix(_PREFIX)
    if strange := next((char for char in encoded if char not in _ALPHABET), ""):
        raise InviteError(
            f"{strange!a} cannot be in a pairing link: after p4: there are only letters and the digits 2 "
            f"to 7. {_AGAIN}",
            code="bad-character",
        )
    try:
        data = base64.b32decode(encoded.upper() + "=" * (-len(encoded) % 8))
    except binascii.Error as error:
        raise _malformed() from error
    if len(data) <= _CHECKSUM_BYTES or base64.b32encode(data).decode("ascii").rstrip("=").lower() != encoded:
        raise _malformed()
    body = data[:-_CHECKSUM_BYTES]
    if _checksum(body) != data[-_CHECKSUM_BYTES:]:
        raise InviteError(
            f"This link was mistyped, or is not whole: its check digits do not fit. {_AGAIN}", code="mistyped"
        )
    return body


def _malformed() -> InviteError:
    return InviteError(f"This pairing link does not have the form of one. {_AGAIN}", code="bad-link")


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(_LABEL + body).digest()[:_CHECKSUM_BYTES]


def _address_bytes(address: RendezvousAddress | None) -> tuple[int, bytes]:
    if address is None:
        return _NO_ADDRESS, b""
    if address.transport is not Transport.DIRECT:
        raise ValueError("a link names direct addresses only")
    port = address.port.to_bytes(2, "big")
    try:
        packed = ipaddress.ip_address(address.host).packed
    except ValueError:
        name = address.host.encode("ascii")
        return _HOST_NAME, bytes([len(name)]) + name + port
    return (_IPV4 if len(packed) == 4 else _IPV6), packed + port


def _require_length(kind: int, rest: bytes) -> None:
    lengths = {_NO_ADDRESS: 0, _IPV4: 6, _IPV6: 18, _HOST_NAME: 3 + rest[0] if rest else -1}
    if lengths.get(kind) != len(rest):
        raise _malformed()


def _read_address(kind: int, rest: bytes) -> RendezvousAddress | None:
    if kind == _NO_ADDRESS:
        return None
    port = int.from_bytes(rest[-2:], "big")
    if kind == _HOST_NAME:
        try:
            host = rest[1:-2].decode("ascii")
        except UnicodeDecodeError as error:
            raise InviteError(
                f"The address in this link cannot be read. {_AGAIN}", code="bad-address"
            ) from error
    else:
        host = str(ipaddress.ip_address(rest[:-2]))
    return RendezvousAddress(Transport.DIRECT, host, port)
