"""The files of streams when power, disk or process fail them; and mutants of the code that must be found."""

from __future__ import annotations

import asyncio
import contextlib
import stat
import sys
import zlib
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.adapters.spool_contract import read
from tests.adapters.store.spool_files import DATA, Files, check, written
from tests.adapters.store_calls import ALICE

from p4.adapters.store import segment
from p4.adapters.store.segment import Segment
from p4.adapters.store.spool import FileSpool
from p4.adapters.store.sqlite import SqliteStore
from p4.errors import StateError

# --- power failures -----------------------------------------------------------------------------------------

SMALL = (1, 30, 5, 40, 2)


@pytest.mark.parametrize("filler", [b"", b"\0", b"\xa5"], ids=["cut off", "zeros", "old bytes"])
async def test_a_tail_torn_at_any_byte_costs_what_was_torn_and_gives_nothing_wrong(
    place: Files, filler: bytes
) -> None:
    ends: list[tuple[int, int]] = [(0, 0)]
    made = place.open()
    for size in SMALL:
        await made.append(DATA[made.end : made.end + size])
        ends.append((place.paths()[0].stat().st_size, made.end))
    (path,) = place.paths()
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut] + filler * (len(whole) - cut))
        sound = max(end for size, end in ends if size <= cut)
        assert await check(place, sound, sound) == sound
        # What is written next follows what was found, and is found again.
        again = place.open()
        await again.append(DATA[sound : sound + 50])
        assert await check(place, sound + 50, sound + 50) == sound + 50


async def test_a_changed_bit_anywhere_gives_nothing_wrong(place: Files) -> None:
    await written(place, *SMALL)
    (path,) = place.paths()
    whole = path.read_bytes()
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 16]) + whole[position + 1 :])
        await check(place, 0, sum(SMALL) - 1)


async def test_bytes_that_change_under_a_running_spool_are_not_given_out(place: Files) -> None:
    made = await written(place, 100_000)
    (path,) = place.paths()
    damaged = bytearray(path.read_bytes())
    damaged[50_000] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(StateError, match=r"damaged.*Check the disk") as caught:
        await made.read(40_000, 100)
    assert caught.value.code == "damaged"
    assert await read(made, 70_000, 100) == DATA[70_000:70_100]


async def test_an_earlier_segment_that_is_damaged_is_told_when_it_is_read(
    place: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "DOUBTFUL_SEGMENTS", 1)
    await written(place, 6_000_000)
    path = place.paths()[0]
    path.write_bytes(path.read_bytes()[:-1])
    made = place.open()
    assert made.end == 6_000_000
    with pytest.raises(StateError) as caught:
        await made.read(0, 10)
    assert caught.value.code == "damaged"


# --- space --------------------------------------------------------------------------------------------------


async def test_space_is_given_back_and_the_end_is_known(
    place: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "REMOVED_SEGMENTS", 1)
    made = await written(place, 12_000_000)
    assert len(place.paths()) == 3
    await made.discard(9_000_000)
    assert len(place.paths()) == 1
    await made.discard(12_000_000)
    (last,) = place.paths()
    assert last.stat().st_size < segment.SEGMENT_BYTES + segment.RECORD_BYTES + 100
    assert place.open().end == 12_000_000


async def test_single_bytes_do_not_fill_memory_or_disk_without_measure(place: Files) -> None:
    made = place.open()
    for position in range(3000):
        await made.append(DATA[position : position + 1])
    assert sum(len(one.marks) for one in made._segments) <= 3
    assert sum(path.stat().st_size for path in place.paths()) <= 3000 * 17
    assert await read(made, 1234, 5) == DATA[1234:1239]


