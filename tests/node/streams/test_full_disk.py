"""Streams on a disk that refuses: nothing is told that is not on it, and things go on when it works again."""

from __future__ import annotations

import asyncio

import pytest
from tests.node.streams.harness import Pair

from p4.core import limits
from p4.errors import StateError, StreamError
from p4.testing.virtual_time import run

FULL = StateError("The disk is full.", path="disk", code="disk-full")


def test_a_stream_is_not_opened() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        pair.link()
        pair.left.disk.failure = FULL
        with pytest.raises(StateError) as caught:
            await pair.left.hub.open("files", "a")
        assert caught.value is FULL
        pair.left.disk.failure = None
        await pair.left.hub.open("files", "a")
        assert (await pair.accept()).name == "a"
        await pair.stop()

    run(scenario())


def test_a_stream_that_cannot_be_accepted_is_reset() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        pair.link()
        mine = await pair.left.hub.open("files", "a")
        await asyncio.sleep(0.1)
        pair.right.disk.failure = FULL
        accepting = asyncio.create_task(pair.accept())
        with pytest.raises(StreamError) as caught:
            await mine.read()
        assert (caught.value.code, caught.value.by_contact) == ("disk", True)
        pair.right.disk.failure = None
        await pair.left.hub.open("files", "b")
        assert (await accepting).name == "b", "whoever waits gets the next one"
        await pair.stop()

    run(scenario())


def test_a_write_that_is_refused_changes_nothing() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, theirs = await pair.connected()
        await mine.write(b"one")
        pair.left.disk.failure = FULL
        with pytest.raises(StateError):
            await mine.write(b"two")
        assert mine.written == 3
        pair.left.disk.failure = None
        await mine.write(b"three")
        assert await theirs.readexactly(8) == b"onethree"
        await pair.stop()

    run(scenario())


def test_nothing_is_confirmed_before_the_disk_takes_it() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, theirs = await pair.connected()
        await mine.write(b"one")
        pair.right.disk.failure = FULL
        assert await theirs.read() == b"one"
        consumed = asyncio.create_task(theirs.consumed())
        await asyncio.sleep(limits.DISK_RETRY_SECONDS / 2)
        assert mine.confirmed == 0
        assert not consumed.done()
        pair.right.disk.failure = None
        await consumed
        await asyncio.sleep(0.1)
        assert mine.confirmed == 3
        await pair.stop()

    run(scenario())


def test_a_reset_is_told_and_answered_though_the_disk_refuses_it() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, theirs = await pair.connected()
        reading = asyncio.create_task(mine.read())
        await asyncio.sleep(0.1)
        pair.cut()
        pair.left.disk.failure = FULL
        await mine.reset("changed my mind")
        with pytest.raises(StreamError) as caught:
            await reading
        assert (caught.value.code, caught.value.by_contact) == ("cancelled", False)
        pair.link()
        with pytest.raises(StreamError) as caught:
            await theirs.read()
        assert (caught.value.code, caught.value.by_contact) == ("cancelled", True)
        pair.left.disk.failure = None
        await pair.stop()

    run(scenario())


def test_a_reset_that_the_disk_refused_is_tried_again_after_a_while() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, _ = await pair.connected()
        await asyncio.sleep(0.1)
        pair.cut()
        pair.left.disk.failure = FULL
        await mine.reset()
        pair.left.disk.failure = None
        await asyncio.sleep(limits.DISK_RETRY_SECONDS / 2)
        (record,) = pair.left.disk.streams[pair.left.contact].values()
        assert record.reset < 0, "it is not tried again and again without a pause"
        await asyncio.sleep(limits.DISK_RETRY_SECONDS)
        (record,) = pair.left.disk.streams[pair.left.contact].values()
        assert record.reset >= 0
        await pair.stop()

    run(scenario())
