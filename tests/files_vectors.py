"""Runs the vectors of kind "files" (vectors/README.md) against our codec."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from tests.frame_vectors import SHOWN_BYTES, octets

from p4.apps.files.frames import Entry, FileFrame
from p4.apps.files.wire import FrameReader, encode
from p4.errors import TransferError

__all__ = ["files_decode"]

Outcome = tuple[str, str, Any]


def files_decode(given: dict[str, Any]) -> Outcome:
    data = octets(given["bytes"])
    reader = FrameReader()
    try:
        (frame,) = reader.feed(data)
    except TransferError as error:
        return "files", error.code, None
    assert reader.offset == len(data)
    in_pieces = FrameReader()
    (again,) = [found for byte in _pieces(data) for found in in_pieces.feed(byte)]
    assert encode(again) == encode(frame) == data, "what is read can be written again"
    return "files", "ok", _spelled(frame)


def _pieces(data: bytes) -> list[bytes]:
    step = max(1, len(data) // 7)
    return [data[begin : begin + step] for begin in range(0, len(data), step)]


NAMES = {"MANIFEST": "ENTRY", "VERDICTS": "VERDICT", "FILE_START": "FILE", "OVER": "ERROR"}
"""Frames that are called otherwise in the specification."""


def _spelled(frame: FileFrame) -> dict[str, Any]:
    name = re.sub("(?<=[a-z])(?=[A-Z])", "_", type(frame).__name__).upper()
    return {
        "frame": NAMES.get(name, name),
        **{key: _value(value) for key, value in frame._asdict().items()},
    }


def _value(value: object) -> object:
    if isinstance(value, Entry):
        return {key: _value(part) for key, part in value._asdict().items()}
    if isinstance(value, tuple):
        return [_value(part) for part in value]
    if not isinstance(value, bytes | memoryview):
        return value
    if len(value) <= SHOWN_BYTES:
        return {"hex": value.hex()}
    return {"length": len(value), "sha256_hex": hashlib.sha256(value).hexdigest()}
