"""Signaling on a link: bounded, and over with the link."""

from __future__ import annotations

import asyncio

import pytest

from p4.errors import FrameError, LinkError, RendezvousError
from p4.node.in_band import _WAITING_LINES, InBandStream
from p4.testing import run


def stream(sent: list[bytes] | None = None) -> InBandStream:
    return InBandStream((sent if sent is not None else []).append, "test")


def test_lines_come_in_order_and_wait_to_be_read() -> None:
    async def scenario() -> None:
        sent: list[bytes] = []
        one = stream(sent)
        reading = asyncio.ensure_future(one.receive_line())
        await asyncio.sleep(0)
        for line in (b"a", b"b"):
            one.arrived(line)
        assert [await reading, await one.receive_line()] == [b"a", b"b"]
        await one.send_line(b"c")
        assert sent == [b"c"]

    run(scenario())


def test_a_far_end_that_never_waits_is_stopped() -> None:
    one = stream()
    for _ in range(_WAITING_LINES):
        one.arrived(b"x")
    with pytest.raises(FrameError) as caught:
        one.arrived(b"x")
    assert caught.value.code == "early"


def test_what_arrived_before_the_end_is_read_before_it() -> None:
    async def scenario() -> None:
        one = stream()
        one.arrived(b"a")
        one.end()
        one.arrived(b"too late")
        assert await one.receive_line() == b"a"
        assert await one.receive_line() is None
        with pytest.raises(RendezvousError):
            await one.send_line(b"x")

    run(scenario())


def test_whoever_waits_learns_of_the_end() -> None:
    async def scenario() -> None:
        one = stream()
        reading = asyncio.ensure_future(one.receive_line())
        await asyncio.sleep(0)
        one.close()
        assert await reading is None

    run(scenario())


@pytest.mark.parametrize("error", [LinkError("gone", code="not-open"), ValueError("too long")])
def test_a_link_that_takes_nothing_is_a_broken_stream(error: Exception) -> None:
    def refuse(line: bytes) -> None:
        raise error

    async def scenario() -> None:
        with pytest.raises(RendezvousError) as caught:
            await InBandStream(refuse, "test").send_line(b"x")
        assert caught.value.code == "stream-broken"

    run(scenario())
