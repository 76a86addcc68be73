"""How fast the files of a stream take and give bytes.

    python -m tests.adapters.store.measure_spool [DIR]

DIR is on the disk to be measured (default: the current directory).
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from p4.adapters.store.spool import FileSpool
from p4.core import limits
from p4.core.identity import PeerId

PEER = PeerId("a" * 24)
TOTAL = 256 * 1024 * 1024
WINDOW = 32 * 1024 * 1024


async def bulk(directory: Path, threads: ThreadPoolExecutor, size: int) -> str:
    """Append, read frame by frame and discard, as a writer does whose reader keeps up."""
    spool = FileSpool(directory, PEER, size, lambda: threads)
    data = bytes(size)
    appending = reading = 0.0
    position = 0
    while spool.end < TOTAL:
        begin = time.perf_counter()
        while spool.end < position + WINDOW:
            await spool.append(data)
        appending += time.perf_counter() - begin
        begin = time.perf_counter()
        while position < spool.end:
            position += len(await spool.read(position, limits.STREAM_DATA_BYTES))
        reading += time.perf_counter() - begin
        await spool.discard(position)
    total = spool.end / 1e6
    begin = time.perf_counter()
    FileSpool(directory, PEER, size, lambda: threads)
    opening = time.perf_counter() - begin
    await spool.remove()
    rates = f"append {total / appending:6.0f} MB/s, read {total / reading:6.0f} MB/s"
    return f"{rates}, open {opening * 1000:.1f} ms"


async def typed(directory: Path, threads: ThreadPoolExecutor) -> str:
    """A few bytes at a time, read again at once."""
    spool = FileSpool(directory, PEER, 0, lambda: threads)
    appends, reads = list[float](), list[float]()
    for _ in range(5000):
        begin = time.perf_counter()
        await spool.append(b"a key or a line ")
        middle = time.perf_counter()
        await spool.read(spool.end - 16, 16)
        appends.append(middle - begin)
        reads.append(time.perf_counter() - middle)
    parts = []
    for name, some in (("append", appends), ("read", reads)):
        microseconds = [1e6 * share for share in statistics.quantiles(some, n=100)]
        parts.append(f"{name} median {microseconds[49]:.0f} µs, 99 % {microseconds[98]:.0f} µs")
    return ", ".join(parts)


async def main() -> None:
    parent = sys.argv[1] if len(sys.argv) > 1 else "."
    with (
        tempfile.TemporaryDirectory(dir=parent, prefix="p4-measure-") as place,
        ThreadPoolExecutor(2) as threads,
    ):
        for size in (16 * 1024, limits.STREAM_DATA_BYTES, 1024 * 1024):
            print(f"{size:8} bytes: {await bulk(Path(place), threads, size)}")
        print(f"16 bytes: {await typed(Path(place), threads)}")


if __name__ == "__main__":
    asyncio.run(main())
