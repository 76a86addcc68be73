"""The bytes of a STUN Binding request and its answers (RFC 8489; RFC 5780 for the test of filtering).

Pure. What is no well-formed answer to the request in question is None: anybody can send us datagrams,
and there is nobody to report a broken one to.
"""

from __future__ import annotations

import ipaddress
import struct
import zlib
from dataclasses import dataclass

__all__ = [
    "TRANSACTION_BYTES",
    "Address",
    "BindingAnswer",
    "binding_request",
    "parse_answer",
    "transaction_of",
    "username_of",
]

Address = tuple[str, int]
"""An IP address in its usual text form and a UDP port."""

TRANSACTION_BYTES = 12
"""Length of a transaction id: random, so that only who saw the request can answer it."""

_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_COOKIE = 0x2112A442
_FINGERPRINT_MASK = 0x5354554E

_BINDING_REQUEST = 0x0001
_BINDING_SUCCESS = 0x0101
_BINDING_ERROR = 0x0111

_MAPPED_ADDRESS = 0x0001
_CHANGE_REQUEST = 0x0003
_CHANGED_ADDRESS = 0x0005
_USERNAME = 0x0006
_ERROR_CODE = 0x0009
_XOR_MAPPED_ADDRESS = 0x0020
_FINGERPRINT = 0x8028
_OTHER_ADDRESS = 0x802C

_COMPREHENSION_OPTIONAL = 0x8000
_MAY_BE_IGNORED = {
    0x0002,  # RESPONSE-ADDRESS, 0x0004 SOURCE-ADDRESS: servers of the time of RFC 3489 still add them
    0x0004,
    0x0006,  # USERNAME, MESSAGE-INTEGRITY, UNKNOWN-ATTRIBUTES, REALM, NONCE: not needed for a Binding
    0x0008,
    0x000A,
    0x0014,
    0x0015,
    0x001C,
}
_CHANGE_ADDRESS_FLAG = 0x04
_CHANGE_PORT_FLAG = 0x02
_IPV4, _IPV6 = 1, 2


@dataclass(frozen=True, slots=True)
class BindingAnswer:
    """What a server said."""

    mapped: Address | None
    """The address it saw our request come from; None in a refusal."""
    other: Address | None = None
    """The server's second address and port, if it offers the tests of RFC 5780."""
    error: int | None = None
    """The STUN error code of a refusal, 300 to 699."""


def binding_request(transaction: bytes, *, change_address: bool = False, change_port: bool = False) -> bytes:
    """A Binding request with a fingerprint.

    Args:
        transaction: `TRANSACTION_BYTES` random bytes.
        change_address: the answer shall come from the server's other address (RFC 5780 section 7.2).
        change_port: the answer shall come from its other port.
    """
    attributes = b""
    if change_address or change_port:
        flags = change_address * _CHANGE_ADDRESS_FLAG | change_port * _CHANGE_PORT_FLAG
        attributes = _ATTRIBUTE.pack(_CHANGE_REQUEST, 4) + flags.to_bytes(4, "big")
    # The length in the header counts the fingerprint, which is computed over it (RFC 8489 section 14.7).
    message = _HEADER.pack(_BINDING_REQUEST, len(attributes) + 8, _COOKIE, transaction) + attributes
    return message + _ATTRIBUTE.pack(_FINGERPRINT, 4) + _fingerprint(message)


def transaction_of(data: bytes) -> bytes | None:
    """The transaction id of what looks like an answer to a Binding request, else None."""
    if len(data) < _HEADER.size or data[:2] not in {b"\x01\x01", b"\x01\x11"} or len(data) % 4:
        return None
    _, length, cookie, transaction = _HEADER.unpack_from(data)
    return transaction if cookie == _COOKIE and length == len(data) - _HEADER.size else None


def parse_answer(data: bytes) -> BindingAnswer | None:
    """Read a success or error response to a Binding request; None for everything else.

    An attribute that must be understood and is not makes the answer void (RFC 8489 section 6.3.3). Of an
    attribute that occurs twice the first counts (section 14).
    """
    transaction = transaction_of(data)
    if transaction is None:
        return None
    found: dict[int, bytes] = {}
    at = _HEADER.size
    while at < len(data):
        # Each attribute is padded to four bytes, and the whole is a multiple of four: a header always fits.
        kind, length = _ATTRIBUTE.unpack_from(data, at)
        value = data[at + 4 : at + 4 + length]
        if len(value) < length:
            return None
        if kind == _FINGERPRINT and (value != _fingerprint(data[:at]) or at + 8 != len(data)):
            return None
        found.setdefault(kind, value)
        at += 4 + length + -length % 4
    known = _MAY_BE_IGNORED | {_MAPPED_ADDRESS, _CHANGED_ADDRESS, _ERROR_CODE, _XOR_MAPPED_ADDRESS}
    if any(kind < _COMPREHENSION_OPTIONAL and kind not in known for kind in found):
        return None
    if data[:2] == _BINDING_ERROR.to_bytes(2, "big"):
        code = found.get(_ERROR_CODE, b"")
        if len(code) < 4 or not 3 <= code[2] & 7 <= 6 or code[3] > 99:
            return None
        return BindingAnswer(None, error=(code[2] & 7) * 100 + code[3])
    if (hidden := found.get(_XOR_MAPPED_ADDRESS)) is not None:
        mapped = _address(hidden, mask=_COOKIE.to_bytes(4, "big") + transaction)
    else:
        mapped = _address(found.get(_MAPPED_ADDRESS, b""))
    if mapped is None:
        return None
    return BindingAnswer(mapped, _address(found.get(_OTHER_ADDRESS, found.get(_CHANGED_ADDRESS, b""))))


def username_of(data: bytes) -> bytes | None:
    """The USERNAME of a Binding request, for example an ICE check's (RFC 8445 section 7.2.2), else None."""
    if len(data) < _HEADER.size or data[:2] != b"\x00\x01":
        return None
    _, length, cookie, _ = _HEADER.unpack_from(data)
    if cookie != _COOKIE or length != len(data) - _HEADER.size or length % 4:
        return None
    at = _HEADER.size
    while at < len(data):
        kind, size = _ATTRIBUTE.unpack_from(data, at)
        if kind == _USERNAME:
            name = data[at + 4 : at + 4 + size]
            return name if len(name) == size else None
        at += 4 + size + -size % 4
    return None


def _address(value: bytes, mask: bytes = bytes(16)) -> Address | None:
    """Read a MAPPED-ADDRESS, or with ``mask`` a XOR-MAPPED-ADDRESS (RFC 8489 sections 14.1, 14.2)."""
    if len(value) < 4 or {_IPV4: 8, _IPV6: 20}.get(value[1]) != len(value):
        return None
    port = int.from_bytes(value[2:4], "big") ^ int.from_bytes(mask[:2], "big")
    packed = bytes(byte ^ other for byte, other in zip(value[4:], mask, strict=False))
    return (str(ipaddress.ip_address(packed)), port) if port else None


def _fingerprint(message: bytes) -> bytes:
    return (zlib.crc32(message) ^ _FINGERPRINT_MASK).to_bytes(4, "big")
