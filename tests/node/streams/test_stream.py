"""Streams as applications use them."""

from __future__ import annotations

import asyncio
import random

import pytest
from tests.node.streams.harness import Pair, read_all

from p4.core import limits
from p4.errors import StreamError
from p4.testing.virtual_time import run

SOME = random.Random(1).randbytes(3_000_000)


async def settled() -> None:
    """Everything that is under way has arrived and is on disk."""
    await asyncio.sleep(3)


def test_bytes_arrive_in_both_directions_and_both_sides_forget_the_stream() -> None:
    async def scenario() -> None:
        pair = await Pair.start(jitter=0.05)
        mine, theirs = await pair.connected()
        assert (theirs.service, theirs.name, theirs.id) == ("files", "a", mine.id)

        async def answer() -> None:
            received = await read_all(theirs)
            assert received == SOME
            await theirs.write(b"thank you")
            await theirs.close_writing()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(answer())
            await mine.write(SOME)
            await mine.close_writing()
            assert await read_all(mine) == b"thank you"
        await mine.wait_done()
        await theirs.wait_done()
        assert mine.confirmed == mine.written == len(SOME)
        await settled()
        pair.assert_forgotten()
        await pair.stop()

    run(scenario())


def test_a_write_is_sent_in_the_same_turn_of_the_loop() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, _ = await pair.connected()
        await mine.write(b"warm")
        await settled()
        assert pair.ends is not None
        sent = pair.ends[0].data_sent
        await mine.write(b"x" * 100)
        assert pair.ends[0].data_sent == sent + 117, "before anything else had a turn"
        await pair.stop()

    run(scenario())


def test_what_is_written_without_a_link_waits_on_disk_and_goes_on_after_restarts() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        stream = await pair.left.hub.open("files", "film")
        await stream.write(SOME[:1000])
        await pair.left.stop()
        await pair.left.start()
        again = await pair.left.hub.open("files", "film")
        assert (again.id, again.written) == (stream.id, 1000)
        pair.link()
        theirs = await pair.accept()
        assert await theirs.readexactly(1000) == SOME[:1000]
        await again.write(SOME[1000:])
        await theirs.consumed()
        pair.cut()
        pair.right.crash()
        await pair.right.start()
        pair.link()
        theirs = await pair.accept()
        assert theirs.position == 1000
        await again.aclose()
        assert await read_all(theirs) == SOME[1000:]
        await theirs.aclose()
        await settled()
        pair.assert_forgotten()
        await pair.stop()

    run(scenario())


def test_what_was_read_and_not_consumed_comes_again() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, theirs = await pair.connected()
        theirs.consume_explicitly = True
        await mine.write(b"onetwothree")
        assert await theirs.readexactly(6) == b"onetwo"
        await theirs.consumed(3)
        assert mine.confirmed == 0
        await asyncio.sleep(0.01)
        assert mine.confirmed == 3
        await asyncio.sleep(5)
        pair.cut()
        pair.right.crash()
        await pair.right.start()
        pair.link()
        theirs = await pair.accept()
        assert theirs.position == 3
        assert await theirs.readexactly(8) == b"twothree"
        await pair.stop()

    run(scenario())


def test_a_pause_puts_what_was_consumed_on_disk() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, theirs = await pair.connected()
        await mine.write(b"hello")
        assert await theirs.read() == b"hello"
        reading = asyncio.create_task(theirs.read())
        await asyncio.sleep(0.04)
        assert mine.confirmed == 0, "seldom is enough while the application reads"
        await asyncio.sleep(0.04)
        assert mine.confirmed == 5
        reading.cancel()
        await pair.stop()

    run(scenario())


