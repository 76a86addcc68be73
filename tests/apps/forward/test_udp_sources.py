"""Which sources of UDP packets are remembered, and for how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.apps.forward.sources import Sources, pack, unpack
from p4.core import limits
from p4.errors import FrameError


@given(st.integers(0, 2**32 - 1), st.binary(max_size=1096))
def test_a_packet_and_its_source_travel_in_one_datagram(source: int, packet: bytes) -> None:
    datagram = pack(source, packet)
    assert len(datagram) <= limits.DATAGRAM_BYTES
    assert unpack(datagram) == (source, packet)


def test_the_layout_is_that_of_the_specification() -> None:
    assert pack(0x01020304, b"x") == b"\x01\x02\x03\x04x"
    assert limits.TUNNEL_DATAGRAM_BYTES + limits.TUNNEL_HEADER_BYTES == limits.DATAGRAM_BYTES
    with pytest.raises(FrameError):
        unpack(b"\0\0\0")


def test_who_was_silent_for_longest_goes_first() -> None:
    sources: Sources[str, int] = Sources(most=3)
    for number, name in enumerate("abc"):
        assert sources.add(name, number, now=number) == []
    assert sources.touch("a", now=10) == 0
    assert sources.add("d", 3, now=11) == [1]
    assert sources.touch("b", now=12) is None
    assert len(sources) == 3


def test_silence_is_forgotten_after_its_time() -> None:
    sources: Sources[str, int] = Sources()
    sources.add("a", 1, now=0)
    sources.add("b", 2, now=1)
    sources.touch("a", now=50)
    end = limits.TUNNEL_SOURCE_SECONDS
    assert sources.expire(end) == []
    assert sources.expire(end + 1) == [2]
    assert sources.expire(end + 50) == [1]
    assert sources.clear() == []
