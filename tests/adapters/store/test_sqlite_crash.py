"""Kill -9 at random moments: what was confirmed is there, in order, once.

Each kill strikes a process that sends, receives and remembers as fast as the disk lets it. The same
database goes through all of them. A kill does not empty the kernel's cache as a power cut does; that the
disk is told to sync before a caller is, is tested by its settings in test_sqlite.py.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.adapters.store.crash_child import EPOCH, PEER, STREAM, stream_bytes
from tests.adapters.store_calls import append, inbox, queued

from p4.adapters.store.sqlite import SqliteStore
from p4.ports import StreamRecord

KILLS = 30
BROKEN_PROMISE = r"lost|given twice|new twice|fell|came back|took number|hole"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="fork and kill -9 are POSIX")


class Forks:
    """Starts workers and kills them."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.adapters.store.crash_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout

    def run_and_kill(
        self, path: Path, variant: str, chance: random.Random, *, after: int = 150, within: float = 0.004
    ) -> list[str]:
        """Everything a worker had confirmed when it was killed.

        Args:
            after: it is killed after fewer confirmations than this.
            within: and then within so many seconds: anywhere inside an operation.
        """
        self._input.write(f"{path} {variant}\n")
        self._input.flush()
        worker = int(self._output.readline().split()[1])
        confirmed = [self._output.readline() for _ in range(chance.randrange(after or 1))]
        time.sleep(chance.uniform(0, within))
        os.kill(worker, signal.SIGKILL)
        while (line := self._output.readline()) != "gone\n":
            assert line, "the parent of the workers is gone"
            confirmed.append(line)
        return [line.strip() for line in confirmed]

    def close(self) -> None:
        self._input.close()
        self._process.wait(10)
        self._output.close()


@dataclass
class Confirmed:
    """What the store has promised over all its lives."""

    out: dict[int, str] = field(default_factory=dict)
    acknowledged: int = 0
    received: set[int] = field(default_factory=set)
    replay: int = 0
    stream: int = 0

    def add(self, lines: list[str]) -> None:
        for line in lines:
            match line.split():
                case ["out", number, text]:
                    assert int(number) not in self.out, f"number {number} was given twice"
                    self.out[int(number)] = text
                case ["ack", number]:
                    self.acknowledged = max(self.acknowledged, int(number))
                case ["in", number]:
                    assert int(number) not in self.received, f"message {number} was new twice"
                    self.received.add(int(number))
                case ["replay", when]:
                    self.replay = int(when)
                case ["spool", end]:
                    self.stream = int(end)
                case _:
                    pytest.fail(f"a worker said {line!r}")


async def check(path: Path, confirmed: Confirmed) -> None:
    """Open the database and hold it against the promises."""
    store = SqliteStore(path)
    await store.open()
    try:
        waiting = await queued(store, PEER)
        kept = {number: text.split()[0] for number, text in waiting}
        record = (await store.load_peers())[PEER]
        received = [number for number, _ in await inbox(store, PEER)]
        window = await store.load_replay(PEER)
        spool = store.spool(PEER, STREAM)
        assert spool.end >= confirmed.stream, "confirmed bytes of the stream were lost"
        place = spool.start
        while place < spool.end:
            found = await spool.read(place, 500_000)
            assert found == stream_bytes(place, len(found)), "bytes of the stream are wrong"
            place += len(found)
    finally:
        await store.close()
    numbers = [number for number, _ in waiting]
    assert numbers == list(range(record.out_next - len(numbers), record.out_next)), "a hole in the outbox"
    assert all(text.endswith("x" * 2000) for _, text in waiting)
    assert (record.out_waiting, record.out_first) == (len(numbers), (numbers or [record.out_next])[0]), (
        "the counters fell out of step"
    )
    assert record.in_waiting == len(received), "the counters fell out of step"
    assert record.out_epoch == EPOCH
    # An acknowledgement whose answer was cut off may have removed more, but never what it did not name.
    first = numbers[0] if numbers else record.out_next
    assert first > confirmed.acknowledged, "acknowledged messages came back"
    missing = {number: text for number, text in confirmed.out.items() if number >= record.out_next}
    assert not missing, f"confirmed messages were lost: {missing}"
    for number, text in confirmed.out.items():
        if number in kept:
            assert kept[number] == text, f"another message took number {number}"
    assert received == list(range(1, record.in_next)), "received messages are lost, doubled or out of order"
    assert confirmed.received <= set(received), "confirmed received messages were lost"
    assert max((when for when, _ in window.entries), default=0) >= confirmed.replay, (
        "the replay window fell back"
    )


@pytest.fixture
def forks() -> Iterator[Forks]:
    forks = Forks()
    yield forks
    forks.close()


async def test_what_was_confirmed_survives_every_kill(tmp_path: Path, forks: Forks) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance, confirmed, path = random.Random(seed), Confirmed(), tmp_path / "p4.sqlite3"
    await prepare(path)
    for _ in range(KILLS):
        confirmed.add(forks.run_and_kill(path, "true", chance))
        await check(path, confirmed)
    # The kills struck a store at work, not one that was still starting.
    assert len(confirmed.out) > KILLS
    assert confirmed.received
    assert confirmed.acknowledged
    assert confirmed.replay
    assert confirmed.stream > 1_000_000


@pytest.mark.parametrize("mutant", ["early-answer", "no-transaction"])
async def test_a_store_that_breaks_its_promise_is_caught(tmp_path: Path, forks: Forks, mutant: str) -> None:
    chance, confirmed, path = random.Random(1), Confirmed(), tmp_path / "p4.sqlite3"
    await prepare(path)

    async def kill_and_check() -> None:
        for _ in range(300):  # one kill in five or so strikes where it hurts
            confirmed.add(forks.run_and_kill(path, mutant, chance))
            await check(path, confirmed)

    with pytest.raises(AssertionError, match=BROKEN_PROMISE):
        await kill_and_check()


async def test_a_kill_during_creation_leaves_a_whole_database_or_none(tmp_path: Path, forks: Forks) -> None:
    chance, found = random.Random(), Counter[bool]()
    for number in range(400):
        if min(found[True], found[False]) >= 5:
            return
        path = tmp_path / str(number) / "p4.sqlite3"
        path.parent.mkdir(mode=0o700)
        # Later and later, until the kills have struck on both sides of the making on this machine.
        forks.run_and_kill(path, "true", chance, after=0, within=0.004 * (number % 100))
        found[path.exists()] += 1
        store = SqliteStore(path)
        await store.open()
        await append(store, "works", peer=PEER)
        await store.close()
    pytest.fail(f"the kills did not strike around the making: {found}")


async def prepare(path: Path) -> None:
    """A database with the record of the peer in it, which the workers start from."""
    store = SqliteStore(path)
    await store.open()
    await append(store, f"first {'x' * 2000}", peer=PEER)
    await store.save_stream(PEER, StreamRecord(STREAM, "files", "", opened_here=True))
    await store.close()
