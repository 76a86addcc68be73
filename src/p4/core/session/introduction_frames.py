"""Frames by which a contact introduces two of its contacts to each other (spec/introduction.md)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from p4.core import limits
from p4.core.identity import PeerId, is_peer_id
from p4.core.session.wire import fields, head, number_in
from p4.errors import FrameError

__all__ = [
    "DECODERS",
    "INTRODUCE",
    "Cease",
    "CeaseReason",
    "Convey",
    "Introduce",
    "IntroductionFrame",
    "encode",
]

INTRODUCE = "introduce"
"""Capability, and the service that a contact has to be granted: spec/introduction.md."""


class CeaseReason(IntEnum):
    """Why an introduced stream ends."""

    OVER = 0
    REFUSED = 1
    """No right, or beyond a limit: which of them is not told."""
    NOT_LINKED = 2
    """Whoever was wanted cannot be reached here now."""


@dataclass(frozen=True, slots=True)
class Introduce:
    """Begin a stream to this contact of yours."""

    stream: int
    peer_id: PeerId


@dataclass(frozen=True, slots=True)
class Convey:
    """A veiled line of a stream, without its newline."""

    stream: int
    line: bytes


@dataclass(frozen=True, slots=True)
class Cease:
    """The stream is over, or does not come about."""

    stream: int
    reason: CeaseReason


IntroductionFrame = Introduce | Convey | Cease

_INTRODUCE, _CONVEY, _CEASE = range(0x09, 0x0C)
_INTRODUCE_LAYOUT = struct.Struct(">BI24s")
_STREAM = struct.Struct(">BI")
_CEASE_LAYOUT = struct.Struct(">BIB")


def encode(frame: IntroductionFrame) -> bytes:
    """The bytes of a frame.

    Raises:
        ValueError, struct.error: a field is out of its range; the caller's mistake.
    """
    match frame:
        case Introduce(stream, peer_id):
            if not is_peer_id(peer_id):
                raise ValueError(f"{peer_id!r} is no peer id")
            return _INTRODUCE_LAYOUT.pack(_INTRODUCE, stream, peer_id.encode("ascii"))
        case Convey(stream, line):
            if not 1 <= len(line) <= limits.CONVEYED_LINE_BYTES:
                raise ValueError(f"a conveyed line has 1 to {limits.CONVEYED_LINE_BYTES} bytes")
            return _STREAM.pack(_CONVEY, stream) + line
        case Cease(stream, reason):
            return _CEASE_LAYOUT.pack(_CEASE, stream, reason)


def _introduce(data: bytes) -> Introduce:
    stream, encoded = fields(_INTRODUCE_LAYOUT, data)
    peer_id = encoded.decode("ascii", "replace")
    if not is_peer_id(peer_id):
        raise FrameError("A request for an introduction names an impossible contact.", code="bad-id")
    return Introduce(stream, PeerId(peer_id))


def _convey(data: bytes) -> Convey:
    (stream,) = head(_STREAM, data)
    size = len(data) - _STREAM.size
    if not 1 <= size <= limits.CONVEYED_LINE_BYTES:
        raise FrameError(f"A conveyed line of {size} bytes arrived.", code="bad-length")
    return Convey(stream, data[_STREAM.size :])


def _cease(data: bytes) -> Cease:
    stream, reason = fields(_CEASE_LAYOUT, data)
    return Cease(stream, CeaseReason(number_in(reason, 0, max(CeaseReason))))


DECODERS: Mapping[int, Callable[[bytes], IntroductionFrame]] = {
    _INTRODUCE: _introduce,
    _CONVEY: _convey,
    _CEASE: _cease,
}
"""By type: the frame in these bytes. Each raises FrameError."""
