"""Frames about lanes and on lanes: what is written is read, and nothing else."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.core import limits
from p4.core.session.frames import decode, encode
from p4.core.session.lane_addresses import dialable, offerable
from p4.core.session.lane_frames import (
    LaneAddress,
    LaneAnswer,
    LaneAsk,
    LaneEnd,
    LaneEndReason,
    LaneFrame,
    LaneInvitation,
    LaneListen,
    LaneOffer,
    Received,
    decode_on_lane,
    encode_received,
)
from p4.core.session.stream_frames import Data, encode_data
from p4.errors import FrameError

lanes = st.integers(0, 2**32 - 1)
sdps = st.text(st.characters(min_codepoint=1, max_codepoint=127), min_size=1, max_size=300)
addresses = st.builds(LaneAddress, st.ip_addresses(), st.integers(1, 65535))
invitations = st.builds(
    LaneInvitation,
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=32, max_size=32),
    st.lists(addresses, min_size=1, max_size=limits.LANE_ADDRESSES).map(tuple),
)
frames = st.one_of(
    st.builds(LaneOffer, lanes, sdps),
    st.builds(LaneAnswer, lanes, sdps),
    st.builds(LaneListen, lanes, invitations),
    st.builds(LaneAsk, lanes),
    st.builds(LaneEnd, lanes, st.sampled_from(LaneEndReason)),
)


@given(frames)
def test_what_is_written_is_read(frame: LaneFrame) -> None:
    assert decode(encode(frame)) == frame


@given(frames, st.data())
def test_what_is_cut_off_or_goes_on_is_refused_or_another_description(
    frame: LaneFrame, data: st.DataObject
) -> None:
    whole = encode(frame)
    cut = whole[: data.draw(st.integers(1, len(whole) - 1))]
    for changed in (cut, whole + b"x"):
        if isinstance(frame, LaneOffer | LaneAnswer) and len(changed) > 5:
            assert decode(changed) != frame
        else:
            with pytest.raises(FrameError):
                decode(changed)


@given(st.integers(0x50, 0x55), st.binary(max_size=120))
def test_anything_is_a_frame_or_refused(kind: int, rest: bytes) -> None:
    try:
        frame = decode(bytes((kind,)) + rest)
    except FrameError:
        return
    assert frame is not None
    assert encode(frame) == bytes((kind,)) + rest


@given(st.binary(max_size=60))
def test_anything_on_a_lane_is_data_a_count_or_refused(message: bytes) -> None:
    try:
        frame = decode_on_lane(memoryview(message), 30)
    except FrameError:
        return
    if isinstance(frame, Received):
        assert encode_received(frame.count) == message
    else:
        assert encode_data(frame.id, frame.offset, [frame.data]) == message
        assert len(frame.data) <= 30


def test_data_on_a_lane_may_be_as_long_as_its_kind_allows() -> None:
    frame = encode_data(1, 2, [bytes(100)])
    assert decode_on_lane(frame, 100) == Data(1, 2, bytes(100))
    with pytest.raises(FrameError) as caught:
        decode_on_lane(frame, 99)
    assert caught.value.code == "bad-length"


@pytest.mark.parametrize(
    "message", ["", "01", "3000000000000000000066", "5000000000", "5400000000 00", "55", "55" + "00" * 9]
)
def test_nothing_else_travels_on_a_lane(message: str) -> None:
    with pytest.raises(FrameError):
        decode_on_lane(bytes.fromhex(message), 1000)


def test_a_count_is_no_frame_of_the_link() -> None:
    with pytest.raises(FrameError) as caught:
        decode(encode_received(1))
    assert caught.value.code == "out-of-turn"


@pytest.mark.parametrize(
    ("ip", "others", "local"),
    [
        ("192.168.1.2", True, True),
        ("10.0.0.1", True, True),
        ("fd00::1", True, True),
        ("8.8.8.8", True, False),
        ("2a00:1450::1", True, False),
        ("127.0.0.1", False, False),
        ("::1", False, False),
        ("0.0.0.0", False, False),  # noqa: S104 - nobody binds to it
        ("::", False, False),
        ("224.0.0.1", False, False),
        ("ff02::1", False, False),
        ("169.254.1.1", False, False),
        ("fe80::1", False, False),
        ("::ffff:192.168.1.2", False, False),
        ("255.255.255.255", False, False),
    ],
)
def test_which_addresses_are_used(ip: str, others: bool, local: bool) -> None:
    own = ipaddress.ip_address(ip)
    for local_only, expected in ((False, others), (True, local)):
        assert bool(offerable([own], loopback=False, local_only=local_only)) is expected
        at = [LaneAddress(own, 4000), LaneAddress(own, 22)]
        assert dialable(at, loopback=False, local_only=local_only) == (at[:1] if expected else [])


def test_loopback_is_used_where_there_is_nothing_else() -> None:
    own = ipaddress.ip_address("127.0.0.1")
    assert offerable([own], loopback=True) == [own]
