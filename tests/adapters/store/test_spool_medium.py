"""Which thread writes the files of streams, and when they are brought to the medium."""

from __future__ import annotations

import asyncio
import threading

import pytest
from tests.adapters.spool_contract import read
from tests.adapters.store.spool_files import DATA, Files, written

from p4.adapters.store import segment, spool
from p4.adapters.store.segment import Segment
from p4.adapters.store.spool import FileSpool


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens to segments, which are small, as ``sync OFFSET`` and so on."""
    order: list[str] = []
    monkeypatch.setattr(segment, "SEGMENT_BYTES", 60_000)
    monkeypatch.setattr(Segment, "sync", lambda self: order.append(f"sync {self.start}"))
    create = Segment.create

    def creating(self: Segment) -> None:
        order.append(f"create {self.start}")
        create(self)

    monkeypatch.setattr(Segment, "create", creating)
    return order


def synced(order: list[str]) -> list[int]:
    """Offsets of the segments that were brought to the medium, in order."""
    return [int(one.split()[1]) for one in order if one.startswith("sync")]


async def test_few_segments_are_not_on_the_medium_and_the_oldest_always_is(
    place: Files, order: list[str]
) -> None:
    """As many as are read when it is opened."""
    made = place.open()
    most = 0
    for _ in range(40):
        await made.append(DATA[made.end : made.end + 60_000])
        safe = synced(order)
        most = max(most, sum(one.start not in safe for one in made._segments))
        assert len(made._segments) == 1 or 0 in safe
        assert order.count("sync 0") <= 1
    assert most == segment.UNSYNCED_SEGMENTS + 1
    order.clear()
    await made.sync()
    assert synced(order)[-1] == made._segments[-1].start
    order.clear()
    await made.sync()
    assert order == []


async def test_what_fills_slowly_is_brought_to_the_medium_segment_by_segment(
    place: Files, order: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "REMOVED_SECONDS", -1.0)
    made = await written(place, *[60_000] * 10)
    starts = [one.start for one in made._segments]
    assert synced(order) == starts[:-1]


async def test_what_is_consumed_quickly_is_hardly_ever_brought_to_the_medium(
    place: Files, order: list[str]
) -> None:
    made = place.open()
    for _ in range(41):
        await made.append(DATA[made.end : made.end + 60_000])
        await made.discard(made.end)
        assert len(made._segments) <= segment.REMOVED_SEGMENTS + 1
    assert len(synced(order)) <= 41 // segment.REMOVED_SEGMENTS + 1


async def test_a_few_segments_are_removed_a_little_later(
    place: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "SEGMENT_BYTES", 60_000)
    monkeypatch.setattr(segment, "REMOVED_SECONDS", 0.01)
    removed, discard = asyncio.Event(), FileSpool._discard

    async def discarding(self: FileSpool) -> None:
        await discard(self)
        removed.set()

    monkeypatch.setattr(FileSpool, "_discard", discarding)
    made = await written(place, *[60_000] * 3)
    await made.discard(made.end)
    assert len(place.paths()) == 3
    async with asyncio.timeout(10):
        await removed.wait()
    assert len(place.paths()) == 1
    assert place.open().end == made.end
    again = await written(place, 60_000, 60_000)
    await again.discard(again.end)
    again.close()


async def test_before_a_segment_is_removed_the_one_that_says_where_bytes_begin_is_on_the_medium(
    place: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "REMOVED_SEGMENTS", 1)
    made = await written(place, 3_000_000, 3_000_000)
    first, second = place.paths()
    seen: list[tuple[int, bool]] = []
    monkeypatch.setattr(Segment, "sync", lambda self: seen.append((self.start, first.exists())))
    await made.discard(5_000_000)
    assert seen == [(int(second.name, 16), True)]
    assert place.paths() == [second]


async def test_what_an_earlier_run_wrote_is_brought_to_the_medium_when_that_is_asked_for(
    place: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That run may have been killed before it did so itself."""
    await written(place, 3_000_000, 3_000_000)
    seen: list[int] = []
    monkeypatch.setattr(Segment, "sync", lambda self: seen.append(self.start))
    made = place.open()
    await made.sync()
    assert seen == [int(path.name, 16) for path in place.paths()]


async def test_large_writes_leave_the_thread_of_the_caller_when_the_disk_stalls(
    place: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, threads = Segment.write, list[bool]()

    def writing(self: Segment, at: int, buffers: list[segment.Buffer]) -> None:
        threads.append(threading.current_thread() is threading.main_thread())
        write(self, at, buffers)

    monkeypatch.setattr(Segment, "write", writing)
    made = place.open()
    for _ in range(3):
        await made.append(DATA[:100_000])
    assert threads == [False, True, True]  # the first one makes the file
    monkeypatch.setattr(spool, "STALL_SECONDS", -1.0)
    await made.append(DATA[:100_000])
    monkeypatch.undo()
    monkeypatch.setattr(Segment, "write", writing)
    threads.clear()
    while len(made._segments) == 1:
        await made.append(DATA[:100_000])
    assert set(threads) == {False}
    threads.clear()
    await made.append(DATA[:100_000])
    assert threads == [True]
    assert await read(made, 0, 300_000) == DATA[:100_000] * 3
