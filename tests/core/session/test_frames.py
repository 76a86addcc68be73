"""The codec of frames. Each reason to refuse one is a vector (vectors/frame); here are the laws of all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.core import limits
from p4.core.session.frames import (
    Assembly,
    Bind,
    Bundle,
    Bye,
    ByeReason,
    Frame,
    Last,
    Part,
    Ping,
    Pong,
    bundle,
    decode,
    encode,
    in_parts,
)
from p4.core.session.session_frames import (
    Ack,
    Call,
    CallStatus,
    Cancel,
    Consumed,
    Datagram,
    Grants,
    Kind,
    Message,
    Refused,
    RefusedReason,
    Replied,
    Reply,
    Resume,
    Void,
)
from p4.core.session.stream_frames import Credit, Data, Done, Gone, Open, Reset, ResetReason, Written
from p4.errors import FrameError

VECTORS = Path(__file__).resolve().parents[3] / "vectors" / "frame"

IDS = st.integers(0, 2**64 - 1)
NUMBERS = st.integers(1, 2**53 - 1)
OFFSETS = st.integers(0, 2**53 - 1)
EPOCHS = st.binary(min_size=16, max_size=16)
SERVICES = st.from_regex(r"\A[a-z0-9_-]{1,9}(\.[a-z0-9_-]{1,9}){0,4}\Z")
TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)
BODIES = st.binary(max_size=100)
KINDS = st.sampled_from(Kind)
PAIRS = st.tuples(NUMBERS, NUMBERS).map(sorted)

SESSION_FRAMES: st.SearchStrategy[Frame] = st.one_of(
    st.builds(Resume, EPOCHS, st.integers(1, 2**53), EPOCHS, st.integers(1, 2**53)),
    st.builds(Message, NUMBERS, KINDS, OFFSETS, OFFSETS, SERVICES, TEXTS, BODIES),
    st.builds(Ack, OFFSETS),
    PAIRS.map(lambda pair: Void(*pair)),
    st.builds(Consumed, OFFSETS, SERVICES | st.just("")),
    st.builds(Grants, st.lists(SERVICES | st.just("*"), max_size=5).map(tuple)),
    st.builds(Refused, NUMBERS, st.sampled_from(RefusedReason)),
    st.builds(Call, IDS, st.integers(1, limits.CALL_PATIENCE_MS), KINDS, SERVICES, BODIES),
    st.builds(Reply, IDS, st.sampled_from([CallStatus.OK, CallStatus.FAILED]), KINDS, BODIES),
    st.builds(Reply, IDS, st.sampled_from(CallStatus), KINDS, st.just(b"")),
    st.builds(Cancel, IDS),
    st.builds(Replied, IDS),
    st.builds(Datagram, SERVICES, BODIES),
)
STREAM_FRAMES: st.SearchStrategy[Frame] = st.one_of(
    st.builds(Open, IDS, SERVICES, TEXTS),
    st.builds(Written, IDS, OFFSETS, st.booleans()),
    st.tuples(IDS, PAIRS).map(lambda given: Credit(given[0], *given[1])),
    st.builds(Data, IDS, st.integers(0, 2**52), st.binary(min_size=1, max_size=100)),
    st.builds(Reset, IDS, st.sampled_from(ResetReason), TEXTS),
    st.builds(Done, IDS),
    st.builds(Gone, IDS),
)
PLAIN_FRAMES: st.SearchStrategy[Frame] = st.one_of(
    st.builds(Ping, st.integers(0, 2**32 - 1)),
    st.builds(Pong, st.integers(0, 2**32 - 1)),
    st.builds(Bye, st.sampled_from(ByeReason)),
    SESSION_FRAMES,
    STREAM_FRAMES,
)
FRAMES: st.SearchStrategy[Frame] = st.one_of(
    PLAIN_FRAMES,
    st.builds(Bind, st.binary(min_size=64, max_size=64)),
    st.builds(Part, st.binary(min_size=1, max_size=50)),
    st.builds(Last, st.binary(min_size=1, max_size=50)),
    st.lists(PLAIN_FRAMES.map(encode), min_size=1, max_size=4).map(lambda frames: Bundle(tuple(frames))),
)


@given(FRAMES)
def test_what_is_encoded_is_decoded(frame: Frame) -> None:
    again = decode(encode(frame))
    assert type(again) is type(frame)
    assert again == frame


@given(FRAMES)
def test_a_frame_has_one_encoding(frame: Frame) -> None:
    data = encode(frame)
    assert encode(decode(data) or frame) == data


@given(FRAMES, st.data())
def test_no_beginning_of_a_frame_is_another_error(frame: Frame, data: st.DataObject) -> None:
    whole = encode(frame)
    begin = whole[: data.draw(st.integers(0, len(whole)))]
    try:
        read = decode(begin)
    except FrameError:
        return
    assert read is None or encode(read) == begin


@given(st.binary(max_size=80))
def test_any_bytes_are_a_frame_ignorable_or_an_error(data: bytes) -> None:
    try:
        frame = decode(data)
    except FrameError:
        return
    assert frame is None or encode(frame) == data


def test_every_type_has_a_vector_that_is_read_and_one_that_is_refused() -> None:
    read: set[int] = set()
    refused: set[int] = set()
    for path in VECTORS.glob("*.json"):
        vector = json.loads(path.read_text("utf-8"))
        if vector["operation"] == "decode" and vector["input"]["bytes"]["hex"]:
            number = int(vector["input"]["bytes"]["hex"][:2], 16)
            (read if vector["expect"]["code"] == "ok" else refused).add(number)
    types = {*range(0x01, 0x0E), *range(0x10, 0x19), *range(0x20, 0x25), *range(0x30, 0x37)}
    types |= set(range(0x50, 0x55))
    assert types == {number for number in read if number < 0x80}
    assert types <= refused


# --- bundles and parts ----------------------------------------------------------------------------------


@given(st.lists(PLAIN_FRAMES, min_size=1, max_size=5))
def test_a_bundle_is_its_frames(frames: list[Frame]) -> None:
    read = decode(bundle([encode(frame) for frame in frames]))
    assert isinstance(read, Bundle)
    assert [decode(data) for data in read.frames] == frames


def assembled(messages: list[bytes]) -> list[Frame | None]:
    assembly = Assembly()
    read: list[Frame | None] = []
    for data in messages:
        frame = decode(data)
        assert isinstance(frame, Part | Last)
        read.append(assembly.add(frame))
    return read


def test_a_short_frame_is_its_own_message() -> None:
    frame = encode(Message(1, Kind.BYTES, 0, 0, "s", "", bytes(limits.PART_BYTES - 29)))
    assert len(frame) == limits.PART_BYTES
    assert in_parts(frame) == [frame]


@pytest.mark.parametrize("size", [limits.PART_BYTES, 3 * limits.PART_BYTES, limits.BODY_BYTES])
def test_a_long_frame_survives_its_parts(size: int) -> None:
    frames: list[Frame] = [
        Message(1, Kind.BYTES, 2, 3, "s" * limits.SERVICE_BYTES, "k" * limits.KEY_BYTES, b"x" * size),
        Call(1, 1000, Kind.BYTES, "s", b"x" * size),
        Reply(1, CallStatus.OK, Kind.BYTES, b"x" * size),
    ]
    for frame in frames:
        messages = in_parts(encode(frame))
        assert len(messages) > 1
        assert max(map(len, messages)) <= limits.PART_BYTES + 1
        assert assembled(messages) == [None] * (len(messages) - 1) + [frame]


def test_an_assembly_serves_one_frame_after_the_other() -> None:
    frames = [Message(number, Kind.BYTES, 0, 0, "s", "", b"x" * 40_000) for number in (1, 2)]
    read = assembled([message for frame in frames for message in in_parts(encode(frame))])
    assert [frame for frame in read if frame] == frames


def test_parts_that_never_end_fill_no_memory() -> None:
    assembly = Assembly()
    most = limits.LONG_FRAME_BYTES // limits.PART_BYTES
    for _ in range(most):
        assert assembly.add(Part(bytes(limits.PART_BYTES))) is None
    with pytest.raises(FrameError) as caught:
        assembly.add(Part(bytes(limits.PART_BYTES)))
    assert caught.value.code == "bad-length"
    assert sum(map(len, assembly._parts)) <= limits.LONG_FRAME_BYTES


# --- the caller's mistakes --------------------------------------------------------------------------------


def test_the_bytes_are_those_of_the_specification() -> None:
    assert encode(Ping(1)) == bytes.fromhex("0100000001")
    assert encode(Bind(b"s" * 64)).hex() == "04" + "73" * 64
    assert encode(Ack(258)) == bytes.fromhex("120000000000000102")
    assert encode(Resume(b"a" * 16, 1, bytes(16), 2)).hex() == (
        "10" + "61" * 16 + "0000000000000001" + "00" * 16 + "0000000000000002"
    )


@pytest.mark.parametrize(
    "frame",
    [
        Resume(b"short", 1, bytes(16), 1),
        Resume(bytes(16), 1, b"short", 1),
        Bind(b"short"),
        Ack(-1),
        Ack(2**64),
        Grants(("Chat",)),
        Grants(("s",) * (limits.GRANTS + 1)),
        Datagram("s" * 256, b""),
        Open(1, "s" * 256, ""),
        Written(1, 2**64, final=False),
    ],
    ids=repr,
)
def test_a_field_out_of_range_is_the_callers_mistake(frame: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the wording of some is struct's and changes with Python
        encode(frame)
