"""Which thread writes the files of streams, and when they are brought to the medium."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest
from tests.adapters.spool_contract import read
from tests.adapters.store.spool_files import DATA, Files, written

from p4.adapters.store import segment, spool
from p4.adapters.store.segment import Segment


async def test_a_segment_is_on_the_medium_before_the_next_is_begun(
    place: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that only the last one can be torn, which is the one that is read when it is opened."""
    order: list[str] = []
    monkeypatch.setattr(Segment, "sync", lambda self: order.append(f"sync {self.start}"))
    create = Segment.create

    def creating(self: Segment) -> None:
        order.append(f"create {self.start}")
        create(self)

    monkeypatch.setattr(Segment, "create", creating)
    made = await written(place, 3_000_000, 3_000_000, 3_000_000)
    starts = [one.start for one in made._segments]
    expected = ["create 0"]
    for earlier, later in pairwise(starts):
        expected += [f"sync {earlier}", f"create {later}"]
    assert order == expected
    order.clear()
    await made.sync()
    assert order == [f"sync {starts[-1]}"]
    order.clear()
    await made.sync()
    assert order == []
    await made.discard(starts[1])
    assert order == []  # what the next start goes by is on the medium already
    await made.discard(starts[-1])
    assert order == []
    await made.append(DATA[:100_000])
    await made.discard(made.end)
    assert len(made._segments) == 1
    assert order == []


async def test_before_a_segment_is_removed_the_one_that_says_where_bytes_begin_is_on_the_medium(
    place: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    synced: list[int] = []
    monkeypatch.setattr(Segment, "sync", lambda self: synced.append(self.start))
    made = place.open()
    await made.sync()
    assert synced == [int(place.paths()[-1].name, 16)]


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
