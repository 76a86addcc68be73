"""Streams that are kept in memory: they outlive links, and end with the process."""

from __future__ import annotations

import asyncio
import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.node.streams.harness import Pair, read_all

from p4.core import limits
from p4.errors import StreamError
from p4.node.streams import Sink as StreamSink
from p4.node.streams import Stream
from p4.node.streams.recent import Allowance
from p4.node.streams.volatile import VolatileSpool
from p4.testing.virtual_time import run


async def volatile(pair: Pair, *, left: bool = True, right: bool = True) -> tuple[Stream, Stream]:
    """A stream that the left device opened and the right one accepted; each keeps it in memory if told so."""
    pair.link()
    mine = await pair.left.hub.open("files", "a", durable=not left)
    return mine, await anext(pair.right.services.incoming("files", durable=not right))


def digests(*everything: bytes) -> list[str]:
    """What is compared instead of the bytes: of a difference between megabytes nobody wants a picture."""
    return [hashlib.sha256(one).hexdigest() for one in everything]


class Sink:
    """Takes what arrives while it is open."""

    def __init__(self) -> None:
        self.ready = True
        self.taken = b""

    def take(self, data: bytes) -> None:
        assert self.ready
        self.taken += data


def test_it_outlives_links_and_nothing_of_it_is_on_disk() -> None:
    async def scenario() -> None:
        pair = await Pair.start(jitter=0.01)
        mine, theirs = await volatile(pair)
        data = random.Random(1).randbytes(3_000_000)

        async def write(stream: Stream) -> None:
            for begin in range(0, len(data), 10_000):
                await stream.write(data[begin : begin + 10_000])
                await asyncio.sleep(0.001)
            await stream.close_writing()

        async def trouble() -> None:
            for _ in range(10):
                await asyncio.sleep(0.02)
                pair.cut()
                assert not any((device.disk.streams, device.disk.spools) != ({}, {}) for device in devices)
                await asyncio.sleep(0.01)
                pair.link()

        devices = pair.left, pair.right
        *_, there, back = await asyncio.gather(
            write(mine), write(theirs), trouble(), read_all(theirs), read_all(mine)
        )
        assert digests(there, back) == digests(data, data)
        await asyncio.gather(mine.wait_done(), theirs.wait_done())
        await asyncio.sleep(1)
        assert pair.left.hub.count == pair.right.hub.count == 0
        pair.assert_forgotten()
        await pair.stop()

    run(scenario())


@pytest.mark.parametrize("killed", ["left", "right"])
@pytest.mark.parametrize("other_is_durable", [False, True])
def test_it_ends_with_the_process_and_the_other_side_learns_it(killed: str, other_is_durable: bool) -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, theirs = await volatile(
            pair,
            left=killed == "left" or not other_is_durable,
            right=killed == "right" or not other_is_durable,
        )
        await mine.write(b"before")
        assert await theirs.read() == b"before"
        victim, left = (pair.left, theirs) if killed == "left" else (pair.right, mine)
        victim.crash()
        pair.cut()
        await victim.start()
        assert not victim.hub.unfinished("files")
        pair.link()
        with pytest.raises(StreamError) as lost:
            await left.read()
        assert lost.value.by_contact
        await asyncio.sleep(1)
        pair.assert_forgotten()
        again = await pair.left.hub.open("files", "a", durable=False)
        assert again.id != mine.id
        await pair.stop()

    run(scenario())


def test_a_writer_waits_for_a_contact_that_is_away() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, theirs = await volatile(pair)
        pair.cut()
        writing = asyncio.create_task(mine.write(bytes(limits.STREAM_VOLATILE_BYTES + 1)))
        await asyncio.sleep(60)
        assert mine.written == limits.STREAM_VOLATILE_BYTES
        assert not mine.write_now(b"x")
        assert not writing.done()
        pair.link()
        assert len(await theirs.readexactly(100)) == 100
        reading = asyncio.create_task(read_all(theirs))
        await writing
        await mine.close_writing()
        assert len(await reading) == limits.STREAM_VOLATILE_BYTES + 1 - 100
        await pair.stop()

    run(scenario())


def test_many_streams_share_memory_and_none_of_them_starves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONTACT_VOLATILE_BYTES", 4 * 2**20)

    async def scenario() -> None:
        pair = await Pair.start()
        pair.link()
        streams = [await pair.left.hub.open("files", str(number), durable=False) for number in range(20)]
        incoming = pair.right.services.incoming("files")
        theirs = [await anext(incoming) for _ in streams]
        pair.cut()
        data = bytes(2**21)
        writing = [asyncio.create_task(stream.write(data)) for stream in streams]
        await asyncio.sleep(60)
        most = limits.CONTACT_VOLATILE_BYTES + len(streams) * limits.STREAM_VOLATILE_LEAST_BYTES
        assert limits.CONTACT_VOLATILE_BYTES <= sum(stream.written for stream in streams) <= most
        assert all(stream.written >= limits.STREAM_VOLATILE_LEAST_BYTES for stream in streams)
        pair.link()
        halves = [stream.readexactly(limits.STREAM_VOLATILE_LEAST_BYTES) for stream in theirs]
        assert all(piece == data[: len(piece)] for piece in await asyncio.gather(*halves))
        ending = [asyncio.create_task(read_all(stream)) for stream in theirs]
        await asyncio.gather(*writing)
        await asyncio.gather(*(stream.aclose() for stream in streams), *ending)
        await asyncio.gather(*(stream.aclose() for stream in theirs))
        await asyncio.sleep(5)
        assert pair.left.hub._volatile.room(0) == limits.CONTACT_VOLATILE_BYTES
        await pair.stop()

    run(scenario())


