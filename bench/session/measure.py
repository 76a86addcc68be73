"""Runs the parts of this group, and prints what they found."""

from __future__ import annotations

import asyncio
import tempfile
import textwrap
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import forward
from bench.results import Results
from bench.session import crowds, endurance, files, lanes, traffic
from bench.session.scale import FULL, SHORT, Scale

PART_SECONDS = 300.0
"""After this a part counts as failed."""

Part = Callable[[Path, Scale], Awaitable[dict[str, dict[str, float]]]]


@dataclass(frozen=True)
class Table:
    """Some parts whose figures stand in one table.

    Args:
        parts: each gives values by row and column.
        columns: heading of each column with its unit.
        baseline: the row that others are compared with; the highest of several in the first column.
        once: measured in one round only, because it takes long and hardly varies.
    """

    title: str
    about: str
    first: str
    columns: dict[str, str]
    parts: tuple[Part, ...]
    baseline: tuple[str, ...] = ()
    once: bool = False


TABLES = {
    "messages": Table(
        "Durable messages of 100 bytes",
        "On both disks, exactly once, in order, and taken by an application that says so of each. Both "
        "ways: the slower direction while both are busy. CPU is that of the whole process.",
        "what",
        {"messages": "1/s", "sender's CPU": "µs each", "receiver's CPU": "µs each"},
        (traffic.raw_messages, traffic.messages),
        baseline=("wrtc",),
    ),
    "streams": Table(
        "One stream",
        "Written and read as fast as it goes, on the writer's disk until the reader has consumed it.",
        "what",
        {"bytes": "MB/s", "writer's CPU": "s/GB", "reader's CPU": "s/GB"},
        (traffic.raw_bulk, traffic.stream),
        baseline=("wrtc, 16 KiB", "wrtc, 60 KiB"),
    ),
    "lanes": Table(
        "One stream over a lane of TLS and TCP",
        "Durable as above. asyncio's TLS with messages of two sizes carries the same from memory to memory.",
        "what",
        {"bytes": "MB/s", "writer's CPU": "s/GB", "reader's CPU": "s/GB"},
        (lanes.raw_tls, lanes.lane),
        baseline=("asyncio TLS, 64 KiB", "asyncio TLS, 256 KiB"),
    ),
    "files": Table(
        "Copied files",
        "Read from one disk, and safe on another and verified by their hashes at the end, beside a plain "
        "stream of as many bytes before and after, which touches no file.",
        "what",
        {"bytes": "MB/s", "files": "1/s"},
        (files.over_link, files.over_lane),
    ),
    "round trips": Table(
        "Round trips of 100 bytes",
        "",
        "what",
        {"p50": "µs", "p99": "µs"},
        (traffic.raw_trips, traffic.trips),
        baseline=("wrtc",),
    ),
    "forward": Table(
        "Round trips of 100 bytes through a forwarded port",
        "TCP: the same two programs without P4. Added: beyond a round trip on an open stream between the "
        "same two processes. 50 forwards: each with its own connection, all busy at once.",
        "what",
        {"p50": "µs", "p99": "µs", "added": "µs"},
        (forward.round_trips,),
        baseline=("P4 stream",),
    ),
    "forwarded bytes": Table(
        "Bytes through a forwarded port",
        "One connection, until the program at its other end has told how much it got.",
        "what",
        {"bytes": "MB/s"},
        (forward.bulk,),
        baseline=("P4 stream",),
    ),
    "slow reader": Table(
        "A reader that is 100 times slower than the writer",
        "Growth: highest resident memory less that before the first stream. Beside it: messages, one group "
        "after the other, and another stream, while the slow one goes on.",
        "process",
        {
            "growth": "MB",
            "growth with others": "MB",
            "slow stream": "MB/s",
            "another stream": "MB/s",
            "messages beside it": "1/s",
        },
        (endurance.slow_reader,),
    ),
    "killed reader": Table(
        "kill -9 of the reader in the middle of a stream",
        "Sent again: bytes sent beyond the stream's length. Window: most that may be under way unconfirmed. "
        "To flow: from the start of the new process, Python's own start included, to the first bytes it "
        "reads.",
        "what",
        {"sent again": "MB", "window": "MB", "to flow": "s"},
        (endurance.killed_reader,),
    ),
    "contacts": Table(
        "Contacts that cannot be reached",
        "Each was seen once and has an address that refuses. Memory: beyond that of a node without contacts.",
        "contacts",
        {"start": "s", "memory at start": "KB each", "memory later": "KB each", "CPU later": "% of a core"},
        (crowds.contacts,),
        once=True,
    ),
    "connected": Table(
        "Connected peers of one process",
        "Memory: beyond that of a node without contacts.",
        "peers",
        {"memory": "MB each", "idle CPU": "% of a core", "until all are connected": "s"},
        (crowds.connected,),
        once=True,
    ),
    "queue": Table(
        "Messages queued for a contact that is away",
        "Of 100 bytes, by send_many. Growth: of resident memory while they are queued, and of a process "
        "that starts with them, beyond the one that started without.",
        "messages",
        {
            "queueing": "s per 100 000",
            "slowest 100 000": "s",
            "growth": "MB",
            "start": "s",
            "growth after start": "MB",
        },
        (crowds.queue,),
        once=True,
    ),
}


@dataclass
class Measured:
    """The results of this group, by table."""

    tables: dict[str, Results]

    @property
    def failures(self) -> list[str]:
        """What could not be measured."""
        return [failure for results in self.tables.values() for failure in results.failures]

    def as_json(self) -> dict[str, Any]:
        """Every value."""
        return {name: results.as_json() for name, results in self.tables.items()}

    def lines(self) -> list[str]:
        """The tables in Markdown."""
        lines: list[str] = []
        for name, results in self.tables.items():
            table = TABLES[name]
            lines += [f"## {table.title}", ""]
            if table.about:
                lines += [textwrap.fill(table.about, 110), ""]
            lines += [*results.table(table.columns, table.first, _baselines(table, results)), ""]
        return lines


def _baselines(table: Table, results: Results) -> dict[str, str]:
    column = next(iter(table.columns))
    known = [(median, row) for row in table.baseline if (median := results.median(row, column)) is not None]
    if not known:
        return {}
    _, best = max(known)
    return {row: best for row in results.cells if row not in table.baseline}


async def measure(names: list[str], rounds: int, quick: bool, tell: Callable[[str], None]) -> Measured:
    """Measure these tables, or all if none is named. A part that fails is reported, and the next begins."""
    scale = SHORT if quick else FULL
    measured = Measured({name: Results() for name in names or TABLES})
    for number in range(1, rounds + 1):
        for name, results in measured.tables.items():
            if TABLES[name].once and number > 1:
                continue
            for part in TABLES[name].parts:
                what = part.__name__.replace("_", " ")
                tell(f"{name}: {what}, round {number} of {rounds}")
                try:
                    async with asyncio.timeout(PART_SECONDS):
                        await _run(part, scale, results)
                except (TimeoutError, RuntimeError, OSError, ValueError) as error:
                    reason = str(error) or f"no result after {PART_SECONDS:g} s"
                    results.failures.append(f"{what}, round {number}: {reason}")
    return measured


async def _run(part: Part, scale: Scale, results: Results) -> None:
    with tempfile.TemporaryDirectory(prefix="p4-bench-") as directory:
        for row, values in (await part(Path(directory), scale)).items():
            results.add(row, values)
