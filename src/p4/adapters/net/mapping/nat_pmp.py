"""NAT Port Mapping Protocol, RFC 6886: requests to bytes, bytes to responses (pure)."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from enum import IntEnum

from p4.ports.mapping import PortProtocol

__all__ = ["NatPmpMapping", "NatPmpResponse", "Result", "address_request", "map_request", "parse"]

VERSION = 0
_RESPONSE = 0x80
_ADDRESS = 0
_OPCODES = {PortProtocol.UDP: 1, PortProtocol.TCP: 2}
_HEADER = struct.Struct("!BBHI")  # version, opcode, result, epoch
_MAP_REQUEST = struct.Struct("!BBHHHI")  # version, opcode, reserved, internal, external port, lifetime
_MAP_PART = struct.Struct("!HHI")  # internal, external port, lifetime


class Result(IntEnum):
    """Result codes (section 3.5)."""

    SUCCESS = 0
    UNSUPPORTED_VERSION = 1
    NOT_AUTHORIZED = 2
    NETWORK_FAILURE = 3
    OUT_OF_RESOURCES = 4
    UNSUPPORTED_OPCODE = 5


@dataclass(frozen=True, slots=True)
class NatPmpMapping:
    """The part of a response that belongs to a mapping."""

    protocol: PortProtocol
    internal_port: int
    external_port: int
    lifetime: int
    """Seconds."""


@dataclass(frozen=True, slots=True)
class NatPmpResponse:
    """A response: to an address request if ``mapping`` is None, else to a mapping request."""

    result: int
    """0, or why not; see `Result`."""
    epoch: int
    """The router's count of seconds; see `p4.adapters.net.mapping.epoch`."""
    external_address: str | None = None
    mapping: NatPmpMapping | None = None


def address_request() -> bytes:
    """Asks for the external address (section 3.2)."""
    return bytes((VERSION, _ADDRESS))


def map_request(
    protocol: PortProtocol, internal_port: int, *, suggested_port: int = 0, lifetime: int
) -> bytes:
    """Asks for a mapping, for more time for one, or (both 0) for its end (sections 3.3 and 3.4).

    Args:
        protocol: TCP or UDP.
        internal_port: our port.
        suggested_port: the external port we would like; 0 for any.
        lifetime: seconds.
    """
    return _MAP_REQUEST.pack(VERSION, _OPCODES[protocol], 0, internal_port, suggested_port, lifetime)


def parse(datagram: bytes) -> NatPmpResponse | None:
    """A response, or None for anything that is none.

    An error may come cut short; its address or mapping is None then.
    """
    if len(datagram) < _HEADER.size:
        return None
    version, opcode, result, epoch = _HEADER.unpack_from(datagram)
    if version != VERSION or not opcode & _RESPONSE:
        return None
    rest = datagram[_HEADER.size :]
    opcode &= ~_RESPONSE
    protocol = next((name for name, known in _OPCODES.items() if known == opcode), None)
    if opcode == _ADDRESS and len(rest) >= 4 and not result:
        return NatPmpResponse(result, epoch, str(ipaddress.IPv4Address(rest[:4])))
    if protocol is not None and len(rest) >= _MAP_PART.size:
        internal, external, lifetime = _MAP_PART.unpack_from(rest)
        return NatPmpResponse(result, epoch, None, NatPmpMapping(protocol, internal, external, lifetime))
    return NatPmpResponse(result, epoch) if result else None
