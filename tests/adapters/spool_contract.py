"""What every `p4.ports.Spool` must do."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from tests.adapters.store_calls import ALICE, BOB
from tests.adapters.store_contract import StoreFixture

from p4.ports import Spool, Store, StreamRecord

ID = 0xFEDC_BA98_7654_3210


async def remember(store: Store) -> None:
    """Without a record the next start removes the spool."""
    await store.save_stream(ALICE, StreamRecord(ID, "files", "", opened_here=True))


async def read(spool: Spool, offset: int, size: int) -> bytes:
    """All of ``size`` bytes, piece by piece."""
    found = b""
    while len(found) < size:
        piece = await spool.read(offset + len(found), size - len(found))
        assert 1 <= len(piece) <= size - len(found)
        found += piece
    return found


class SpoolContract(StoreFixture):
    """Bytes of streams."""

    async def test_a_new_spool_is_empty(self, place: Path) -> None:
        async with self.opened(place) as store:
            spool = store.spool(ALICE, ID)
            assert (spool.start, spool.end) == (0, 0)
            await spool.append(b"")
            await spool.discard(0)
            await spool.sync()
            spool.close()

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    async def test_bytes_of_every_kind(self, place: Path, kind: type) -> None:
        async with self.opened(place) as store:
            spool = store.spool(ALICE, ID)
            for size in (5, 100_000, 5):
                await spool.append(kind(b"x" * size))
            assert await read(spool, 0, spool.end) == b"x" * 100_010

    @pytest.mark.parametrize("sizes", [(1, 100), (3000, 5000), (100_000, 2_000_000)])
    async def test_any_stretch_is_read_as_it_was_written(self, place: Path, sizes: tuple[int, int]) -> None:
        chance = random.Random(str(sizes))
        written = bytearray()
        for _ in range(3):
            async with self.opened(place) as store:
                await remember(store)
                spool = store.spool(ALICE, ID)
                assert (spool.start, spool.end) == (0, len(written))
                for _ in range(20):
                    data = chance.randbytes(chance.randint(*sizes))
                    await spool.append(data)
                    written += data
                    assert spool.end == len(written)
                    await spool.sync()
                for _ in range(50):
                    offset = chance.randrange(len(written))
                    size = min(chance.randint(1, 200_000), len(written) - offset)
                    assert await read(spool, offset, size) == written[offset : offset + size]
                spool.close()

    async def test_what_is_discarded_may_go_and_the_rest_stays(self, place: Path) -> None:
        chance = random.Random(1)
        data = chance.randbytes(20_000_000)
        async with self.opened(place) as store:
            await remember(store)
            spool = store.spool(ALICE, ID)
            for start in range(0, len(data), 1_000_000):
                await spool.append(data[start : start + 1_000_000])
            await spool.sync()  # what is not safe yet may keep what comes before it for a while
            for through in (0, 1_000_000, 9_999_999, 9_000_000):
                await spool.discard(through)
                assert spool.start <= max(9_999_999 * (through > 1_000_000), through)
                assert await read(spool, 9_999_999, 200_000) == data[9_999_999:10_199_999]
            assert spool.start > 0
            start = spool.start
        async with self.opened(place) as store:
            spool = store.spool(ALICE, ID)
            assert (spool.start, spool.end) == (start, len(data))
            assert await read(spool, start, len(data) - start) == data[start:]
            await spool.discard(len(data))
            assert spool.end == len(data)
            await spool.append(b"more")
            assert await read(spool, len(data), 4) == b"more"
        async with self.opened(place) as store:
            assert store.spool(ALICE, ID).end == len(data) + 4

    async def test_appends_that_overlap_come_one_after_the_other(self, place: Path) -> None:
        async with self.opened(place) as store:
            spool = store.spool(ALICE, ID)
            sizes = (100_000, 10, 50_000, 1, 300_000)
            parts = [bytes([65 + place]) * size for place, size in enumerate(sizes)]
            await asyncio.gather(*(spool.append(part) for part in parts))
            assert await read(spool, 0, spool.end) == b"".join(parts)

    async def test_a_cancelled_append_leaves_bytes_that_can_be_read(self, place: Path) -> None:
        async with self.opened(place) as store:
            await remember(store)
            spool = store.spool(ALICE, ID)
            call = asyncio.create_task(spool.append(b"a" * 500_000))
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait([call])
            await spool.append(b"b")
            assert spool.end in (1, 500_001)
            assert await read(spool, 0, spool.end) == b"a" * (spool.end - 1) + b"b"
        async with self.opened(place) as store:
            again = store.spool(ALICE, ID)
            assert await read(again, 0, again.end) == b"a" * (again.end - 1) + b"b"

    async def test_streams_do_not_share_bytes(self, place: Path) -> None:
        async with self.opened(place) as store:
            spools = [store.spool(peer, number) for peer in (ALICE, BOB) for number in (0, 1, 2**64 - 1)]
            for number, spool in enumerate(spools):
                await spool.append(b"%d" % number * 5000)
            for number, spool in enumerate(spools):
                assert await read(spool, 0, spool.end) == b"%d" % number * 5000
            await spools[0].remove()
            assert store.spool(ALICE, 0).end == 0
            assert store.spool(ALICE, 1).end == 5000

    async def test_what_is_removed_while_it_is_worked_on_is_gone(self, place: Path) -> None:
        async with self.opened(place) as store:
            await remember(store)
            spool = store.spool(ALICE, ID)
            await spool.append(b"x" * 9_000_000)
            await asyncio.gather(
                spool.append(b"y" * 10), spool.sync(), spool.remove(), spool.discard(9_000_000)
            )
            await spool.sync()
            await spool.discard(1)
        async with self.opened(place) as store:
            assert store.spool(ALICE, ID).end == 0

    async def test_a_spool_without_its_stream_is_removed_at_the_next_start(self, place: Path) -> None:
        async with self.opened(place) as store:
            await remember(store)
            await store.spool(ALICE, ID).append(b"kept")
            await store.spool(ALICE, 1).append(b"stray")
            await store.spool(BOB, ID).append(b"stray")
        async with self.opened(place) as store:
            assert store.spool(ALICE, ID).end == 4
            assert store.spool(ALICE, 1).end == 0
            assert store.spool(BOB, ID).end == 0

    async def test_reading_outside_is_a_mistake_of_the_caller(self, place: Path) -> None:
        async with self.opened(place) as store:
            spool = store.spool(ALICE, ID)
            await spool.append(b"abc")
            for offset, size in ((3, 1), (-1, 1), (0, 0)):
                with pytest.raises(ValueError, match="there are 0 to 3"):
                    await spool.read(offset, size)