async def test_a_full_disk_adds_nothing_and_goes_on_when_there_is_room(small_disk: Path) -> None:
    place = Files(small_disk / "streams")
    made = place.open()
    await made.append(DATA[:200_000])
    for size in (400_000, 5_000_000):
        with pytest.raises(StateError, match=r"the disk is full.*unchanged.*Free some space") as caught:
            await made.append(DATA[200_000 : 200_000 + size])
        assert caught.value.code == "disk-full"
        assert made.end == 200_000
        assert await check(place, 200_000, 200_000)
    small = 0
    with contextlib.suppress(StateError):
        while small < 1000:
            await made.append(DATA[made.end : made.end + 4000])
            small += 1
    assert 5 < small < 1000
    assert made.end == 200_000 + 4000 * small
    assert await check(place, made.end, made.end) == made.end
    place.close()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Writing beyond it fails, as on a full disk."""
    resource = pytest.importorskip("resource", reason="limits of a process are POSIX")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def overfill(place: Files) -> None:
    """Appends that fail half way, between others that succeed."""
    made = await written(place, 3_000_000)
    for size, limit in ((3000, 3_002_000), (500_000, 3_200_000), (3_000_000, 3_900_000)):
        with largest_file(limit), pytest.raises(StateError):
            await made.append(DATA[made.end : made.end + size])
        end = made.end
        await check(place, end, end)
        await made.append(DATA[end : end + 100])
        await made.append(DATA[end + 100 : end + 10_000])
    assert made.end == 3_030_000
    await check(place, made.end, made.end)


async def test_an_append_that_fails_half_way_adds_nothing(place: Files) -> None:
    await overfill(place)


async def test_what_could_not_be_taken_back_is_taken_back_before_the_next_append(
    place: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await written(place, 1_000_000)
    truncate = Segment.truncate

    def refuse(self: Segment, size: int) -> None:
        raise OSError(5, "I/O error")

    monkeypatch.setattr(Segment, "truncate", refuse)
    with largest_file(1_500_000), pytest.raises(StateError):
        await made.append(DATA[1_000_000:2_000_000])
    for size in (10, 100_000):
        with pytest.raises(StateError):
            await made.append(DATA[1_000_000 : 1_000_000 + size])
    assert made.end == 1_000_000
    monkeypatch.setattr(Segment, "truncate", truncate)
    await made.append(DATA[1_000_000:1_000_010])
    await check(place, 1_000_010, 1_000_010)


async def test_files_are_private_and_few_are_open(place: Files) -> None:
    made = [place.open(number) for number in range(1000)]
    await asyncio.gather(*(one.append(DATA[:100]) for one in made))
    await asyncio.gather(*(one.append(DATA[100:10_000]) for one in made))
    directories = {place.directory, *(path.parent for path in place.paths())}
    assert {stat.S_IMODE(directory.stat().st_mode) for directory in directories} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.paths()} == {0o600}
    assert len(place.paths()) == 1000
    if sys.platform == "linux":
        opened = [Path(f"/proc/self/fd/{number}") for number in range(256)]
        assert not any(place.directory in one.resolve().parents for one in opened)


async def test_small_appends_do_not_wait_for_a_disk_that_syncs(
    place: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await written(place, 100)
    loop, synced = asyncio.get_running_loop(), asyncio.Event()
    begun, released = asyncio.Event(), ThreadPoolExecutor(1)

    def slow(self: Segment) -> None:
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(synced.wait(), loop).result()

    monkeypatch.setattr(Segment, "sync", slow)
    call = asyncio.create_task(made.sync())
    await begun.wait()
    await made.append(DATA[100:110])
    assert made.end == 110
    assert not call.done()
    synced.set()
    await call
    # What came meanwhile is not safe yet.
    assert made._unsynced
    released.shutdown()


async def test_a_closed_store_writes_no_more(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "p4.sqlite3")
    await store.open()
    made = store.spool(ALICE, 1)
    await made.append(b"x")
    await store.close()
    for call in (made.append(b"y"), made.append(b"y" * 10_000), made.read(0, 1), made.sync(), made.remove()):
        with pytest.raises(StateError) as caught:
            await call
        assert caught.value.code == "closed"
    with pytest.raises(StateError):
        store.spool(ALICE, 1)


# --- mutants ------------------------------------------------------------------------------------------------


async def torn(place: Files) -> None:
    await written(place, 100, 5000, 60_000)
    (path,) = place.paths()
    whole = path.read_bytes()
    for cut in (50, 116, 200, 5132, 20_000):
        path.write_bytes(whole[:cut] + bytes(len(whole) - cut))
        await check(place)
        made = place.open()
        await made.append(DATA[made.end : made.end + 50_000])
        await check(place, made.end, made.end)


async def emptied(place: Files) -> None:
    made = await written(place, 9_000_000)
    await made.discard(9_000_000)
    await check(place, 9_000_000)


async def power_lost(place: Files) -> None:
    """Any of the last segments may have lost something; what comes before that is right, and goes on."""
    await written(place, *[1_000_000] * 12)
    paths = place.paths()
    whole = [path.read_bytes() for path in paths]
    for number, path in enumerate(paths):
        for kept in (100_000, 0, len(whole[number]) - 1):
            for other, data in zip(paths, whole, strict=True):
                other.write_bytes(data)
            path.write_bytes(whole[number][:kept].ljust(len(whole[number]), b"\0"))
            end = await check(place)
            assert end >= int(path.name, 16), "bytes before it are lost"
            made = place.open()
            await made.append(DATA[made.end : made.end + 5_000_000])
            await check(place, made.end, made.end)


def only_the_last_segment_is_doubted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "DOUBTFUL_SEGMENTS", 1)


def what_follows_a_loss_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    believed = segment.believed

    def believing(segments: list[Segment], doubtful: int) -> tuple[list[Segment], list[Segment]]:
        found, lost = believed(segments, doubtful)
        return found + lost, []

    monkeypatch.setattr(segment, "believed", believing)


def no_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zlib, "crc32", lambda *_: 0)


def no_truncation_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    open_ = FileSpool._open

    def opening(self: FileSpool) -> list[Segment]:
        with monkeypatch.context() as patch:
            patch.setattr(Segment, "truncate", lambda *_: None)
            found = open_(self)
        for one in found[-1:]:
            one.size = one.path.stat().st_size
        return found

    monkeypatch.setattr(FileSpool, "_open", opening)


def nothing_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileSpool, "_undo", lambda self: self._to_undo.clear())


def appends_at_the_files_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor undone, and not written over either."""
    nothing_undone(monkeypatch)
    write = Segment.write
    monkeypatch.setattr(
        Segment, "write", lambda self, _, buffers: write(self, self.path.stat().st_size, buffers)
    )


def last_segment_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def discard(self: FileSpool, through: int) -> None:
        for one in self._segments:
            if one.end <= through:
                one.path.unlink()

    monkeypatch.setattr(FileSpool, "discard", discard)


MUTANTS: dict[Callable[[pytest.MonkeyPatch], None], Callable[[Files], Awaitable[None]]] = {
    no_checksum: torn,
    no_truncation_at_start: torn,
    nothing_undone: overfill,
    appends_at_the_files_end: overfill,
    last_segment_deleted: emptied,
    only_the_last_segment_is_doubted: power_lost,
    what_follows_a_loss_is_kept: power_lost,
}


@pytest.mark.parametrize("scenario", [torn, overfill, emptied, power_lost])
async def test_what_mutants_are_held_against(
    place: Files, scenario: Callable[[Files], Awaitable[None]]
) -> None:
    await scenario(place)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
async def test_a_mutant_is_found(
    place: Files, monkeypatch: pytest.MonkeyPatch, mutant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception), match=r"wrong bytes|lost|cannot be read"):
        await MUTANTS[mutant](place)
