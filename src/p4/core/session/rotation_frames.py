"""Frames by which a contact learns of a new key (spec/rotation.md, On a link)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from p4.core.identity import KEY_BYTES
from p4.core.rotation import STATEMENT_BYTES
from p4.core.session.wire import fields, number_in

__all__ = ["DECODERS", "ROTATE", "Rotate", "Rotated", "RotatedOutcome", "RotationFrame", "encode"]

ROTATE = "rotate"
"""The capability (spec/signaling.md, Announcement)."""

_ROTATE, _ROTATED = 0x17, 0x18
_ROTATE_LAYOUT = struct.Struct(f">B{STATEMENT_BYTES}s")
_ROTATED_LAYOUT = struct.Struct(f">B{KEY_BYTES}sB")


class RotatedOutcome(IntEnum):
    """What became of a statement."""

    TAKEN = 0
    CONFLICT = 1
    REFUSED = 2


@dataclass(frozen=True, slots=True)
class Rotate:
    """The sender has another key. ``statement``: not verified yet."""

    statement: bytes


@dataclass(frozen=True, slots=True)
class Rotated:
    """The answer: ``new_key`` is that of the statement."""

    new_key: bytes
    outcome: RotatedOutcome


RotationFrame = Rotate | Rotated


def encode(frame: RotationFrame) -> bytes:
    """The bytes of a frame. Raises ValueError."""
    match frame:
        case Rotate(statement):
            if len(statement) != STATEMENT_BYTES:
                raise ValueError(f"a statement has {STATEMENT_BYTES} bytes")
            return _ROTATE_LAYOUT.pack(_ROTATE, statement)
        case Rotated(new_key, outcome):
            if len(new_key) != KEY_BYTES:
                raise ValueError(f"a key has {KEY_BYTES} bytes")
            return _ROTATED_LAYOUT.pack(_ROTATED, new_key, outcome)


def _rotate(data: bytes) -> Rotate:
    return Rotate(*fields(_ROTATE_LAYOUT, data))


def _rotated(data: bytes) -> Rotated:
    new_key, outcome = fields(_ROTATED_LAYOUT, data)
    return Rotated(new_key, RotatedOutcome(number_in(outcome, 0, max(RotatedOutcome))))


DECODERS: Mapping[int, Callable[[bytes], RotationFrame]] = {_ROTATE: _rotate, _ROTATED: _rotated}
"""By type: the frame in these bytes. Each raises FrameError."""
