"""What the codecs of all frames share: fields with checked lengths, names, numbers."""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from typing import Any

from p4.core import limits
from p4.errors import FrameError

__all__ = [
    "fields",
    "head",
    "is_grant",
    "is_service",
    "number_in",
    "service_of",
    "short",
    "take_short",
    "text_of",
]

_SERVICE = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


def is_service(name: str) -> bool:
    """Whether a name may be a service's (spec/session.md)."""
    return len(name) <= limits.SERVICE_BYTES and _SERVICE.fullmatch(name) is not None


def is_grant(grant: str) -> bool:
    """Whether this may be a grant: the name of a service, or ``*``."""
    return grant == "*" or is_service(grant)


def fields(layout: struct.Struct, data: bytes) -> tuple[Any, ...]:
    """The fields after the type of a frame that has exactly this layout.

    Raises:
        FrameError: ``bad-length``.
    """
    if len(data) != layout.size:
        raise FrameError(
            f"A frame of type 0x{data[0]:02x} has {len(data)} bytes instead of {layout.size}.",
            code="bad-length",
        )
    return layout.unpack(data)[1:]


def head(layout: struct.Struct, data: bytes) -> tuple[Any, ...]:
    """The fields after the type at the beginning of a frame that may go on.

    Raises:
        FrameError: ``bad-length``.
    """
    if len(data) < layout.size:
        raise FrameError(
            f"A frame of type 0x{data[0]:02x} was cut off after {len(data)} bytes.", code="bad-length"
        )
    return layout.unpack_from(data)[1:]


def short(text: str) -> bytes:
    """A text with its length in one byte.

    Raises:
        ValueError: longer than 255 bytes, or not text.
    """
    encoded = text.encode()
    if len(encoded) > 255:
        raise ValueError(f"{text!r} is too long")
    return bytes((len(encoded),)) + encoded


def take_short(data: bytes, position: int) -> tuple[bytes, int]:
    """The bytes written by `short` at a position, and the position after them.

    Raises:
        FrameError: ``bad-length``.
    """
    begin = position + 1
    end = begin + data[position] if position < len(data) else begin
    if end > len(data):
        raise FrameError(f"A frame of type 0x{data[0]:02x} was cut off.", code="bad-length")
    return data[begin:end], end


def text_of(data: bytes) -> str:
    """UTF-8 as text.

    Raises:
        FrameError: ``bad-text``.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise FrameError("A text in a frame is not UTF-8.", code="bad-text") from error


@lru_cache(maxsize=1024)
def service_of(data: bytes) -> str:
    """The name of a service. Remembered, because every message has one.

    Raises:
        FrameError: ``bad-service``.
    """
    try:
        name = data.decode("ascii")
    except UnicodeDecodeError:
        name = ""
    if not is_service(name):
        raise FrameError("A frame names an impossible service.", code="bad-service")
    return name


def number_in(value: int, lowest: int, highest: int) -> int:
    """A number that must lie between two others.

    Raises:
        FrameError: ``bad-number``.
    """
    if not lowest <= value <= highest:
        raise FrameError(f"A frame has the impossible number {value}.", code="bad-number")
    return value
