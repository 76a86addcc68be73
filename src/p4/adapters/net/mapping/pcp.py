"""Port Control Protocol, RFC 6887: requests to bytes, bytes to responses (pure).

Only what P4 asks: ANNOUNCE and MAP without options. Addresses are 16 bytes, IPv4 as ``::ffff:a.b.c.d``.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from enum import IntEnum

from p4.ports.mapping import PortProtocol

__all__ = [
    "NONCE_BYTES",
    "PORT",
    "PcpMapping",
    "PcpResponse",
    "Result",
    "announce_request",
    "map_request",
    "parse",
]

PORT = 5351
"""UDP port of a router's PCP and NAT-PMP server (section 19.1)."""

NONCE_BYTES = 12
"""Length of the number that proves that a later request is from whoever made the mapping (section 11.2)."""

VERSION = 2
_LONGEST = 1100
_RESPONSE = 0x80
_ANNOUNCE, _MAP = 0, 1
_REQUEST_HEADER = struct.Struct("!BBHI16s")  # version, opcode, reserved, lifetime, our address
_RESPONSE_HEADER = struct.Struct("!BBxBII12x")  # version, opcode, result, lifetime, epoch
_MAP_PART = struct.Struct("!12sB3xHH16s")  # nonce, protocol, internal, external port, external address
_PROTOCOL_NUMBERS = {PortProtocol.TCP: 6, PortProtocol.UDP: 17}
_ANY = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - "whichever external address you like", nothing is bound


class Result(IntEnum):
    """Result codes (section 7.4) that make a difference here; there are others."""

    SUCCESS = 0
    UNSUPPORTED_VERSION = 1
    NOT_AUTHORIZED = 2
    UNSUPPORTED_OPCODE = 4


@dataclass(frozen=True, slots=True)
class PcpMapping:
    """The part of a response that belongs to MAP."""

    nonce: bytes
    protocol: PortProtocol
    internal_port: int
    external_port: int
    external_address: str


@dataclass(frozen=True, slots=True)
class PcpResponse:
    """A response; ``mapping`` is None where it does not belong to a MAP request."""

    result: int
    """0, or why not; see `Result`."""
    lifetime: int
    """Seconds: of the mapping; of an error, how long the same request will fail."""
    epoch: int
    """The router's count of seconds; see `p4.adapters.net.mapping.epoch`."""
    mapping: PcpMapping | None = None


def announce_request(local_address: str) -> bytes:
    """Asks whether the server is there and what its epoch is (section 14.1).

    Args:
        local_address: our address that the request is sent from; the server compares.
    """
    return _REQUEST_HEADER.pack(VERSION, _ANNOUNCE, 0, 0, _packed(local_address))


def map_request(
    local_address: str,
    nonce: bytes,
    protocol: PortProtocol,
    internal_port: int,
    *,
    suggested_port: int = 0,
    lifetime: int,
) -> bytes:
    """Asks for a mapping, for more time for one, or (``lifetime`` 0) for its end (section 11.1).

    Args:
        local_address: our address that the request is sent from and that the mapping leads to.
        nonce: `NONCE_BYTES` bytes; the same for every request about this mapping.
        protocol: TCP or UDP.
        internal_port: our port.
        suggested_port: the external port we would like; 0 for any.
        lifetime: seconds.
    """
    version = ipaddress.ip_address(local_address).version
    return _REQUEST_HEADER.pack(VERSION, _MAP, 0, lifetime, _packed(local_address)) + _MAP_PART.pack(
        nonce, _PROTOCOL_NUMBERS[protocol], internal_port, suggested_port, _packed(_ANY[version])
    )


def parse(datagram: bytes) -> PcpResponse | None:
    """A response, or None for anything that is none (section 8.3 says to ignore it silently).

    Options of a response are left out: we sent none, so none can change what it means.
    """
    if not _RESPONSE_HEADER.size <= len(datagram) <= _LONGEST or len(datagram) % 4:
        return None
    version, opcode, result, lifetime, epoch = _RESPONSE_HEADER.unpack_from(datagram)
    if version != VERSION or not opcode & _RESPONSE:
        return None
    if opcode != _RESPONSE | _MAP:
        return PcpResponse(result, lifetime, epoch)
    if len(datagram) < _RESPONSE_HEADER.size + _MAP_PART.size:
        # An error about the request as a whole may come without the rest.
        return PcpResponse(result, lifetime, epoch) if result else None
    nonce, number, internal, external, address = _MAP_PART.unpack_from(datagram, _RESPONSE_HEADER.size)
    protocol = next((name for name, known in _PROTOCOL_NUMBERS.items() if known == number), None)
    if protocol is None:
        return None
    mapping = PcpMapping(nonce, protocol, internal, external, _text(address))
    return PcpResponse(result, lifetime, epoch, mapping)


def _packed(address: str) -> bytes:
    parsed = ipaddress.ip_address(address)
    return bytes(10) + b"\xff\xff" + parsed.packed if parsed.version == 4 else parsed.packed


def _text(packed: bytes) -> str:
    address = ipaddress.IPv6Address(packed)
    return str(address.ipv4_mapped or address)
