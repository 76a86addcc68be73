"""The frames of spec/files.md as bytes. Neither files nor streams are known here."""

from __future__ import annotations

import json
import re
import struct
import sys
from collections.abc import Iterator
from typing import Any

from p4.apps.files.frames import (
    Accept,
    Again,
    Ask,
    Broken,
    Complete,
    Data,
    End,
    Entry,
    EntryKind,
    Failed,
    FileFrame,
    FileStart,
    Finish,
    Go,
    Hole,
    Listed,
    Manifest,
    Named,
    Offer,
    Omitted,
    Over,
    Stored,
    Sum,
    Times,
    Verdict,
    Verdicts,
    check_path,
    check_target,
    not_a_frame,
)
from p4.core import limits
from p4.core.canonical import parse_object
from p4.errors import RemoteError

__all__ = ["FrameReader", "decode", "encode"]

HASH_BYTES = 32
_HEAD = struct.Struct(">BI")
_ENTRY = struct.Struct(">BHQq")
_VERDICT = struct.Struct(">IBQ")
_FILE = struct.Struct(">IQ")
_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")
_CODE = re.compile(r"[a-z0-9-]{1,64}")
_TEXT_BYTES = 1024


_TYPES: dict[type, int] = {
    Ask: 0x01,
    Offer: 0x02,
    Accept: 0x03,
    Manifest: 0x04,
    Listed: 0x05,
    Verdicts: 0x06,
    Sum: 0x07,
    Go: 0x08,
    Omitted: 0x09,
    FileStart: 0x10,
    Data: 0x11,
    Hole: 0x12,
    End: 0x13,
    Broken: 0x14,
    Times: 0x15,
    Finish: 0x16,
    Stored: 0x20,
    Named: 0x21,
    Failed: 0x22,
    Again: 0x23,
    Complete: 0x24,
    Over: 0x2F,
}
_FRAMES = {number: frame for frame, number in _TYPES.items()}


# --- writing -----------------------------------------------------------------------------------------------


def encode(frame: FileFrame) -> bytes:
    """A frame with its type and length."""
    body = _body(frame)
    return _HEAD.pack(_TYPES[type(frame)], len(body)) + body


def _body(frame: FileFrame) -> bytes | memoryview:
    match frame:
        case Ask(content) | Offer(content) | Accept(content):
            return json.dumps(dict(content), ensure_ascii=False, separators=(",", ":")).encode()
        case Manifest(entry) | Times(entry):
            return _entry_bytes(entry)
        case Listed(number) | Again(number):
            return _U32.pack(number)
        case Verdicts(verdicts):
            return b"".join(_VERDICT.pack(*verdict) for verdict in verdicts)
        case Sum(index, digest):
            return _U32.pack(index) + digest
        case FileStart(index, position, entry):
            return _FILE.pack(index, position) + _entry_bytes(entry)
        case Data(body) | End(body):
            return body
        case Hole(length):
            return _U64.pack(length)
        case Broken(code, text) | Over(code, text) | Omitted(code, text):
            return _reason(code, text)
        case Stored(indices):
            return b"".join(map(_U32.pack, indices))
        case Named(index, name):
            return _U32.pack(index) + name.encode()
        case Failed(index, code, text):
            return _U32.pack(index) + _reason(code, text)
        case _:
            return b""


def _entry_bytes(entry: Entry) -> bytes:
    path, target = "/".join(entry.path).encode(), "/".join(entry.target).encode()
    head = _ENTRY.pack(entry.kind, entry.mode, entry.size, entry.mtime_ns)
    return b"".join((head, _U16.pack(len(path)), path, _U16.pack(len(target)), target))


def _reason(code: str, text: str) -> bytes:
    shortened = text.encode(errors="replace")[:_TEXT_BYTES].decode(errors="ignore")
    return bytes((len(code),)) + code.encode() + shortened.encode()


# --- reading -----------------------------------------------------------------------------------------------


