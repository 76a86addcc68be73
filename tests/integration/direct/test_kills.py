"""Two real programs that exchange messages and streams, and kill -9 at any moment (see kill_program.py).

Nothing is lost, nothing comes twice, every byte is where it was written, and nothing is left behind.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.integration.direct.kill_program import BULK, NOTES, Journal, content, sizes
from tests.integration.direct.node_program import ROOT, direct

import p4
from p4.testing.free_ports import free_ports

NAMES = ("alice", "bob")
KILLS = 11
"""In each of the two runs of `make test`."""
SOAK_KILLS = 250
SETTLE_SECONDS = 180.0
"""After the last kill everything must have arrived within this."""
SMALL_SPOOL = 1_500_000
"""So little that writers wait for readers all the time, and files of the spool come and go."""
LOG_LINES = 60
"""Of each program's log, shown with a failure."""


class Pair:
    """Both programs."""

    def __init__(self, place: Path, seed: str, spool_bytes: int) -> None:
        self.place, self.seed, self.spool_bytes = place, seed, spool_bytes
        self.ports = dict(zip(NAMES, free_ports(len(NAMES)), strict=True))
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.kills = 0

    async def prepare(self) -> None:
        """They know each other, and may use everything."""
        for name in NAMES:
            (self.place / name).mkdir()
        nodes = {name: p4.Node(self.state(name), direct(port=self.ports[name])) for name in NAMES}
        async with nodes["alice"], nodes["bob"]:
            for name, node in nodes.items():
                other = NAMES[1 - NAMES.index(name)]
                await node.add_contact(nodes[other].invite(), other).grant(NOTES, BULK)

    def state(self, name: str) -> Path:
        return self.place / name / "state"

    def start(self, name: str) -> None:
        other = NAMES[1 - NAMES.index(name)]
        arguments = [str(self.place), name, other, self.seed, str(self.ports[name]), str(self.spool_bytes)]
        with (self.place / name / "log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.direct.kill_program", *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self, *names: str) -> None:
        self.check_running()
        for name in names:
            self.running[name].kill()
        for name in names:
            self.running[name].wait()
        self.kills += len(names)

    def check_running(self) -> None:
        for name, process in self.running.items():
            assert process.poll() is None, f"{name} has ended by itself: {self.faults(name)}"

    def faults(self, name: str) -> list[object]:
        return list(Journal(self.place / name / "faults").read())

    async def started(self) -> None:
        """Wait until both programs have begun to work."""
        async with asyncio.timeout(SETTLE_SECONDS):
            while not all(map(self.ends_in_order, NAMES)):
                self.check_running()
                await asyncio.sleep(0.05)

    def ends_in_order(self, name: str) -> bool:
        """Whether the program has started so far that a signal ends it as it should."""
        told = self.place / name / "ends in order"
        return told.exists() and told.read_text() == str(self.running[name].pid)

    def left(self, name: str) -> dict[str, int]:
        """What its disk still has to remember."""
        counts: dict[str, int] = {}
        with closing(
            sqlite3.connect(f"file:{self.state(name) / 'p4.sqlite3'}?mode=ro", uri=True)
        ) as database:
            for table in ("outbox", "inbox", "stream"):
                counts[table] = len(database.execute(f"SELECT 1 FROM {table}").fetchall())  # noqa: S608 - ours
        spools = self.state(name) / "streams"
        counts["spools"] = len(list(spools.iterdir())) if spools.exists() else 0
        lines = list(Journal(self.place / name / "streams").read())
        counts["open"] = sum(1 if line[0] == "open" else -1 for line in lines if line[0] in {"open", "ended"})
        return counts

    async def settle(self) -> None:
        """Begin nothing new, and wait until everything has arrived and nothing is left of it."""
        (self.place / "finish").touch()
        deadline = time.monotonic() + SETTLE_SECONDS
        while not all(map(self.ends_in_order, NAMES)) or any(any(self.left(name).values()) for name in NAMES):
            self.check_running()
            assert time.monotonic() < deadline, {name: self.left(name) for name in NAMES}
            await asyncio.sleep(0.1)

    def end(self) -> None:
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        codes = {name: process.wait(60) for name, process in self.running.items()}
        assert not any(codes.values()), codes

    def abandon(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()

    # -- what must be so at the end ----------------------------------------------------------------------

    def check(self) -> tuple[int, int]:
        """Returns how many messages and bytes of streams there were."""
        for name in NAMES:
            assert not self.faults(name)
        counted = [self.check_messages(*NAMES), self.check_messages(*reversed(NAMES))]
        bytes_ = [self.check_streams(*NAMES), self.check_streams(*reversed(NAMES))]
        return sum(counted), sum(bytes_)

    def check_messages(self, sender: str, receiver: str) -> int:
        sent = list(Journal(self.place / sender / "sent").read())
        accepted = {
            number: message_id for line in sent if line[0] == "sent" for message_id, number in line[1:]
        }
        tried = {number for line in sent if line[0] == "try" for number in line[1:]}
        kept = [line for line in Journal(self.place / receiver / "received").read() if line[0] == "kept"]
        numbers = [number for _, _, number in kept]
        assert numbers == sorted(set(numbers)), "out of order, or twice"
        # One that was on disk when its sender was killed may arrive although send() never returned.
        assert accepted.keys() <= set(numbers) <= tried, accepted.keys() ^ set(numbers)
        for _, message_id, number in kept:
            assert accepted.get(number, message_id) == message_id, f"{number} arrived under another name"
        return len(numbers)

    def check_streams(self, opener: str, accepter: str) -> int:
        total = 0
        ids = {
            line[1]: line[2] for line in Journal(self.place / opener / "streams").read() if line[0] == "id"
        }
        for name, stream_id in ids.items():
            for place, direction, size in zip(
                (accepter, opener), ("forth", "back"), sizes(self.seed, name), strict=True
            ):
                data = (self.place / place / f"{stream_id:016x}").read_bytes()
                assert len(data) == size, (name, direction)
                for offset in range(0, size, 1 << 20):
                    piece = data[offset : offset + (1 << 20)]
                    same = piece == content(f"{self.seed} {name} {direction}", offset, len(piece))
                    assert same, (name, direction, offset)
                total += size
        return total

    def explain(self) -> str:
        lines = [f"seed {self.seed!r}, {self.kills} kills"]
        for name in NAMES:
            log = (self.place / name / "log").read_text(errors="replace") if self.running else ""
            lines += [f"--- {name}: faults {self.faults(name)}", *log.splitlines()[-LOG_LINES:]]
        return "\n".join(lines)


async def kill_and_restart(pair: Pair, chance: random.Random, kills: int) -> None:
    """At any moment, also while they start; one or both; and back at once or after a while."""
    for name in NAMES:
        pair.start(name)
    await pair.started()
    await asyncio.sleep(1.0)
    while pair.kills < kills:
        if chance.random() < 0.2:
            await asyncio.sleep(chance.uniform(0.0, 0.8))
        else:
            await pair.started()  # a busy machine takes its time
            await asyncio.sleep(chance.uniform(0.1, 2.8))
        names = NAMES if chance.random() < 0.2 else (chance.choice(NAMES),)
        pair.kill(*names)
        for name in names:
            if chance.random() < 0.4:
                await asyncio.sleep(chance.uniform(0.0, 1.5))
            pair.start(name)


async def run(place: Path, kills: int, spool_bytes: int, seed: int) -> None:
    pair = Pair(place, f"kills {seed}", spool_bytes)
    await pair.prepare()
    try:
        await kill_and_restart(pair, random.Random(pair.seed), kills)
        began = time.monotonic()
        await pair.settle()
        seconds = time.monotonic() - began
        pair.end()
        messages, size = pair.check()
    except BaseException as error:
        error.add_note(pair.explain())
        raise
    finally:
        pair.abandon()
    print(
        f"\n{pair.kills} kills, {messages} messages and {size / 1e6:.0f} MB of streams, "
        f"complete {seconds:.1f} s after the last start"
    )
    assert messages > 2 * kills
    assert size > 2e5 * kills


SPOOLS = pytest.mark.parametrize(
    "spool_bytes", [SMALL_SPOOL, 64 * 1024 * 1024], ids=["small spool", "usual spool"]
)
FIRST_SEED = int(os.environ.get("P4_FIRST_SEED", "1"))


@pytest.mark.slow
@pytest.mark.timeout(600)
@SPOOLS
async def test_kills_lose_nothing(tmp_path: Path, spool_bytes: int) -> None:
    await run(tmp_path, KILLS, spool_bytes, FIRST_SEED)


@pytest.mark.soak
@pytest.mark.timeout(0)
@SPOOLS
async def test_very_many_kills_lose_nothing(tmp_path: Path, spool_bytes: int) -> None:
    """In pieces, so that what is kept to be compared does not fill the disk."""
    for number in range(SOAK_KILLS // 25):
        place = tmp_path / str(number)
        place.mkdir()
        await run(place, 25, spool_bytes, FIRST_SEED + 100 + number)
