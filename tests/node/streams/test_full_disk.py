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