class FrameReader:
    """Finds the frames in the pieces of a stream."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self.offset = 0
        """Bytes of the stream that belong to frames which were given."""

    def feed(self, data: bytes, *, most: int = sys.maxsize) -> Iterator[FileFrame]:
        """The frames that are complete now. Take them all.

        Args:
            most: give at most so many; the others come with the next bytes, which may be none.

        Raises:
            TransferError: ``protocol``.
        """
        if self._kept:
            self._kept += data
            data = bytes(self._kept)
            self._kept.clear()
        view, position = memoryview(data), 0
        while most > 0 and len(view) - position >= _HEAD.size:
            number, length = _HEAD.unpack_from(view, position)
            if length > limits.FILE_FRAME_BYTES:
                raise not_a_frame(f"a frame of {length} bytes.")
            end = position + _HEAD.size + length
            if end > len(view):
                break
            frame = decode(number, view[position + _HEAD.size : end])
            self.offset += end - position
            position = end
            most -= 1
            yield frame
        self._kept += view[position:]


def decode(number: int, body: memoryview) -> FileFrame:
    """The frame of this type with this body. Raises TransferError ``protocol``."""
    if number == 0x11:  # first, for most bytes are of this type
        if not body:
            raise not_a_frame("a frame without content.")
        return Data(body)
    kind = _FRAMES.get(number)
    try:
        frame = None if kind is None else _frame(kind, bytes(body))
    except (struct.error, UnicodeDecodeError, ValueError, IndexError, RemoteError) as error:
        raise not_a_frame(f"a frame of type 0x{number:02x} is malformed.") from error
    if frame is None:
        raise not_a_frame(f"no frame has the type 0x{number:02x}.")
    return frame


def _frame(kind: type, body: bytes) -> FileFrame:
    if kind in (Ask, Offer, Accept):
        frame: FileFrame = kind(parse_object(body))
        return frame
    if kind in (Go, Finish, Complete):
        if body:
            raise ValueError
        empty: FileFrame = kind()
        return empty
    if kind in (Manifest, Times):
        entry: FileFrame = kind(_entry(body))
        return entry
    if kind in (Listed, Again):
        counted: FileFrame = kind(*_U32.unpack(body))
        return counted
    if kind in (Broken, Over, Omitted):
        reason: FileFrame = kind(*_code_and_text(body))
        return reason
    if kind is Verdicts:
        found = tuple((i, Verdict(v), at) for i, v, at in _VERDICT.iter_unpack(body))
        return Verdicts(_some(found))
    if kind is Stored:
        return Stored(_some(tuple(index for (index,) in _U32.iter_unpack(body))))
    if kind is Hole:
        (length,) = _U64.unpack(body)
        return Hole(_within(length, 1, limits.FILE_HOLE_BYTES))
    if kind is End:
        return End(_digest(body))
    (index,) = _U32.unpack_from(body)
    if kind is Sum:
        return Sum(index, _digest(body[_U32.size :]))
    if kind is FileStart:
        index, position = _FILE.unpack_from(body)
        started = _entry(body[_FILE.size :])
        if started.kind is not EntryKind.FILE:
            raise ValueError
        return FileStart(index, _within(position, 0, started.size), started)
    if kind is Named:
        return Named(index, check_path((body[_U32.size :].decode(),))[0])
    return Failed(index, *_code_and_text(body[_U32.size :]))


def _entry(body: bytes) -> Entry:
    kind, mode, size, mtime_ns = _ENTRY.unpack_from(body)
    path, position = _text(body, _ENTRY.size)
    target, position = _text(body, position)
    if position != len(body) or mode > 0o777:
        raise ValueError
    if (size and kind != EntryKind.FILE) or bool(target) != (kind == EntryKind.LINK):
        raise ValueError
    return Entry(
        EntryKind(kind),
        mode,
        _within(size, 0, limits.SAFE_INTEGER),
        mtime_ns,
        check_path(tuple(path.split("/"))),
        check_target(tuple(target.split("/"))) if target else (),
    )


def _text(body: bytes, position: int) -> tuple[str, int]:
    (length,) = _U16.unpack_from(body, position)
    begin = position + _U16.size
    if length > limits.FILE_PATH_BYTES or begin + length > len(body):
        raise ValueError
    return body[begin : begin + length].decode(), begin + length


def _code_and_text(body: bytes) -> tuple[str, str]:
    end = 1 + body[0]
    code, text = body[1:end].decode(), body[end:]
    if not _CODE.fullmatch(code) or len(text) > _TEXT_BYTES:
        raise ValueError
    return code, text.decode()


def _digest(body: bytes) -> bytes:
    if len(body) != HASH_BYTES:
        raise ValueError
    return body


def _some(found: tuple[Any, ...]) -> tuple[Any, ...]:
    if not found:
        raise ValueError
    return found


def _within(value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise ValueError
    return value
