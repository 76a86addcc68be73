"""How many durable messages a second the store takes.

    python -m tests.adapters.store.measure_appends [DIR]

DIR is on the disk to be measured (default: the current directory). Texts have 100 bytes. The disk's own
speed is measured in the same run: one page written and synced at a time.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from p4.adapters.store.sqlite import SqliteStore
from p4.core.identity import PeerId

PEER = PeerId("a" * 24)
EPOCH = bytes(range(16))
TEXT = "x" * 100
SECONDS = 2.0


def disk(directory: Path) -> float:
    """Synced writes of one page per second."""
    descriptor = os.open(directory / "page", os.O_CREAT | os.O_WRONLY, 0o600)
    end, writes = time.perf_counter() + SECONDS / 2, 0
    while time.perf_counter() < end:
        os.pwrite(descriptor, bytes(4096), 0)
        os.fsync(descriptor)
        writes += 1
    os.close(descriptor)
    return writes / (SECONDS / 2)


async def sending(directory: Path, callers: int) -> str:
    """Concurrent callers of ``append_outbox``, while acknowledgements keep the queue short."""
    store = SqliteStore(directory / f"out-{callers}.sqlite3")
    await store.open()
    end, waits = time.perf_counter() + SECONDS, list[float]()

    async def caller() -> None:
        while time.perf_counter() < end:
            begin = time.perf_counter()
            number = await store.append_outbox(PEER, TEXT, now_ms=0, new_epoch=EPOCH)
            waits.append(time.perf_counter() - begin)
            if number % 256 == 0:
                await store.acknowledge_outbox(PEER, through=number - 64)

    await asyncio.gather(*(caller() for _ in range(callers)))
    await store.close()
    milliseconds = statistics.quantiles(waits, n=100)
    return (
        f"{len(waits) / SECONDS:9.0f} /s   median {milliseconds[49] * 1000:6.2f} ms"
        f"   99th percentile {milliseconds[98] * 1000:6.2f} ms"
    )


async def receiving(directory: Path, batch: int) -> str:
    """One caller of ``accept_inbox`` with so many messages at a time."""
    store = SqliteStore(directory / f"in-{batch}.sqlite3")
    await store.open()
    end, count = time.perf_counter() + SECONDS, 0
    for first in itertools.count(1, batch):
        messages = [(number, TEXT) for number in range(first, first + batch)]
        count += len(await store.accept_inbox(PEER, epoch=EPOCH, messages=messages, now_ms=0))
        if time.perf_counter() > end:
            break
    await store.close()
    return f"{count / SECONDS:9.0f} /s"


async def main() -> None:
    parent = sys.argv[1] if len(sys.argv) > 1 else "."
    with tempfile.TemporaryDirectory(dir=parent, prefix="p4-measure-") as place:
        directory = Path(place)
        print(f"disk: {disk(directory):.0f} synced pages/s")
        for callers in (1, 64):
            print(f"append_outbox, {callers:3} callers   {await sending(directory, callers)}")
        for batch in (1, 64):
            print(f"accept_inbox,  {batch:3} a call    {await receiving(directory, batch)}")


if __name__ == "__main__":
    asyncio.run(main())
