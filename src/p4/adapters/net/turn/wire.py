"""The bytes of TURN's Allocate and Refresh requests and of the replies (RFC 8489, RFC 8656). Pure."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import struct
from dataclasses import dataclass

__all__ = ["Login", "Reply", "allocate_request", "parse_reply", "release_request", "reply_length"]

_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_COOKIE = 0x2112A442

_ALLOCATE, _REFRESH = 0x0003, 0x0004
_SUCCESS, _ERROR = 0x0100, 0x0110

_USERNAME = 0x0006
_MESSAGE_INTEGRITY = 0x0008
_ERROR_CODE = 0x0009
_LIFETIME = 0x000D
_REALM = 0x0014
_NONCE = 0x0015
_XOR_RELAYED_ADDRESS = 0x0016
_REQUESTED_TRANSPORT = 0x0019

_UDP = 17
_INTEGRITY_BYTES = 20


@dataclass(frozen=True, slots=True)
class Login:
    """Long-term credentials with what the server said to them (RFC 8489 section 9.2)."""

    username: str
    password: str
    realm: bytes
    nonce: bytes

    @property
    def key(self) -> bytes:
        """The key of MESSAGE-INTEGRITY (RFC 8489 section 18.5.1)."""
        secret = b":".join((self.username.encode(), self.realm, self.password.encode()))
        return hashlib.md5(secret, usedforsecurity=False).digest()


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer to one request."""

    error: int | None
    """The STUN error code, 300 to 699; None for a success."""
    relayed: tuple[str, int] | None
    """Address and port of the relay that was allocated."""
    realm: bytes
    nonce: bytes


def allocate_request(transaction: bytes, login: Login | None) -> bytes:
    """Ask for a relay for UDP.

    Args:
        transaction: 12 random bytes.
        login: None for the first request, to which the server replies with its realm and nonce.
    """
    return _request(_ALLOCATE, transaction, {_REQUESTED_TRANSPORT: bytes([_UDP, 0, 0, 0])}, login)


def release_request(transaction: bytes, login: Login | None) -> bytes:
    """Give the relay back (a Refresh with a lifetime of 0, RFC 8656 section 7)."""
    return _request(_REFRESH, transaction, {_LIFETIME: bytes(4)}, login)


def _request(method: int, transaction: bytes, attributes: dict[int, bytes], login: Login | None) -> bytes:
    if login is not None:
        attributes = {
            **attributes,
            _USERNAME: login.username.encode(),
            _REALM: login.realm,
            _NONCE: login.nonce,
        }
    body = b"".join(map(_attribute, attributes.keys(), attributes.values()))
    if login is None:
        return _HEADER.pack(method, len(body), _COOKIE, transaction) + body
    # The length in the header already counts the integrity, which is computed over it (section 14.5).
    total = len(body) + _ATTRIBUTE.size + _INTEGRITY_BYTES
    message = _HEADER.pack(method, total, _COOKIE, transaction) + body
    return message + _attribute(_MESSAGE_INTEGRITY, hmac.digest(login.key, message, "sha1"))


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def reply_length(data: bytes) -> int | None:
    """Bytes of the message that begins here, for streams; None while its header is not complete."""
    return None if len(data) < 4 else _HEADER.size + int.from_bytes(data[2:4], "big")


def parse_reply(data: bytes, transaction: bytes) -> Reply | None:
    """Read the reply to a request of ours; None for anything else."""
    if len(data) < _HEADER.size:
        return None
    kind, length, cookie, answered = _HEADER.unpack_from(data)
    if cookie != _COOKIE or answered != transaction or length != len(data) - _HEADER.size or length % 4:
        return None
    found: dict[int, bytes] = {}
    at = _HEADER.size
    while at < len(data):
        name, size = _ATTRIBUTE.unpack_from(data, at)
        found.setdefault(name, data[at + 4 : at + 4 + size])
        at += 4 + size + -size % 4
    error: int | None = None
    if kind & ~(_ALLOCATE | _REFRESH) == _ERROR:
        code = found.get(_ERROR_CODE, b"")
        if len(code) < 4 or not 3 <= code[2] & 7 <= 6 or code[3] > 99:
            return None
        error = (code[2] & 7) * 100 + code[3]
    elif kind & ~(_ALLOCATE | _REFRESH) != _SUCCESS:
        return None
    relayed = _relayed(found.get(_XOR_RELAYED_ADDRESS, b""), transaction)
    return Reply(error, relayed, found.get(_REALM, b""), found.get(_NONCE, b""))


def _relayed(value: bytes, transaction: bytes) -> tuple[str, int] | None:
    mask = _COOKIE.to_bytes(4, "big") + transaction
    if len(value) not in {8, 20}:
        return None
    address = bytes(byte ^ hidden for byte, hidden in zip(value[4:], mask, strict=False))
    return str(ipaddress.ip_address(address)), int.from_bytes(value[2:4], "big") ^ (_COOKIE >> 16)
