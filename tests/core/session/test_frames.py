from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.core import limits
from p4.core.session.frames import (
    Ack,
    Bind,
    Bye,
    ByeReason,
    Frame,
    Ping,
    Pong,
    Resume,
    Text,
    decode,
    encode,
)
from p4.errors import FrameError

NUMBERS = st.integers(0, 2**64 - 1)
EPOCHS = st.binary(min_size=16, max_size=16)
FRAMES: st.SearchStrategy[Frame] = st.one_of(
    st.builds(Ping, st.integers(0, 2**32 - 1)),
    st.builds(Pong, st.integers(0, 2**32 - 1)),
    st.builds(Bye, st.sampled_from(ByeReason)),
    st.builds(Bind, st.binary(min_size=64, max_size=64)),
    st.builds(Resume, EPOCHS, NUMBERS, EPOCHS, NUMBERS),
    st.builds(Text, st.integers(1, 2**53 - 1), st.text(st.characters(codec="utf-8"), max_size=200)),
    st.builds(Ack, NUMBERS),
)


@given(FRAMES)
def test_what_is_encoded_is_decoded(frame: Frame) -> None:
    assert decode(encode(frame)) == frame


@given(FRAMES)
def test_a_frame_has_one_encoding(frame: Frame) -> None:
    data = encode(frame)
    assert encode(decode(data) or frame) == data


@given(st.binary(max_size=80))
def test_any_bytes_are_a_frame_ignorable_or_an_error(data: bytes) -> None:
    try:
        frame = decode(data)
    except FrameError:
        return
    assert frame is None or encode(frame) == data


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"\x01\x00\x00\x00", "bad-length"),
        (b"\x01\x00\x00\x00\x00\x00", "bad-length"),
        (b"\x03\x09", "bad-reason"),
        (b"\x04" + bytes(63), "bad-length"),
        (b"\x04" + bytes(65), "bad-length"),
        (b"\x10" + bytes(47), "bad-length"),
        (b"\x11" + bytes(7), "bad-length"),
        (b"\x11" + bytes(8) + b"x", "bad-number"),
        (b"\x11" + (2**53).to_bytes(8, "big") + b"x", "bad-number"),
        (b"\x11" + bytes(7) + b"\1\xff", "bad-text"),
        (b"\x11" + bytes(8) + b"x" * (limits.TEXT_BYTES + 1), "bad-length"),
        (b"\x7f", "unknown-type"),
    ],
)
def test_each_broken_frame_has_its_code(data: bytes, code: str) -> None:
    with pytest.raises(FrameError) as caught:
        decode(data)
    assert caught.value.code == code


def test_frames_of_the_future_are_ignored() -> None:
    assert decode(b"\x80whatever") is None


def test_the_bytes_are_those_of_the_specification() -> None:
    assert encode(Ping(1)) == bytes.fromhex("0100000001")
    assert encode(Bind(b"s" * 64)).hex() == "04" + "73" * 64
    assert encode(Text(258, "é")) == bytes.fromhex("110000000000000102c3a9")
    assert encode(Resume(b"a" * 16, 1, bytes(16), 2)).hex() == (
        "10" + "61" * 16 + "0000000000000001" + "00" * 16 + "0000000000000002"
    )


def test_a_field_out_of_range_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        encode(Resume(b"short", 1, bytes(16), 1))
    with pytest.raises(ValueError, match="64 bytes"):
        encode(Bind(b"short"))
    with pytest.raises(ValueError):  # noqa: PT011 - the wording is struct's and changes with Python
        encode(Ack(-1))
