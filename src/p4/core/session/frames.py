"""Frames of the channels of version 2 (spec/link.md): one binary message, one frame.

Here are the frames that concern the link itself, and the one way to read and write all frames.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from p4.core import limits
from p4.core.session import (
    gate_frames,
    introduction_frames,
    lane_frames,
    rotation_frames,
    session_frames,
    stream_frames,
)
from p4.core.session.binding import SIGNATURE_BYTES
from p4.core.session.gate_frames import GateFrame
from p4.core.session.introduction_frames import IntroductionFrame
from p4.core.session.lane_frames import LaneFrame
from p4.core.session.rotation_frames import RotationFrame
from p4.core.session.session_frames import SessionFrame
from p4.core.session.stream_frames import StreamFrame
from p4.core.session.wire import fields
from p4.errors import FrameError

__all__ = [
    "Assembly",
    "Bind",
    "Bundle",
    "Bye",
    "ByeReason",
    "Frame",
    "Last",
    "LinkFrame",
    "Part",
    "Ping",
    "Pong",
    "Signal",
    "bundle",
    "decode",
    "encode",
    "in_parts",
]


class ByeReason(IntEnum):
    """Why the peer ends the link."""

    DROPPED = 0
    """Its user asked for a new link; it dials at once."""
    SHUTDOWN = 1
    """Its node ends."""
    REMOVED = 2
    """It removed us from its contacts."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for a `Pong` with the same token."""

    token: int


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a `Ping`."""

    token: int


@dataclass(frozen=True, slots=True)
class Bye:
    """The link ends now and on purpose."""

    reason: ByeReason


@dataclass(frozen=True, slots=True)
class Bind:
    """The first frame of each side: its signature for this link (`p4.core.session.binding`)."""

    signature: bytes


@dataclass(frozen=True, slots=True)
class Bundle:
    """Frames that travelled together, each still to be decoded."""

    frames: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Some bytes of a long frame; more follow."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Last:
    """The last bytes of a long frame."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Signal:
    """A line of signaling, without its newline, for the negotiation of the next link."""

    line: bytes


LinkFrame = Ping | Pong | Bye | Bind | Bundle | Part | Last | Signal
Frame = LinkFrame | SessionFrame | StreamFrame | LaneFrame | IntroductionFrame | RotationFrame | GateFrame

_PING, _PONG, _BYE, _BIND, _BUNDLE, _PART, _LAST, _SIGNAL = range(0x01, 0x09)
_MESSAGE, _CALL, _REPLY = 0x11, 0x20, 0x21
_ALONE = {_BIND, _BUNDLE, _PART, _LAST}
_FIRST_IGNORABLE = 0x80
_TOKEN = struct.Struct(">BI")
_BYE_LAYOUT = struct.Struct(">BB")
_BIND_LAYOUT = struct.Struct(f">B{SIGNATURE_BYTES}s")
_LENGTH = struct.Struct(">H")


def encode(frame: Frame) -> bytes:
    """The bytes of a frame.

    Raises:
        ValueError: a field is out of its range; the caller's mistake.
    """
    try:
        match frame:
            case Ping(token):
                return _TOKEN.pack(_PING, token)
            case Pong(token):
                return _TOKEN.pack(_PONG, token)
            case Bye(reason):
                return _BYE_LAYOUT.pack(_BYE, reason)
            case Bind(signature):
                if len(signature) != SIGNATURE_BYTES:
                    raise ValueError(f"a signature has {SIGNATURE_BYTES} bytes")
                return _BIND_LAYOUT.pack(_BIND, signature)
            case Bundle(frames):
                return bundle(frames)
            case Part(data):
                return bytes((_PART,)) + data
            case Last(data):
                return bytes((_LAST,)) + data
            case Signal(line):
                if not 0 < len(line) <= limits.SIGNAL_BYTES:
                    raise ValueError(f"a line on a link has 1 to {limits.SIGNAL_BYTES} bytes")
                return bytes((_SIGNAL,)) + line
            case (
                stream_frames.Open()
                | stream_frames.Written()
                | stream_frames.Credit()
                | stream_frames.Data()
                | stream_frames.Reset()
                | stream_frames.Done()
                | stream_frames.Gone()
            ):
                return stream_frames.encode(frame)
            case (
                lane_frames.LaneOffer()
                | lane_frames.LaneAnswer()
                | lane_frames.LaneListen()
                | lane_frames.LaneAsk()
                | lane_frames.LaneEnd()
            ):
                return lane_frames.encode(frame)
            case introduction_frames.Introduce() | introduction_frames.Convey() | introduction_frames.Cease():
                return introduction_frames.encode(frame)
            case rotation_frames.Rotate() | rotation_frames.Rotated():
                return rotation_frames.encode(frame)
            case gate_frames.Gate() | gate_frames.GateKept():
                return gate_frames.encode(frame)
            case _:
                return session_frames.encode(frame)
    except struct.error as error:
        raise ValueError(str(error)) from error


