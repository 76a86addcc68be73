"""Bodies of messages, calls and replies (spec/session.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vectors.generate.common import Vector, raw, shown

BYTES, JSON = 0, 1


def vectors() -> Iterator[Vector]:
    yield _body("bytes", "any bytes", BYTES, b"\0\xff{", shown(b"\0\xff{"))
    yield _body("bytes_empty", "no bytes", BYTES, b"", shown(b""))
    for name, text, value in (
        ("null", b"null", None),
        ("number", b"-0.5e1", -5.0),
        ("large_integer", b"1704067200000000000", 1704067200000000000),
        ("text", '"é"'.encode(), "é"),
        ("pair", b'"\\ud83d\\ude00"', "😀"),
        ("object", b' {"a": [1, true]}\n', {"a": [1, True]}),
        ("brackets_in_text", b'"' + b"[" * 40 + b'"', "[" * 40),
        ("broad", b"[" + b"[]," * 39 + b"[]]", [[]] * 40),
        ("deepest", b"[" * 32 + b"]" * 32, _nested(32)),
    ):
        yield _body(f"json_{name}", "strict JSON", JSON, text, value)
    for name, comment, text in (
        ("empty", "no value", b""),
        ("cut", "cut off", b'{"a":1'),
        ("two", "two values", b"1 2"),
        ("not_utf8", "another encoding", '"é"'.encode("latin-1")),
        ("byte_order_mark", "RFC 8259 forbids it", b"\xef\xbb\xbf1"),
        ("nan", "no JSON number", b"NaN"),
        ("infinity", "no JSON number", b"-Infinity"),
        ("overflow", "no finite number", b"1e999"),
        ("duplicate_key", "two meanings", b'{"a":1,"\\u0061":2}'),
        ("lone_surrogate", "half of a pair", b'"\\ud83d"'),
        ("lone_surrogate_key", "half of a pair", b'{"\\ude00":1}'),
        ("surrogates_swapped", "two wrong halves", b'["\\ude00\\ud83d"]'),
        ("deep_arrays", "33 levels", b"[" * 33 + b"]" * 33),
        ("deep_objects", "33 levels", b'{"a":' * 33 + b"1" + b"}" * 33),
    ):
        given = {"kind": JSON, "bytes": raw(text)}
        yield Vector("frame", f"body_json_{name}", comment, "body", given, "body", "bad-body")


def _body(name: str, comment: str, kind: int, data: bytes, value: Any) -> Vector:
    given = {"kind": kind, "bytes": raw(data)}
    return Vector("frame", f"body_ok_{name}", comment, "body", given, "body", value=value)


def _nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value