def test_a_slow_reader_holds_up_nobody_but_its_writer() -> None:
    async def scenario() -> None:
        pair = await Pair.start(jitter=0.002)
        slow, slow_there = await pair.connected(name="slow")
        fast, fast_there = await pair.connected(name="fast")
        await slow.write(SOME)
        assert await slow_there.read(10) == SOME[:10]
        await fast.write(SOME)
        assert await asyncio.wait_for(fast_there.readexactly(len(SOME)), 2) == SOME
        held = slow_there._machine.reader.held
        assert 0 < held <= limits.STREAM_FIRST_WINDOW_BYTES
        assert slow.confirmed == 0
        assert await slow_there.readexactly(len(SOME) - 10) == SOME[10:]
        await pair.stop()

    run(scenario())


def test_a_writer_waits_when_too_much_is_not_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STREAM_SPOOL_BYTES", 1000)

    async def scenario() -> None:
        pair = await Pair.start()
        mine, theirs = await pair.connected()
        writing = asyncio.create_task(mine.write(SOME[:3000]))
        await asyncio.sleep(1)
        assert mine.written == 1000
        received = b""
        while len(received) < 3000:
            received += await theirs.read()
        assert received == SOME[:3000]
        await writing
        await pair.stop()

    run(scenario())


def test_leaving_the_block_with_an_exception_resets_the_stream() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, theirs = await pair.connected()

        async def fail() -> None:
            async with mine:
                await mine.write(b"half")
                raise KeyError

        with pytest.raises(KeyError):
            await fail()
        with pytest.raises(StreamError) as caught:
            await read_all(theirs)
        assert (caught.value.code, caught.value.by_contact) == ("failed", True)
        with pytest.raises(StreamError):
            await mine.write(b"more")
        await settled()
        pair.assert_forgotten()
        await pair.stop()

    run(scenario())


def test_a_reset_without_a_link_is_told_later_and_survives_a_restart() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, theirs = await pair.connected()
        await theirs.write(b"unread")
        pair.cut()
        await mine.reset("changed my mind")
        await pair.left.stop()
        await pair.left.start()
        assert (await pair.left.hub.open("files", "a")).id != mine.id
        pair.link()
        with pytest.raises(StreamError, match="changed my mind") as caught:
            await read_all(theirs)
        assert caught.value.code == "cancelled"
        assert (await pair.accept()).id != mine.id
        await pair.stop()

    run(scenario())


def test_both_reset_at_the_same_time() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, theirs = await pair.connected()
        await asyncio.gather(mine.reset(), theirs.reset())
        await settled()
        pair.assert_forgotten()
        await pair.stop()

    run(scenario())


def test_leaving_the_block_discards_what_still_arrives() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, theirs = await pair.connected()
        async with mine:
            await mine.write(b"request")
        await theirs.write(SOME)
        await theirs.aclose()
        await theirs.wait_done()
        await settled()
        pair.assert_forgotten()
        await pair.stop()

    run(scenario())


def test_a_power_failure_that_takes_bytes_ends_the_stream_only_if_they_were_read() -> None:
    async def scenario(*, read: bool) -> None:
        pair = await Pair.start()
        mine, theirs = await pair.connected()
        theirs.consume_explicitly = True
        await mine.write(b"safe ")
        await mine.flush()
        await mine.write(b"lost")
        await theirs.readexactly(9 if read else 5)
        pair.cut()
        pair.left.crash()
        pair.left.disk.lose_power()
        await pair.left.start()
        again = await pair.left.hub.open("files", "a")
        assert again.written == 5
        await again.write(b"other bytes")
        # A second start makes no difference: the first one's end is remembered.
        pair.left.crash()
        await pair.left.start()
        again = await pair.left.hub.open("files", "a")
        assert again.written == 16
        pair.link()
        if read:
            with pytest.raises(StreamError) as caught:
                await theirs.read()
            assert caught.value.code == "lost"
            with pytest.raises(StreamError, match="lost"):
                await again.wait_done()
        else:
            assert await theirs.readexactly(11) == b"other bytes"
        await pair.stop()

    run(scenario(read=True))
    run(scenario(read=False))
