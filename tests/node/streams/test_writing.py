"""What `Stream.write` puts into a stream when there is room for a part of it only."""

from __future__ import annotations

import asyncio
import random

import pytest
from tests.node.streams.harness import Pair, read_all

from p4.core import limits
from p4.testing.virtual_time import run


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_that_find_room_in_two_parts_are_written_once(
    monkeypatch: pytest.MonkeyPatch, kind: type[bytes | bytearray | memoryview]
) -> None:
    """The first part fills the spool; by the time of the second one there is room for all of it again."""
    monkeypatch.setattr(limits, "STREAM_SPOOL_BYTES", 100_000)
    chance = random.Random(1)

    async def scenario() -> None:
        pair = await Pair.start()
        mine, theirs = await pair.connected()
        pair.cut()
        first, second = chance.randbytes(70_000), chance.randbytes(90_000)
        await mine.write(first)
        writing = asyncio.create_task(mine.write(kind(second)))
        await asyncio.sleep(1)
        assert mine.written == limits.STREAM_SPOOL_BYTES
        assert not writing.done()
        pair.link()
        reading = asyncio.create_task(read_all(theirs))
        await writing
        assert mine.written == len(first) + len(second)
        await mine.close_writing()
        assert await reading == first + second
        await pair.stop()

    run(scenario())
