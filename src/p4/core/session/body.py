"""Bodies of messages, calls and replies: bytes, or strict JSON (spec/session.md).

Made for small values that come by the thousand: what is short enough to be shallow is not searched for depth.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

from p4.core import limits
from p4.core.canonical import MAX_DEPTH
from p4.core.session.session_frames import Kind
from p4.errors import FrameError, InputError

__all__ = ["decode_body", "encode_body"]


def encode_body(value: object) -> tuple[Kind, bytes]:
    """A value as a body.

    Args:
        value: bytes (or another buffer), sent as they are; or a JSON value: None, bool, int, float, str, and
            lists, tuples and dicts with string keys of them.

    Raises:
        InputError: ``not-json`` (another type, not finite, half of a surrogate pair, deeper than
            ``canonical.MAX_DEPTH``) or ``too-large`` (over ``limits.BODY_BYTES``).
    """
    if isinstance(value, bytes | bytearray | memoryview):
        kind, body = Kind.BYTES, bytes(value)
    else:
        kind, body = Kind.JSON, _json(value)
    if len(body) > limits.BODY_BYTES:
        raise InputError(
            f"The value has {len(body)} bytes; at most {limits.BODY_BYTES} go at once. Use a stream.",
            code="too-large",
        )
    return kind, body


def decode_body(kind: int, data: bytes) -> object:
    """The value of a body.

    Args:
        kind: a `Kind`.
        data: the body, bounded in size by the frame that carried it.

    Raises:
        FrameError: ``bad-body``: not the strict JSON that it claims to be.
    """
    if kind == Kind.BYTES:
        return data
    try:
        value: object = _DECODER.decode(data.decode())
    except (ValueError, RecursionError) as error:
        # UnicodeDecodeError and JSONDecodeError among them, and int(), which refuses thousands of digits.
        raise FrameError("A body is not JSON.", code="bad-body") from error
    deep = data.count(b"[") + data.count(b"{") > MAX_DEPTH
    if (deep or b"\\u" in data) and not _is_json(value):
        raise FrameError(
            f"A body has half of a surrogate pair, or is deeper than {MAX_DEPTH} levels.", code="bad-body"
        )
    return value


def _json(value: object) -> bytes:
    try:
        body = _ENCODER.encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        # UnicodeEncodeError among them: half of a surrogate pair.
        raise InputError(f"This value cannot be sent as JSON: {error}.", code="not-json") from error
    # The encoder would make strings of other keys. It refused circles, so the search ends.
    if isinstance(value, dict | list | tuple) and len(body) <= limits.BODY_BYTES and not _is_json(value):
        raise InputError(
            "This value cannot be sent as JSON: a key of it is not a string, or it is deeper than "
            f"{MAX_DEPTH} levels.",
            code="not-json",
        )
    return body


def _is_json(value: object) -> bool:
    """Whether strings, keys and depth are as they must be, of a value that a JSON library took."""
    level: list[object] = [value]
    depth = 0
    while level:
        inner: list[object] = []
        for item in level:
            if isinstance(item, str):
                if not _is_text(item):
                    return False
            elif isinstance(item, dict | list | tuple):
                if depth == MAX_DEPTH or not (isinstance(item, list | tuple) or _are_keys(item)):
                    return False
                inner.extend(item.values() if isinstance(item, dict) else item)
        level = inner
        depth += 1
    return True


def _are_keys(keys: Iterable[object]) -> bool:
    return all(isinstance(key, str) and _is_text(key) for key in keys)


def _is_text(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        # Readers differ in which of the two they take.
        raise ValueError("an object has the same key twice")
    return value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(object_pairs_hook=_unique_keys, parse_float=_finite, parse_constant=_finite)
