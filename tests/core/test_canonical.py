"""The strict reader and canonical writer; single cases are vectors (vectors/canonical)."""

from __future__ import annotations

import pytest

from p4.core.canonical import MAX_DEPTH, canonical_bytes, parse_object, parse_value
from p4.errors import EnvelopeError, FrameError, InputError, InviteError, RemoteError


def test_errors_are_of_the_class_that_the_caller_names() -> None:
    for error in (EnvelopeError, FrameError, InviteError):
        with pytest.raises(error) as caught:
            parse_object(b"[", error)
        assert caught.value.code == "not-json"


def test_any_value_can_be_outermost_if_the_caller_wants_it() -> None:
    assert parse_value(b" [1] ", RemoteError) == [1]
    assert parse_value(b'"x"', RemoteError) == "x"


def test_depth_counts_arrays_and_objects_alike() -> None:
    def nested(depth: int) -> bytes:
        return b'{"a":[' * (depth // 2) + b"]}" * (depth // 2)

    assert parse_object(nested(MAX_DEPTH))
    with pytest.raises(RemoteError) as caught:
        parse_object(nested(MAX_DEPTH + 2))
    assert caught.value.code == "too-deep"


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_hostile_depth_is_an_ordinary_refusal(opening: bytes) -> None:
    with pytest.raises(RemoteError) as caught:
        parse_object(opening * (65_536 // len(opening)))
    assert caught.value.code == "too-deep"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"a": "\ud800"}, "bad-string"),
        ({"\udfff": 1}, "bad-string"),
        ({1: 2}, "not-json"),
        ({"a": b"bytes"}, "not-json"),
        ({"a": {1, 2}}, "not-json"),
        ({"a": 2**53}, "bad-number"),
        ({"a": float("nan")}, "bad-number"),
        ({"a": float("inf")}, "bad-number"),
    ],
)
def test_what_has_no_canonical_form_is_refused_before_it_is_signed(value: object, code: str) -> None:
    with pytest.raises(InputError) as caught:
        canonical_bytes(value)
    assert caught.value.code == code


def test_a_cycle_is_refused() -> None:
    cycle: list[object] = []
    cycle.append(cycle)
    with pytest.raises(InputError) as caught:
        canonical_bytes(cycle)
    assert caught.value.code == "too-deep"


def test_true_is_not_one() -> None:
    assert canonical_bytes([True, 1, False, 0]) == b"[true,1,false,0]"
