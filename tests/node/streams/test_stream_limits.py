"""Who may open streams, how many, and how they end without their applications' doing."""

from __future__ import annotations

import asyncio
import random

import pytest
from tests.node.streams.harness import Pair

from p4.core import limits
from p4.core.session.stream_frames import Credit, Data, Open, Reset, ResetReason
from p4.errors import FrameError, InputError, StreamError
from p4.testing.virtual_time import run

SOME = random.Random(1).randbytes(3_000_000)


async def settled() -> None:
    """Everything that is under way has arrived and is on disk."""
    await asyncio.sleep(3)


def test_a_service_that_is_not_granted_is_refused_by_either_side() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        pair.link()
        assert pair.ends is not None
        pair.ends[0].grants = {"files"}
        await settled()
        secret = await pair.left.hub.open("secret", "")
        pair.left.hub.grants_changed()
        with pytest.raises(StreamError) as caught:
            await secret.wait_done()
        assert caught.value.code == "not-granted"
        assert not any(isinstance(frame, Open) for frame in pair.ends[0].frames)
        pair.right.refused = {"files"}
        refused = await pair.left.hub.open("files", "")
        with pytest.raises(StreamError) as caught:
            await refused.read()
        assert (caught.value.code, caught.value.by_contact) == ("not-granted", True)
        await settled()
        pair.assert_forgotten()
        await pair.stop()

    run(scenario())


def test_a_service_that_is_granted_no_more_ends_its_streams() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, _theirs = await pair.connected()
        pair.right.refused = {"files"}
        pair.right.hub.rights_changed()
        with pytest.raises(StreamError) as caught:
            await mine.read()
        assert caught.value.code == "not-granted"
        await pair.stop()

    run(scenario())


def test_too_many_streams_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONTACT_STREAMS_OPEN", 3)
    monkeypatch.setattr(limits, "CONTACT_STREAMS_OFFERED", 2)

    async def scenario() -> None:
        pair = await Pair.start()
        pair.link()
        streams = [await pair.left.hub.open("files", str(number)) for number in range(3)]
        with pytest.raises(StreamError) as caught:
            await pair.left.hub.open("files", "one more")
        assert (caught.value.code, caught.value.by_contact) == ("too-many", False)
        with pytest.raises(StreamError) as caught:
            await streams[2].read()
        assert (caught.value.code, caught.value.by_contact) == ("too-many", True)
        assert (await pair.accept()).name == "0"
        with pytest.raises(InputError):
            await pair.left.hub.open("files", "x" * 1025)
        await pair.stop()

    run(scenario())


def test_each_stream_comes_to_one_reader_and_none_is_lost_by_a_cancelled_one() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        pair.link()
        await pair.left.hub.open("files", "first")
        await asyncio.sleep(0.1)
        reader = asyncio.create_task(pair.accept())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        reader.cancel()
        await asyncio.wait([reader])
        assert reader.cancelled()
        assert (await pair.accept()).name == "first"
        waiting = asyncio.create_task(pair.accept())
        await settled()
        assert not waiting.done()
        pair.right.services.close()
        with pytest.raises(StopAsyncIteration):
            await waiting
        await pair.stop()

    run(scenario())


def test_a_stream_that_nobody_accepts_keeps_nothing_and_waits() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        pair.link()
        mine = await pair.left.hub.open("files", "a")
        await mine.write(SOME)
        await settled()
        assert not pair.right.disk.streams.get(pair.right.contact)
        assert pair.ends is not None
        assert not pair.ends[0].data_sent
        pair.link()
        theirs = await pair.accept()
        assert await theirs.readexactly(len(SOME)) == SOME
        await pair.stop()

    run(scenario())


def test_a_removed_contact_ends_its_streams() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, _ = await pair.connected()
        reading = asyncio.create_task(mine.read())
        await asyncio.sleep(0)
        pair.left.hub.forget()
        with pytest.raises(StreamError) as caught:
            await reading
        assert caught.value.code == "removed"
        assert not pair.left.services.budget.used
        await pair.right.stop()

    run(scenario())


def test_the_end_of_the_node_ends_what_waits_and_nothing_else() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, theirs = await pair.connected()
        reading = asyncio.create_task(mine.read())
        await asyncio.sleep(0)
        await mine.write(b"kept")
        assert await theirs.read() == b"kept"
        await pair.left.stop()
        with pytest.raises(StreamError) as caught:
            await reading
        assert caught.value.code == "closed"
        with pytest.raises(StreamError):
            await pair.left.hub.open("files", "b")
        await pair.left.start()
        assert (await pair.left.hub.open("files", "a")).written == 4
        await pair.stop()

    run(scenario())


def test_a_contact_that_breaks_the_rules_is_found_out() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, _ = await pair.connected()
        await settled()
        for frame in (
            Data(mine.id, limits.STREAM_FIRST_WINDOW_BYTES, b"x"),
            Credit(mine.id, 1, 10),
            Open(mine.id, "files", "other"),
            Open(mine.id, "files", "a"),
        ):
            with pytest.raises(FrameError):
                pair.left.hub.handle(frame)
        pair.left.hub.handle(Data(123, 0, b"unknown, and perhaps reset meanwhile"))
        assert pair.ends is not None
        pair.left.hub.handle(Credit(123, 0, 0))
        assert pair.ends[0].frames[-1].id == 123
        pair.left.hub.handle(Reset(123, ResetReason.CANCELLED, ""))
        await pair.stop()

    run(scenario())
