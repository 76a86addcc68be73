"""Frames of introductions: what is written is read, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.core import limits
from p4.core.allowance import Allowance
from p4.core.identity import PeerId
from p4.core.session.frames import decode, encode
from p4.core.session.introduction_frames import Cease, CeaseReason, Convey, Introduce, IntroductionFrame
from p4.errors import FrameError

streams = st.integers(0, 2**32 - 1)
peer_ids = st.binary(min_size=12, max_size=12).map(lambda data: PeerId(data.hex()))
frames = st.one_of(
    st.builds(Introduce, streams, peer_ids),
    st.builds(Convey, streams, st.binary(min_size=1, max_size=300)),
    st.builds(Cease, streams, st.sampled_from(CeaseReason)),
)


@given(frames)
def test_what_is_written_is_read(frame: IntroductionFrame) -> None:
    assert decode(encode(frame)) == frame


@given(st.integers(0x09, 0x0B), st.binary(max_size=60))
def test_anything_is_a_frame_or_refused(kind: int, rest: bytes) -> None:
    try:
        frame = decode(bytes((kind,)) + rest)
    except FrameError:
        return
    assert frame is not None
    assert encode(frame) == bytes((kind,)) + rest


@pytest.mark.parametrize(
    "frame",
    [
        Introduce(-1, PeerId("0" * 24)),
        Introduce(2**32, PeerId("0" * 24)),
        Introduce(0, PeerId("0" * 23)),
        Introduce(0, PeerId("0" * 23 + "G")),
        Convey(0, b""),
        Convey(0, bytes(limits.CONVEYED_LINE_BYTES + 1)),
        Cease(2**32, CeaseReason.OVER),
    ],
)
def test_what_nobody_may_send_is_not_written(frame: IntroductionFrame) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode(frame)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 12)), max_size=50))
def test_an_allowance_gives_no_more_than_its_burst_and_its_rate(steps: list[tuple[float, float]]) -> None:
    allowance = Allowance(10, 2, 100.0)
    now, taken = 100.0, 0.0
    for pause, amount in steps:
        now += pause
        if allowance.take(amount, now):
            taken += amount
        assert taken <= 10 + 2 * (now - 100.0) + 1e-6


def test_an_allowance_comes_back_and_not_beyond_its_burst() -> None:
    allowance = Allowance(10, 2, 0.0)
    assert allowance.take(10, 0.0)
    assert not allowance.take(1, 0.4)
    assert allowance.take(1, 0.5)
    assert not allowance.take(10.1, 1000.0)
    assert allowance.take(10, 1000.0)
