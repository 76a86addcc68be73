"""How many durable messages a second the store takes, alone and beside a busy main thread.

    python -m tests.adapters.store.measure_store [DIR]

DIR is on the disk to be measured (default: the current directory). Bodies have 100 bytes, calls carry 512
messages. The busy thread counts, and lets go of the interpreter lock a thousand times a second as an event
loop does. The disk's own speed is measured in the same run: one page written and synced at a time.

Beside the rate stand the median and the slowest call, and the processor time of the whole process for one
call. Where the rate falls and the processor time does not, the machine was busy with something else: a call
of `ReadOutbox`, which never waits for the disk, tells the same.
"""

from __future__ import annotations

import asyncio
import os
import select
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from p4.adapters.store.sqlite import SqliteStore
from p4.core.identity import PeerId
from p4.core.session.messages import stored

PEER = PeerId("a" * 24)
EPOCH = bytes(range(16))
BODY = b"x" * 100
BATCH = 512
BATCHES = 60
ROOM = stored.Quota(10_000_000, 2**40)
PUT = tuple(stored.Draft("chat", 1, BODY, "", 1, 0) for _ in range(BATCH))


def disk(directory: Path) -> float:
    """Synced writes of one page per second."""
    descriptor = os.open(directory / "page", os.O_CREAT | os.O_WRONLY, 0o600)
    end, writes = time.perf_counter() + 1, 0
    while time.perf_counter() < end:
        os.pwrite(descriptor, bytes(4096), 0)
        os.fsync(descriptor)
        writes += 1
    os.close(descriptor)
    return writes


class Busy:
    """A thread that computes all the time, and asks the system for news every millisecond."""

    def __init__(self) -> None:
        self._over = False
        self.turns = 0
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._over:
            until = time.perf_counter() + 0.001
            while time.perf_counter() < until:
                self.turns += 1
            select.select([], [], [], 0)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._thread.join()


def received(first: int) -> stored.AcceptInbox:
    messages = tuple(
        stored.Received(number, "chat", 1, BODY, "", 1, 0) for number in range(first, first + BATCH)
    )
    return stored.AcceptInbox(EPOCH, messages, first + BATCH - 1, 1, frozenset())


STEPS: dict[str, Callable[[int], stored.Operation]] = {
    "AppendOutbox": lambda _: stored.AppendOutbox(PUT, EPOCH, True, ROOM),
    "ReadOutbox": lambda turn: stored.ReadOutbox(turn * BATCH, BATCH, 2**40),
    "AcknowledgeOutbox": lambda turn: stored.AcknowledgeOutbox((turn + 1) * BATCH),
    "AcceptInbox": lambda turn: received(turn * BATCH + 1),
    "ConsumeInbox": lambda turn: stored.ConsumeInbox(
        tuple(range(turn * BATCH + 1, (turn + 1) * BATCH + 1)), frozenset({"chat"}), EPOCH
    ),
}


async def measure(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    for name, operation in STEPS.items():
        calls = [operation(turn) for turn in range(BATCHES)]
        taken: list[float] = []
        processor = time.process_time()
        for call in calls:  # one after the other: each is a transaction of its own
            begin = time.perf_counter()
            await store.perform(PEER, call)
            taken.append(1000 * (time.perf_counter() - begin))
        processor = 1000 * (time.process_time() - processor) / BATCHES
        print(
            f"  {name:18} {BATCH * BATCHES * 1000 / sum(taken):9.0f} messages/s; a call: "
            f"median {statistics.median(taken):6.2f} ms, slowest {max(taken):7.2f} ms, "
            f"processor {processor:6.2f} ms"
        )
    await store.close()


def main() -> None:
    parent = sys.argv[1] if len(sys.argv) > 1 else "."
    with tempfile.TemporaryDirectory(dir=parent, prefix="p4-measure-") as place:
        directory = Path(place)
        print(f"disk: {disk(directory):.0f} synced pages/s")
        print("alone:")
        asyncio.run(measure(directory / "alone.sqlite3"))
        print("beside a busy thread:")
        with Busy():
            asyncio.run(measure(directory / "busy.sqlite3"))


if __name__ == "__main__":
    main()
