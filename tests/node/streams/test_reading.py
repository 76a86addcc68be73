"""Reading by line and record: nothing is lost to a cancelled wait, nor to a crash in the middle."""

from __future__ import annotations

import asyncio

import pytest

import p4
from p4.testing import SimulatedNetwork, simulate, start_node


async def pair(network: SimulatedNetwork) -> tuple[p4.Stream, p4.Stream]:
    """The two ends of a stream from the laptop to the phone."""
    laptop = await start_node(network, "laptop", "phone")
    phone = await start_node(network, "phone", "laptop")
    await phone.peer("laptop").grant("log")
    writing = await laptop.peer("phone").stream("log")
    return writing, await anext(phone.streams("log"))


def test_lines_come_one_by_one_however_they_were_written() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        writing, reading = await pair(network)
        for piece in (b"one\ntw", b"o\n\nthr", b"ee"):
            await writing.write(piece)
            await asyncio.sleep(1)
        lines = [await reading.readline() for _ in range(3)]
        assert (lines, reading.position) == ([b"one\n", b"two\n", b"\n"], 9)
        await writing.close_writing()
        assert await reading.readline() == b"three"
        assert await reading.readline() == b""

    simulate(scenario)


def test_a_line_that_is_too_long_comes_in_pieces() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        writing, reading = await pair(network)
        await writing.write(b"x" * 25 + b"\nend\n")
        await writing.close_writing()
        found = []
        while line := await reading.readline(limit=10):
            found.append(line)
        assert found == [b"x" * 10, b"x" * 10, b"x" * 5 + b"\n", b"end\n"]

    simulate(scenario)


def test_all_ways_to_read_go_on_where_the_last_one_stopped() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        writing, reading = await pair(network)
        await writing.write(b"head\nrecord, then the rest")
        await writing.close_writing()
        assert await reading.readline() == b"head\n"
        assert await reading.readexactly(6) == b"record"
        assert await reading.read(6) == b", then"
        assert reading.position == 17
        assert b"".join([piece async for piece in reading]) == b" the rest"
        assert reading.position == writing.written

    simulate(scenario)


@pytest.mark.parametrize("way", ["readline", "readexactly"])
def test_a_cancelled_wait_takes_nothing_away(way: str) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        writing, reading = await pair(network)
        await writing.write(b"half a ")

        def read() -> asyncio.Future[bytes]:
            return asyncio.ensure_future(reading.readline() if way == "readline" else reading.readexactly(12))

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(read(), timeout=5)
        assert reading.position == 0
        await writing.write(b"line\n")
        assert await read() == b"half a line\n"

    simulate(scenario)


@pytest.mark.parametrize("way", ["readline", "readexactly"])
def test_what_was_not_given_to_the_application_comes_again_after_a_crash(way: str) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        writing, reading = await pair(network)
        await writing.write(b"done\nhalf a ")
        assert await reading.readexactly(5) == b"done\n"
        waiting = network.host("phone").spawn(
            reading.readline() if way == "readline" else reading.readexactly(12)
        )
        await asyncio.sleep(1)
        await writing.write(b"li")
        await asyncio.sleep(5)  # what counts as consumed is on disk by now
        network.host("phone").crash()
        await asyncio.wait([waiting])

        again = await anext((await start_node(network, "phone")).streams("log"))
        assert again.position == 5
        await writing.write(b"ne\n")
        assert await again.readline() == b"half a line\n"

    simulate(scenario)


def test_the_part_of_a_record_that_there_was_is_in_the_error() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        writing, reading = await pair(network)
        await writing.write(b"half")
        await writing.close_writing()
        with pytest.raises(p4.StreamError) as caught:
            await reading.readexactly(5)
        assert (caught.value.code, caught.value.partial) == ("incomplete", b"half")
        assert (await reading.read(), reading.position) == (b"", 4)

    simulate(scenario)


def test_nothing_is_read_of_a_stream_that_was_reset_before() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        writing, reading = await pair(network)
        await writing.write(b"one\ntwo\n")
        assert await reading.readline() == b"one\n"
        await writing.reset()
        await asyncio.sleep(1)
        for read in (reading.readline(), reading.read(), reading.readexactly(1)):
            with pytest.raises(p4.StreamError, match="ended"):
                await read

    simulate(scenario)


def test_no_more_is_awaited_than_a_writer_may_be_ahead() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        _, reading = await pair(network)
        with pytest.raises(p4.InputError) as caught:
            await reading.readexactly(2**30)
        assert caught.value.code == "too-large"

    simulate(scenario)