def bundle(frames: tuple[bytes, ...] | list[bytes]) -> bytes:
    """The BUNDLE of encoded frames, which together fit into a message."""
    parts = [bytes((_BUNDLE,))]
    for frame in frames:
        parts.append(_LENGTH.pack(len(frame)))
        parts.append(frame)
    return b"".join(parts)


def in_parts(frame: bytes) -> list[bytes]:
    """An encoded frame as the messages that carry it: itself, or PARTs and a LAST if it is long."""
    if len(frame) <= limits.PART_BYTES:
        return [frame]
    pieces = [frame[at : at + limits.PART_BYTES] for at in range(0, len(frame), limits.PART_BYTES)]
    return [*(bytes((_PART,)) + piece for piece in pieces[:-1]), bytes((_LAST,)) + pieces[-1]]


class Assembly:
    """Puts the long frames of one link together again."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, frame: Part | Last) -> SessionFrame | None:
        """Take a part.

        Returns:
            The long frame, when this was its last part.

        Raises:
            FrameError: too long (``bad-length``), not a frame that comes in parts (``out-of-turn``), or what
                `decode` raises.
        """
        self._size += len(frame.data)
        if self._size > limits.LONG_FRAME_BYTES:
            raise FrameError(
                f"A frame in parts is longer than {limits.LONG_FRAME_BYTES} bytes.", code="bad-length"
            )
        self._parts.append(frame.data)
        if isinstance(frame, Part):
            return None
        whole = b"".join(self._parts)
        self._parts, self._size = [], 0
        if whole[0] not in (_MESSAGE, _CALL, _REPLY):
            raise FrameError(f"A frame of type 0x{whole[0]:02x} came in parts.", code="out-of-turn")
        return session_frames.DECODERS[whole[0]](whole)


def decode(data: bytes) -> Frame | None:
    """The frame in one binary message.

    Returns:
        None for a type that may be ignored.

    Raises:
        FrameError: ``empty``, ``bad-length``, ``bad-number``, ``bad-text``, ``bad-service``, ``bad-reason``,
            ``bad-id``, ``out-of-turn`` or ``unknown-type``.
    """
    if not data:
        raise FrameError("An empty frame arrived.", code="empty")
    decoder = _DECODERS.get(data[0])
    if decoder is not None:
        return decoder(data)
    if data[0] >= _FIRST_IGNORABLE:
        return None
    raise FrameError(f"A frame of the unknown type 0x{data[0]:02x} arrived.", code="unknown-type")


def _ping(data: bytes) -> Ping:
    return Ping(*fields(_TOKEN, data))


def _pong(data: bytes) -> Pong:
    return Pong(*fields(_TOKEN, data))


def _bye(data: bytes) -> Bye:
    (reason,) = fields(_BYE_LAYOUT, data)
    try:
        return Bye(ByeReason(reason))
    except ValueError:
        raise FrameError(f"The goodbye has the unknown reason {reason}.", code="bad-reason") from None


def _bind(data: bytes) -> Bind:
    return Bind(*fields(_BIND_LAYOUT, data))


def _bundle(data: bytes) -> Bundle:
    frames: list[bytes] = []
    position, end = 1, len(data)
    while position < end:
        begin = position + _LENGTH.size
        if begin > end:
            raise FrameError("A bundle was cut off.", code="bad-length")
        (size,) = _LENGTH.unpack_from(data, position)
        position = begin + size
        if not size or position > end:
            raise FrameError("A bundle holds a frame of an impossible length.", code="bad-length")
        if data[begin] in _ALONE:
            raise FrameError(f"A bundle holds a frame of type 0x{data[begin]:02x}.", code="out-of-turn")
        frames.append(data[begin:position])
    if not frames:
        raise FrameError("A bundle is empty.", code="bad-length")
    return Bundle(tuple(frames))


def _part(data: bytes) -> Part:
    return Part(_some(data))


def _last(data: bytes) -> Last:
    return Last(_some(data))


def _signal(data: bytes) -> Signal:
    if not 1 < len(data) <= 1 + limits.SIGNAL_BYTES:
        raise FrameError("A line of signaling has an impossible length.", code="bad-length")
    return Signal(data[1:])


def _some(data: bytes) -> bytes:
    if len(data) == 1:
        raise FrameError("A part of a frame is empty.", code="bad-length")
    return data[1:]


_DECODERS: Mapping[int, Callable[[bytes], Frame]] = {
    _PING: _ping,
    _PONG: _pong,
    _BYE: _bye,
    _BIND: _bind,
    _BUNDLE: _bundle,
    _PART: _part,
    _LAST: _last,
    _SIGNAL: _signal,
    **session_frames.DECODERS,
    **stream_frames.DECODERS,
    **lane_frames.DECODERS,
    **introduction_frames.DECODERS,
    **rotation_frames.DECODERS,
    **gate_frames.DECODERS,
}
