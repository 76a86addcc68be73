"""Bulk transfers: full frames, few questions to the link, one wake-up for all that has arrived."""

from __future__ import annotations

import asyncio
import random

import pytest
from tests.node.streams.harness import Pair, Transport

from p4.core import limits
from p4.core.session.stream_frames import Data
from p4.node.streams.recent import Allowance, RecentBytes
from p4.testing.virtual_time import run

SOME = random.Random(3).randbytes(300_000)


def test_recent_bytes_are_put_together_but_not_across_a_hole() -> None:
    recent = RecentBytes(Allowance())
    for begin, end in ((0, 10), (10, 25), (25, 40), (50, 60)):
        recent.add(begin, SOME[begin:end])
    assert b"".join(recent.at(5, 30)) == SOME[5:35]
    assert b"".join(recent.at(5, 100)) == SOME[5:40]
    assert b"".join(recent.at(30, 4)) == SOME[30:34]
    assert recent.at(40, 10) == []
    assert recent.gap(40) == 10
    assert b"".join(recent.at(50, 100)) == SOME[50:60]
    assert recent.at(60, 1) == []


def test_frames_are_full_and_the_link_is_not_asked_before_each(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, theirs = await pair.connected()
        await asyncio.sleep(1)
        assert pair.ends is not None
        link = pair.ends[0]
        sizes: list[int] = []
        asked = 0

        def send_data(data: bytes) -> None:
            sizes.append(len(data))
            Transport.send_data(link, data)

        def bulk_room() -> int:
            nonlocal asked
            asked += 1
            return Transport.bulk_room(link)

        monkeypatch.setattr(link, "send_data", send_data)
        monkeypatch.setattr(link, "bulk_room", bulk_room)
        await mine.write(SOME[:250_000])
        assert await theirs.readexactly(250_000) == SOME[:250_000]
        full = limits.LINK_MESSAGE_BYTES
        assert sizes == [full, full, full, 250_000 - 3 * limits.STREAM_DATA_BYTES + 17]
        assert asked - len(sizes) <= 2  # the simulated link asks itself before each
        await pair.stop()

    run(scenario())


def test_much_that_arrives_wakes_its_reader_when_all_has_been_handed_over() -> None:
    """wrtc stops handing over what has arrived as soon as the loop has something else to do."""

    async def scenario() -> None:
        pair = await Pair.start()
        _, theirs = await pair.connected()
        received = bytearray()

        async def read() -> None:
            while len(received) < len(SOME) // 2:
                received.extend(await theirs.read())

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(read())
            await asyncio.sleep(1)
            for offset in range(0, len(SOME) // 2, 30_000):
                data = SOME[offset : offset + 30_000]
                pair.right.hub.handle(Data(theirs.id, offset, data))
                assert not getattr(asyncio.get_running_loop(), "_ready")  # noqa: B009 - private, and what wrtc looks at
        assert received == SOME[: len(SOME) // 2]
        await pair.stop()

    run(scenario())


def test_a_small_piece_wakes_its_reader_at_once() -> None:
    """A timer costs a dialogue two turns of the loop."""

    async def scenario() -> None:
        pair = await Pair.start()
        _, theirs = await pair.connected()
        await asyncio.sleep(1)
        reading = asyncio.create_task(theirs.read())
        await asyncio.sleep(1)
        pair.right.hub.handle(Data(theirs.id, 0, b"hello"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert reading.done()
        assert await reading == b"hello"
        await pair.stop()

    run(scenario())