def test_what_is_durable_is_not_written_at_once() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, theirs = await volatile(pair, left=False)
        assert not mine.write_now(b"x")
        assert mine.written == 0
        assert theirs.write_now(b"back")
        assert await mine.read() == b"back"
        await theirs.close_writing()
        assert not theirs.write_now(b"more")
        assert theirs.written == 4
        await pair.stop()

    run(scenario())


async def pour(seed: int) -> None:
    """Both quick ways beside the usual ones, in any order, over links that break."""
    chance = random.Random(seed)
    pair = await Pair.start(jitter=0.005)
    mine, theirs = await volatile(pair)
    sink, data = Sink(), chance.randbytes(400_000)
    theirs.pour_into(sink)

    async def write() -> None:
        done = 0
        while done < len(data):
            piece = data[done : done + chance.choice((1, 100, 5_000, 40_000))]
            if chance.random() < 0.3 or not mine.write_now(piece):
                await mine.write(piece)
            done += len(piece)
            await asyncio.sleep(chance.choice((0, 0, 0.001)))
        await mine.close_writing()

    async def read() -> None:
        # As whoever serves a connection does: the rest is written by a task that may have to wait.
        async for piece in theirs:
            sink.taken += piece

    async def trouble() -> None:
        for _ in range(8):
            await asyncio.sleep(chance.uniform(0, 0.05))
            sink.ready = not sink.ready
            if chance.random() < 0.3:
                pair.cut()
                pair.link()

    await asyncio.gather(write(), read(), trouble())
    assert digests(sink.taken) == digests(data)
    await theirs.close_writing()
    assert await mine.read() == b""
    await mine.wait_done()
    assert mine.confirmed == len(data), "what a sink took is consumed"
    await asyncio.sleep(1)
    pair.assert_forgotten()
    await pair.stop()


def pour_often() -> None:
    for seed in range(20):
        run(pour(seed))


def test_the_quick_ways_keep_every_byte_in_its_place() -> None:
    pour_often()


async def overtake() -> None:
    pair = await Pair.start()
    mine, theirs = await volatile(pair)
    assert pair.ends
    send, size, written = pair.ends[0].send_data, 3_000_000, False

    def send_and_write(data: bytes) -> None:
        nonlocal written
        send(data)
        written = written or mine.write_now(b"2")  # perhaps before the task that waits has its turn

    pair.ends[0].send_data = send_and_write  # type: ignore[method-assign]
    await asyncio.sleep(1)
    writing = asyncio.create_task(mine.write(b"1" * size))
    reading = asyncio.create_task(read_all(theirs))
    await writing
    await mine.close_writing()
    assert digests((await reading).rstrip(b"2")) == digests(b"1" * size)
    await pair.stop()


def test_what_is_written_at_once_does_not_overtake_a_write_that_waits() -> None:
    run(overtake())


def test_what_a_sink_took_is_confirmed_while_nothing_more_comes() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, theirs = await volatile(pair)
        sink = Sink()
        theirs.pour_into(sink)
        reading = asyncio.create_task(read_all(theirs))
        assert mine.write_now(b"question")
        await mine.wait_confirmed(8)
        assert sink.taken == b"question"
        assert not reading.done()
        reading.cancel()
        await pair.stop()

    run(scenario())


@given(st.lists(st.tuples(st.sampled_from(["add", "read", "discard"]), st.integers(0, 200_000))))
def test_the_spool_in_memory_is_a_stretch_of_bytes(steps: list[tuple[str, int]]) -> None:
    allowance = Allowance(1_000_000)
    chance, spool, everything, needed = random.Random(1), VolatileSpool(allowance), b"", 0

    async def scenario() -> None:
        nonlocal everything, needed
        for what, size in steps:
            if what == "add":
                data = chance.randbytes(size % 90_000)
                spool.add(data)
                everything += data
            elif what == "discard":
                needed = min(needed + size, len(everything))
                await spool.discard(needed)
            elif needed < len(everything):
                offset = chance.randrange(needed, len(everything))
                found = await spool.read(offset, max(1, size))
                assert 0 < len(found) <= max(1, size)
                assert digests(found) == digests(everything[offset : offset + len(found)])
            assert spool.start <= needed
            assert spool.end == len(everything)
            held = sum(map(len, spool._chunks))
            assert held <= len(everything) - needed + 3 * 90_000, "what is not needed is let go"
            assert allowance.left == 1_000_000 - held
        spool.close()
        assert allowance.left == 1_000_000

    asyncio.run(scenario())


# -- mutants -------------------------------------------------------------------------------------------------


class Eager:
    """A sink that is asked nothing."""

    ready = True

    def __init__(self, sink: StreamSink) -> None:
        self.take = sink.take


def test_a_stream_that_does_not_ask_whether_a_sink_is_ready_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = Stream.pour_into
    monkeypatch.setattr(Stream, "pour_into", lambda self, sink: whole(self, Eager(sink)))
    with pytest.raises(AssertionError):
        pour_often()


def test_bytes_that_overtake_a_write_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio.Lock, "locked", lambda _: False)
    with pytest.raises(AssertionError):
        run(overtake())


def test_a_spool_that_forgets_too_much_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    async def greedy(self: VolatileSpool, through: int) -> None:
        self._drop(max(0, len(self._chunks) - 1))

    monkeypatch.setattr(VolatileSpool, "discard", greedy)
    with pytest.raises((AssertionError, ExceptionGroup)):
        test_the_spool_in_memory_is_a_stretch_of_bytes()
