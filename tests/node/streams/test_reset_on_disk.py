"""What is told of a reset, and when: a stream that somebody saw end does not come again after a crash."""

from __future__ import annotations

import asyncio

import pytest
from tests.node.streams.harness import Pair

from p4.errors import StreamError
from p4.node.streams import Stream
from p4.testing.virtual_time import run

COMMIT_SECONDS = 0.2
"""What the disk takes to write one record."""


async def slowly_connected() -> tuple[Pair, Stream, Stream]:
    """A stream whose opener has a slow disk that has nothing to do at the moment."""
    pair = await Pair.start()
    await pair.left.stop()
    await pair.left.start(commit_seconds=COMMIT_SECONDS)
    mine, theirs = await pair.connected()
    await asyncio.sleep(1.0)
    return pair, mine, theirs


def test_nobody_is_told_of_a_reset_that_a_crash_can_still_undo() -> None:
    async def scenario() -> None:
        pair, mine, _ = await slowly_connected()
        stream_id = mine.id
        reading = asyncio.create_task(mine.read())
        writing = asyncio.create_task(mine.write(b"still to be said"))
        await writing
        resetting = asyncio.create_task(mine.reset("changed my mind"))
        await asyncio.sleep(COMMIT_SECONDS / 2)
        assert not resetting.done()
        assert not reading.done(), "the disk does not know yet"
        pair.left.crash()
        with pytest.raises(StreamError) as caught:
            await reading
        assert caught.value.code == "removed", (
            "the harness ends it so, and nothing said that it was cancelled"
        )
        await resetting
        await pair.left.start()
        again = await pair.left.hub.open("files", "a")
        assert again.id == stream_id, "it goes on, and whoever was not told expects that"
        await pair.stop()

    run(scenario())


def test_readers_and_writers_are_told_once_it_is_on_disk() -> None:
    async def scenario() -> None:
        pair, mine, theirs = await slowly_connected()
        reading = asyncio.create_task(mine.read())
        resetting = asyncio.create_task(mine.reset("changed my mind"))
        await asyncio.sleep(COMMIT_SECONDS / 2)
        writing = asyncio.create_task(mine.write(b"too late"))
        for task in (reading, writing):
            with pytest.raises(StreamError) as caught:
                await task
            assert (caught.value.code, caught.value.by_contact) == ("cancelled", False)
            (record,) = pair.left.disk.streams[pair.left.contact].values()
            assert record.reset >= 0
        assert mine.written == 0, "nothing is taken that goes nowhere"
        await resetting
        with pytest.raises(StreamError):
            await theirs.read()
        await asyncio.sleep(1.0)
        await pair.stop()
        pair.assert_forgotten()

    run(scenario())


def test_a_reader_at_the_end_is_told_nothing_before_the_disk_knows() -> None:
    async def scenario() -> None:
        pair, mine, theirs = await slowly_connected()
        mine.consume_explicitly = True
        await theirs.close_writing()
        assert await mine.read() == b""
        resetting = asyncio.create_task(mine.reset())
        await asyncio.sleep(COMMIT_SECONDS / 2)
        with pytest.raises(StreamError):
            await mine.read()
        await resetting
        await pair.stop()

    run(scenario())


def test_the_contacts_reset_meanwhile_ends_the_wait_too() -> None:
    async def scenario() -> None:
        pair, mine, theirs = await slowly_connected()
        reading = asyncio.create_task(mine.read())
        resetting = asyncio.create_task(mine.reset())
        await theirs.reset()
        with pytest.raises(StreamError) as caught:
            await reading
        assert caught.value.code == "cancelled"
        await resetting
        await asyncio.sleep(1.0)
        await pair.stop()
        pair.assert_forgotten()

    run(scenario())
