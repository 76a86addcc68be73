"""Frames of streams (spec/stream.md)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from p4.core import limits
from p4.core.session.wire import fields, head, number_in, service_of, short, take_short, text_of
from p4.errors import FrameError

__all__ = [
    "DATA",
    "DATA_HEAD_BYTES",
    "DECODERS",
    "Credit",
    "Data",
    "Done",
    "Gone",
    "Open",
    "Reset",
    "ResetReason",
    "StreamFrame",
    "Written",
    "data_head",
    "encode",
    "encode_data",
]


class ResetReason(IntEnum):
    """Why a stream ended before its end."""

    CANCELLED = 0
    FAILED = 1
    NOT_GRANTED = 2
    TOO_MANY = 3
    DISK = 4
    LOST = 5
    REMOVED = 6


@dataclass(frozen=True, slots=True)
class Open:
    """A new stream to a service of the receiver."""

    id: int
    service: str
    name: str


@dataclass(frozen=True, slots=True)
class Written:
    """``end`` bytes of the sender's direction are on its disk; no more will come if ``final``."""

    id: int
    end: int
    final: bool


@dataclass(frozen=True, slots=True)
class Credit:
    """The other direction is consumed below ``through`` and may be sent below ``limit``."""

    id: int
    through: int
    limit: int


class Data(NamedTuple):
    """Some bytes of the sender's direction. A tuple because it is made for every frame of a bulk transfer."""

    id: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Reset:
    """Both directions end at once."""

    id: int
    reason: ResetReason
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """Everything of both directions has arrived and was confirmed."""

    id: int


@dataclass(frozen=True, slots=True)
class Gone:
    """The sender does not know such a stream (any more)."""

    id: int


StreamFrame = Open | Written | Credit | Data | Reset | Done | Gone

_OPEN, _WRITTEN, _CREDIT, _DATA, _RESET, _DONE, _GONE = range(0x30, 0x37)

_NUMBER = struct.Struct(">BQ")
_WRITTEN_LAYOUT = struct.Struct(">BQQB")
_CREDIT_LAYOUT = struct.Struct(">BQQQ")
_DATA_HEAD = struct.Struct(">BQQ")
_RESET_HEAD = struct.Struct(">BQB")

DATA = _DATA
"""The type of DATA: its first byte."""

DATA_HEAD_BYTES = _DATA_HEAD.size
"""Bytes of a DATA frame before those that it carries."""


def encode(frame: StreamFrame) -> bytes:
    """The bytes of a frame.

    Raises:
        ValueError, struct.error: a field is out of its range; the caller's mistake.
    """
    match frame:
        case Data(stream, offset, data):
            return _DATA_HEAD.pack(_DATA, stream, offset) + data
        case Credit(stream, through, limit):
            return _CREDIT_LAYOUT.pack(_CREDIT, stream, through, limit)
        case Written(stream, end, final):
            return _WRITTEN_LAYOUT.pack(_WRITTEN, stream, end, final)
        case Open(stream, service, name):
            return _NUMBER.pack(_OPEN, stream) + short(service) + name.encode()
        case Reset(stream, reason, text):
            return _RESET_HEAD.pack(_RESET, stream, reason) + text.encode()
        case Done(stream):
            return _NUMBER.pack(_DONE, stream)
        case Gone(stream):
            return _NUMBER.pack(_GONE, stream)


def encode_data(stream: int, offset: int, parts: Iterable[bytes | memoryview]) -> bytes:
    """The bytes of a DATA frame; what it carries, in parts, is copied once."""
    return b"".join((_DATA_HEAD.pack(_DATA, stream, offset), *parts))


def data_head(frame: bytes | memoryview, most: int) -> tuple[int, int]:
    """Stream and offset of a DATA frame that carries at most so many bytes.

    Raises:
        FrameError: ``bad-length``.
    """
    size = len(frame) - DATA_HEAD_BYTES
    if not 1 <= size <= most:
        raise FrameError(f"A frame of {size} bytes of a stream cannot be.", code="bad-length")
    _, stream, offset = _DATA_HEAD.unpack_from(frame)
    if offset + size > limits.SAFE_INTEGER:
        raise FrameError(f"{size} bytes of a stream cannot be at offset {offset}.", code="bad-length")
    return stream, offset


def _open(data: bytes) -> Open:
    (stream,) = head(_NUMBER, data)
    service, position = take_short(data, _NUMBER.size)
    return Open(stream, service_of(service), _text(data, position))


def _written(data: bytes) -> Written:
    stream, end, final = fields(_WRITTEN_LAYOUT, data)
    return Written(stream, _offset(end), bool(number_in(final, 0, 1)))


def _credit(data: bytes) -> Credit:
    stream, through, limit = fields(_CREDIT_LAYOUT, data)
    return Credit(stream, number_in(through, 0, limit), _offset(limit))


def _data(data: bytes) -> Data:
    stream, offset = data_head(data, limits.STREAM_DATA_BYTES)
    return Data(stream, offset, data[_DATA_HEAD.size :])


def _reset(data: bytes) -> Reset:
    stream, reason = head(_RESET_HEAD, data)
    reason = ResetReason(number_in(reason, 0, max(ResetReason)))
    return Reset(stream, reason, _text(data, _RESET_HEAD.size))


def _done(data: bytes) -> Done:
    return Done(*fields(_NUMBER, data))


def _gone(data: bytes) -> Gone:
    return Gone(*fields(_NUMBER, data))


def _offset(value: int) -> int:
    return number_in(value, 0, limits.SAFE_INTEGER)


def _text(data: bytes, position: int) -> str:
    if len(data) - position > limits.STREAM_NAME_BYTES:
        raise FrameError("The name of a stream is too long.", code="bad-length")
    return text_of(data[position:])


DECODERS: Mapping[int, Callable[[bytes], StreamFrame]] = {
    _OPEN: _open,
    _WRITTEN: _written,
    _CREDIT: _credit,
    _DATA: _data,
    _RESET: _reset,
    _DONE: _done,
    _GONE: _gone,
}
"""By type: the frame in these bytes. Each raises FrameError."""
