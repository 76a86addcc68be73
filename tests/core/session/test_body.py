from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.core import limits
from p4.core.canonical import MAX_DEPTH
from p4.core.session.body import decode_body, encode_body
from p4.core.session.session_frames import Kind
from p4.errors import FrameError, InputError

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=40,
)


def nested(depth: int, innermost: object = None) -> object:
    value = innermost
    for level in range(depth):
        value = [value] if level % 2 else {"k": value}
    return value


@given(JSON)
def test_values_survive(value: object) -> None:
    kind, body = encode_body(value)
    assert kind is Kind.JSON
    assert decode_body(kind, body) == value


@given(st.binary(max_size=50))
def test_bytes_are_sent_as_they_are(data: bytes) -> None:
    assert encode_body(data) == (Kind.BYTES, data)
    assert encode_body(memoryview(data)) == encode_body(bytearray(data)) == (Kind.BYTES, data)
    assert decode_body(Kind.BYTES, data) == data


def test_the_text_is_compact_utf8() -> None:
    assert encode_body({"ä": [1, 2.5, True, None]}) == (Kind.JSON, '{"ä":[1,2.5,true,null]}'.encode())


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        [math.inf],
        "\ud800",
        {"\ud800": 1},
        {1: "a key that would become a string"},
        [{"a": {None: 1}}],
        object(),
        {"a": b"bytes inside"},
        nested(MAX_DEPTH + 1),
        nested(MAX_DEPTH, []),
        nested(5000),
        10**5000,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(InputError) as caught:
        encode_body(value)
    assert caught.value.code == "not-json"


def test_a_circle_is_refused() -> None:
    circle: list[Any] = []
    circle += [circle, circle]
    with pytest.raises(InputError) as caught:
        encode_body(circle)
    assert caught.value.code == "not-json"


def test_size_and_depth_have_limits() -> None:
    assert len(encode_body(bytes(limits.BODY_BYTES))[1]) == limits.BODY_BYTES
    assert len(encode_body("é" * (limits.BODY_BYTES // 2 - 1))[1]) == limits.BODY_BYTES
    for value in (bytes(limits.BODY_BYTES + 1), "é" * (limits.BODY_BYTES // 2), [0] * limits.BODY_BYTES):
        with pytest.raises(InputError) as caught:
            encode_body(value)
        assert caught.value.code == "too-large"
    for innermost in (None, "é", 1):
        deep = nested(MAX_DEPTH, innermost)
        assert decode_body(*encode_body(deep)) == deep


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"1 2",
        b"\xff",
        b"\xef\xbb\xbf1",
        "1".encode("utf-16"),
        b"NaN",
        b"-Infinity",
        b"1e999",
        b'{"a":1,"a":2}',
        b'"\\ud800"',
        b'{"\\udc00":1}',
        b'["\\ude00\\ud83d"]',
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
        b"[" * limits.BODY_BYTES,
        b"9" * 5000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_not_strict_json_is_refused(body: bytes) -> None:
    with pytest.raises(FrameError) as caught:
        decode_body(Kind.JSON, body)
    assert caught.value.code == "bad-body"


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b' [1, "\\ud83d\\ude00"]\n', [1, "😀"]),
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, nested(0)),
        (b"[" + b"[]," * 100 + b"[]]", [[]] * 101),
        (b'"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["', "[" * 38),
        (b"1704067200000000000", 1_704_067_200_000_000_000),
    ],
    ids=["pair", "deepest", "broad", "brackets in a text", "nanoseconds"],
)
def test_what_looks_odd_and_is_fine(body: bytes, value: object) -> None:
    decoded = decode_body(Kind.JSON, body)
    if value is not None:
        assert decoded == value
