"""Frames that concern lanes (spec/lanes.md), and the two that travel on a lane."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from p4.core import limits
from p4.core.session.stream_frames import DATA, DATA_HEAD_BYTES, Data, data_head
from p4.core.session.wire import fields, head, number_in
from p4.errors import FrameError

__all__ = [
    "DECODERS",
    "LANES",
    "IpAddress",
    "LaneAddress",
    "LaneAnswer",
    "LaneAsk",
    "LaneEnd",
    "LaneEndReason",
    "LaneFrame",
    "LaneInvitation",
    "LaneListen",
    "LaneOffer",
    "Received",
    "decode_on_lane",
    "encode",
    "encode_received",
]

LANES = "lanes"
"""Capability: spec/lanes.md."""

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class LaneEndReason(IntEnum):
    """Why a lane ends."""

    NOT_NEEDED = 0
    NOT_OPENED = 1
    BROKEN = 2
    TOO_MANY = 3


@dataclass(frozen=True, slots=True)
class LaneAddress:
    """Where a listener can be reached by TCP."""

    ip: IpAddress
    port: int


@dataclass(frozen=True, slots=True)
class LaneInvitation:
    """What the dialler of a stream lane has to know.

    Args:
        fingerprint: SHA-256 of the listener's certificate in its DER form.
        token: 32 bytes that the dialler shows once.
        addresses: 1 to 16.
    """

    fingerprint: bytes
    token: bytes
    addresses: tuple[LaneAddress, ...]


@dataclass(frozen=True, slots=True)
class LaneOffer:
    """Begin a peer lane; the sender's session description."""

    lane: int
    sdp: str


@dataclass(frozen=True, slots=True)
class LaneAnswer:
    """The answer to `LaneOffer`."""

    lane: int
    sdp: str


@dataclass(frozen=True, slots=True)
class LaneListen:
    """The sender listens for a stream lane."""

    lane: int
    invitation: LaneInvitation


@dataclass(frozen=True, slots=True)
class LaneAsk:
    """Please listen for a stream lane: answer with `LaneListen`."""

    lane: int


@dataclass(frozen=True, slots=True)
class LaneEnd:
    """The lane is over, or does not come about."""

    lane: int
    reason: LaneEndReason


LaneFrame = LaneOffer | LaneAnswer | LaneListen | LaneAsk | LaneEnd


@dataclass(frozen=True, slots=True)
class Received:
    """So many DATA frames have arrived on this lane."""

    count: int


_OFFER, _ANSWER, _LISTEN, _ASK, _END, _RECEIVED = range(0x50, 0x56)
_LANE = struct.Struct(">BI")
_LISTEN_HEAD = struct.Struct(f">BI32s{limits.LANE_TOKEN_BYTES}sB")
_END_LAYOUT = struct.Struct(">BIB")
_RECEIVED_LAYOUT = struct.Struct(">BQ")
_PORT = struct.Struct(">H")
_IP_BYTES = {4: 4, 6: 16}


def encode(frame: LaneFrame) -> bytes:
    """The bytes of a frame for the channel ``p4``.

    Raises:
        ValueError, struct.error: a field is out of its range; the caller's mistake.
    """
    match frame:
        case LaneOffer(lane, sdp):
            return _LANE.pack(_OFFER, lane) + _description(sdp)
        case LaneAnswer(lane, sdp):
            return _LANE.pack(_ANSWER, lane) + _description(sdp)
        case LaneListen(lane, LaneInvitation(fingerprint, token, addresses)):
            if not 1 <= len(addresses) <= limits.LANE_ADDRESSES:
                raise ValueError(f"{len(addresses)} addresses")
            if (len(fingerprint), len(token)) != (32, limits.LANE_TOKEN_BYTES):
                raise ValueError("a fingerprint and a token have 32 bytes each")
            packed = (bytes((at.ip.version,)) + at.ip.packed + _PORT.pack(at.port) for at in addresses)
            return _LISTEN_HEAD.pack(_LISTEN, lane, fingerprint, token, len(addresses)) + b"".join(packed)
        case LaneAsk(lane):
            return _LANE.pack(_ASK, lane)
        case LaneEnd(lane, reason):
            return _END_LAYOUT.pack(_END, lane, reason)


