"""How frames share the messages of a channel: together if small, in parts if long, always in order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.core import limits
from p4.core.session.frames import Assembly, Bundle, Frame, Last, Part, Ping, decode, encode
from p4.core.session.session_frames import Ack, Kind, Message
from p4.node.frame_writer import packed


def message(number: int, size: int) -> Message:
    return Message(number, Kind.BYTES, 0, 0, "chat", "", bytes(size))


def unpacked(messages: Sequence[bytes]) -> list[Frame]:
    """What a receiver makes of them, in order."""
    assembly, found = Assembly(), list[Frame]()
    for data in messages:
        assert len(data) <= limits.LINK_MESSAGE_BYTES
        frame = decode(data)
        inner = [decode(one) for one in frame.frames] if isinstance(frame, Bundle) else [frame]
        for one in inner:
            assert one is not None
            if isinstance(one, Part | Last):
                if (whole := assembly.add(one)) is not None:
                    found.append(whole)
            else:
                found.append(one)
    return found


SIZES = st.one_of(
    st.integers(0, 200),
    st.integers(limits.BUNDLE_BYTES - 60, limits.BUNDLE_BYTES + 10),
    st.integers(limits.PART_BYTES - 60, 3 * limits.PART_BYTES),
)
FRAMES = st.one_of(
    st.builds(message, st.integers(1, 2**53 - 1), SIZES),
    st.builds(Ack, st.integers(1, 2**53 - 1)),
    st.builds(Ping, st.integers(0, 2**32 - 1)),
)


@given(st.lists(FRAMES, max_size=40))
def test_a_receiver_gets_what_was_packed_in_its_order(frames: list[Frame]) -> None:
    assert unpacked(packed(frames)) == frames


@given(st.lists(FRAMES, max_size=40))
def test_no_message_is_larger_than_it_should_be(frames: list[Frame]) -> None:
    for data in packed(frames):
        assert len(data) <= max(limits.BUNDLE_BYTES, limits.PART_BYTES + 1)


def test_small_frames_fill_messages() -> None:
    frames = [message(number, 100) for number in range(1, 1001)]
    size = sum(len(encode(frame)) + 2 for frame in frames)
    messages = packed(frames)
    assert len(messages) <= size // (limits.BUNDLE_BYTES - 200) + 1
    assert isinstance(decode(messages[0]), Bundle)


def test_one_frame_is_not_wrapped() -> None:
    assert packed([Ping(1)]) == [encode(Ping(1))]
    assert packed([]) == []


@pytest.mark.parametrize("size", [limits.PART_BYTES * 2, limits.BODY_BYTES])
def test_a_long_frame_goes_in_parts_between_those_before_and_after_it(size: int) -> None:
    frames: list[Frame] = [Ping(1), message(1, size), Ping(2), Ping(3)]
    kinds = [type(decode(data)) for data in packed(frames)]
    count = -(-len(encode(frames[1])) // limits.PART_BYTES)
    assert kinds == [Ping, *[Part] * (count - 1), Last, Bundle]
