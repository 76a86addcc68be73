"""Frames of the ``p4`` data channel (spec/link.md): one binary message, one frame.

The first byte is the type. Types from 0x80 on may be ignored by a receiver that does not know them;
an unknown type below is an error. All integers are big-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from p4.core import limits
from p4.core.session.binding import SIGNATURE_BYTES
from p4.errors import FrameError

__all__ = ["Ack", "Bind", "Bye", "ByeReason", "Frame", "Ping", "Pong", "Resume", "Text", "decode", "encode"]

EPOCH_BYTES = 16


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
class Resume:
    """The first frame after `Bind`: where its messages stand.

    Args:
        out_epoch: names the sender's outbox.
        out_first: the oldest message it can still send (its next number if it has none).
        in_epoch: the receiver's outbox as the sender knows it; 16 zero bytes if it knows none.
        in_next: the next message it expects from that outbox.
    """

    out_epoch: bytes
    out_first: int
    in_epoch: bytes
    in_next: int


@dataclass(frozen=True, slots=True)
class Text:
    """One chat message, numbered within the sender's outbox epoch."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Ack:
    """Everything up to and including ``through`` is on the receiver's disk."""

    through: int


Frame = Ping | Pong | Bye | Bind | Resume | Text | Ack

_PING, _PONG, _BYE, _BIND, _RESUME, _TEXT, _ACK = 0x01, 0x02, 0x03, 0x04, 0x10, 0x11, 0x12
_FIRST_IGNORABLE = 0x80
_TOKEN = struct.Struct(">BI")
_BYE_LAYOUT = struct.Struct(">BB")
_BIND_LAYOUT = struct.Struct(f">B{SIGNATURE_BYTES}s")
_RESUME_LAYOUT = struct.Struct(f">B{EPOCH_BYTES}sQ{EPOCH_BYTES}sQ")
_NUMBER = struct.Struct(">BQ")


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
            case Resume(out_epoch, out_first, in_epoch, in_next):
                if len(out_epoch) != EPOCH_BYTES or len(in_epoch) != EPOCH_BYTES:
                    raise ValueError(f"an epoch has {EPOCH_BYTES} bytes")
                return _RESUME_LAYOUT.pack(_RESUME, out_epoch, out_first, in_epoch, in_next)
            case Text(number, text):
                return _NUMBER.pack(_TEXT, number) + text.encode()
            case Ack(through):
                return _NUMBER.pack(_ACK, through)
    except struct.error as error:
        raise ValueError(str(error)) from error


def decode(data: bytes) -> Frame | None:
    """The frame in one binary message.

    Returns:
        None for a type that may be ignored.

    Raises:
        FrameError: ``empty``, ``bad-length``, ``bad-number``, ``bad-text``, ``bad-reason`` or
            ``unknown-type``.
    """
    if not data:
        raise FrameError("An empty frame arrived.", code="empty")
    kind = data[0]
    match kind:
        case _ if kind >= _FIRST_IGNORABLE:
            return None
        case 0x01:
            return Ping(_fields(_TOKEN, data)[1])
        case 0x02:
            return Pong(_fields(_TOKEN, data)[1])
        case 0x03:
            reason = _fields(_BYE_LAYOUT, data)[1]
            try:
                return Bye(ByeReason(reason))
            except ValueError:
                raise FrameError(f"The goodbye has the unknown reason {reason}.", code="bad-reason") from None
        case 0x04:
            return Bind(*_fields(_BIND_LAYOUT, data)[1:])
        case 0x10:
            return Resume(*_fields(_RESUME_LAYOUT, data)[1:])
        case 0x11:
            return _text(data)
        case 0x12:
            return Ack(_fields(_NUMBER, data)[1])
    raise FrameError(f"A frame of the unknown type 0x{kind:02x} arrived.", code="unknown-type")


def _fields(layout: struct.Struct, data: bytes) -> tuple[Any, ...]:
    if len(data) != layout.size:
        raise FrameError(
            f"A frame of type 0x{data[0]:02x} has {len(data)} bytes instead of {layout.size}.",
            code="bad-length",
        )
    return layout.unpack(data)


def _text(data: bytes) -> Text:
    if not _NUMBER.size <= len(data) <= _NUMBER.size + limits.TEXT_BYTES:
        raise FrameError(f"A text frame has {len(data)} bytes.", code="bad-length")
    number = _NUMBER.unpack(data[: _NUMBER.size])[1]
    if not 1 <= number <= limits.SAFE_INTEGER:
        raise FrameError(f"A text has the number {number}.", code="bad-number")
    try:
        text = data[_NUMBER.size :].decode()
    except UnicodeDecodeError as error:
        raise FrameError("A text frame is not UTF-8.", code="bad-text") from error
    return Text(number, text)