def encode_received(count: int) -> bytes:
    """The bytes of RECEIVED."""
    return _RECEIVED_LAYOUT.pack(_RECEIVED, count)


def decode_on_lane(message: bytes | memoryview, most: int) -> Data | Received:
    """The frame in one message of a lane.

    Args:
        most: bytes that DATA may have on a lane of this kind.

    Raises:
        FrameError: ``empty``, ``bad-length``, ``bad-number`` or ``out-of-turn``.
    """
    if not message:
        raise FrameError("An empty frame arrived on a lane.", code="empty")
    if message[0] == DATA:
        stream, offset = data_head(message, most)
        return Data(stream, offset, bytes(message[DATA_HEAD_BYTES:]))
    if message[0] == _RECEIVED:
        return Received(*fields(_RECEIVED_LAYOUT, bytes(message)))
    raise FrameError(f"A frame of type 0x{message[0]:02x} arrived on a lane.", code="out-of-turn")


def _description(sdp: str) -> bytes:
    encoded = sdp.encode("ascii")
    if not 1 <= len(encoded) <= limits.LANE_SDP_BYTES:
        raise ValueError(f"a session description of {len(encoded)} bytes")
    return encoded


def _offer(data: bytes) -> LaneOffer:
    return LaneOffer(*_described(data))


def _answer(data: bytes) -> LaneAnswer:
    return LaneAnswer(*_described(data))


def _described(data: bytes) -> tuple[int, str]:
    (lane,) = head(_LANE, data)
    size = len(data) - _LANE.size
    if not 1 <= size <= limits.LANE_SDP_BYTES:
        raise FrameError(f"A session description of {size} bytes arrived.", code="bad-length")
    try:
        return lane, data[_LANE.size :].decode("ascii")
    except UnicodeDecodeError:
        raise FrameError("A session description is not ASCII.", code="bad-text") from None


def _listen(data: bytes) -> LaneListen:
    lane, fingerprint, token, count = head(_LISTEN_HEAD, data)
    number_in(count, 1, limits.LANE_ADDRESSES)
    addresses = []
    at = _LISTEN_HEAD.size
    for _ in range(count):
        size = _IP_BYTES.get(data[at]) if at < len(data) else None
        if size is None:
            raise FrameError("An address is neither IPv4 nor IPv6.", code="bad-number")
        end = at + 1 + size + _PORT.size
        if end > len(data):
            raise FrameError("An invitation to a lane was cut off.", code="bad-length")
        ip = ipaddress.ip_address(data[at + 1 : at + 1 + size])
        (port,) = _PORT.unpack_from(data, at + 1 + size)
        addresses.append(LaneAddress(ip, number_in(port, 1, 0xFFFF)))
        at = end
    if at != len(data):
        raise FrameError("Something follows an invitation to a lane.", code="bad-length")
    return LaneListen(lane, LaneInvitation(fingerprint, token, tuple(addresses)))


def _ask(data: bytes) -> LaneAsk:
    return LaneAsk(*fields(_LANE, data))


def _end(data: bytes) -> LaneEnd:
    lane, reason = fields(_END_LAYOUT, data)
    return LaneEnd(lane, LaneEndReason(number_in(reason, 0, max(LaneEndReason))))


def _received(_: bytes) -> LaneFrame:
    raise FrameError("RECEIVED arrived on the link, which is no lane.", code="out-of-turn")


DECODERS: Mapping[int, Callable[[bytes], LaneFrame]] = {
    _OFFER: _offer,
    _ANSWER: _answer,
    _LISTEN: _listen,
    _ASK: _ask,
    _END: _end,
    _RECEIVED: _received,
}
"""By type: the frame in these bytes. Each raises FrameError."""
