"""The recovery report: how long nodes take to come back, and what they lose, over many runs of every event.

    python -m tests.integration.nat.report --runs 10 --output docs/recovery.md
    python -m tests.integration.nat.report --runs 3 --only "roam"        # prints what the file would say

Needs what the laboratory needs (see `laboratory`) and the programs ``tor`` and ``miniupnpd``. With an
interpreter that has the package ``iroh``, from a virtual environment of its own, that is measured as well:

    python -m venv /tmp/iroh && /tmp/iroh/bin/pip install iroh
    python -m tests.integration.nat.report --iroh-python /tmp/iroh/bin/python --output docs/recovery.md

A row whose runs fail says so; the report is written with what there is. `cases` says what is measured,
`recovery_document` how it is shown.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from tests.integration.nat.cases import (
    Case,
    Connect,
    Ground,
    LongPath,
    cases,
    connects,
    long_paths,
)
from tests.integration.nat.events import EVENTS, Scene, scene
from tests.integration.nat.laboratory import Laboratory
from tests.integration.nat.namespaces import LaboratoryError, unusable_reason
from tests.integration.nat.recovery_document import ConnectRow, Measured, Row, document
from tests.integration.nat.turn import run_turn
from tests.integration.nat.world import World, tor_in

RUN_SECONDS = 60.0
"""A run that takes longer counts as failed."""
SETTLE_SECONDS = (0.5, 1.5)
"""Between two runs of one conversation, so that no timer of the node is met in step."""
FAILURES = 2
"""After so many a row is given up."""
LONG_SECONDS = 40.0
"""Of talking over a long path."""
LONG_LATE_SECONDS = 8.0
"""What counts as late there."""
CONNECT_SHARE = 0.2
"""Of the runs: a first link takes about as long every time."""


async def measure(case: Case, ground: Ground, runs: int) -> list[Row]:
    """Let every event of a case happen so often, under one conversation if none fails."""
    rows = [Row(case.section, case.pair, event) for event in case.events]
    while left := [row for row in rows if len(row.recoveries) < runs and len(row.failures) < FAILURES]:
        async with case.build(ground) as acted:
            row = left[0]
            try:
                async with AsyncExitStack() as stack:
                    meeting = await stack.enter_async_context(acted.meeting)
                    await meeting.connected(RUN_SECONDS)
                    if acted.common is not None:
                        stack.push_async_callback(acted.common.stop)
                        await acted.introduce()
                    meeting.talk(case.rate)
                    await meeting.flowing()
                    begins: list[tuple[float, Row | None]] = []
                    try:
                        for row in left:
                            await _repeat(row, acted, runs, begins)
                    finally:
                        await meeting.finish()
                        _count(acted, begins)
            except (LaboratoryError, TimeoutError) as error:
                row.failures.append(str(error))
                print(f"  failed: {error}", flush=True)
    return rows


async def _repeat(row: Row, acted: Scene, runs: int, begins: list[tuple[float, Row | None]]) -> None:
    meeting = acted.meeting
    while len(row.recoveries) < runs:
        await asyncio.sleep(random.uniform(*SETTLE_SECONDS))
        begins.append((time.monotonic(), row))
        at = await EVENTS[row.event](acted)
        recovery = await meeting.recovered(
            row.event, at, seconds=RUN_SECONDS, watch=time.monotonic() - at + 1.0
        )
        print(f"  {recovery}", flush=True)
        row.recoveries.append(recovery)
    # The next event finds both where they began. The way there belongs to no row.
    begins.append((time.monotonic(), None))
    if await acted.go_home():
        await meeting.flowing(seconds=RUN_SECONDS)


def _count(acted: Scene, begins: Sequence[tuple[float, Row | None]]) -> None:
    """What became of the messages that were sent from the begin of each run to that of the next one."""
    ends = [begin for begin, _ in begins[1:]] + [time.monotonic()]
    for (begin, row), end in zip(begins, ends, strict=True):
        if row is not None:
            row.tallies.append(acted.meeting.tally(begin, end))


async def connect(pair: Connect, ground: Ground, runs: int) -> ConnectRow:
    """Let two new nodes find each other so often."""
    row = ConnectRow(pair.name, pair.way)
    turn = (ground.world.turn.server("tcp" if "tcp" in pair.way else "udp"),) if pair.turn else ()
    extra = {} if not pair.turn else {"port_guessing": False}
    while len(row.seconds) < runs and len(row.failures) < FAILURES:
        acted = scene(
            ground.world, partial(ground.world.direct, turn=turn, extra=extra), kinds=pair.kinds, cafes=False
        )
        await _meet(row, acted, 0.5)
    return row


async def long_path(path: LongPath, ground: Ground, runs: int) -> ConnectRow:
    """Two new nodes on a bad line, who talk for a while; the last pair for longer."""
    row = ConnectRow(path.name, "direct")
    while len(row.seconds) < runs and len(row.failures) < FAILURES:
        acted = scene(ground.world, ground.world.direct, late=LONG_LATE_SECONDS, cafes=False)
        for network in acted.networks:
            network.shape(path.conditions)
        await _meet(row, acted, LONG_SECONDS if len(row.seconds) == runs - 1 else 0.0)
    return row


async def _meet(row: ConnectRow, acted: Scene, talk_seconds: float) -> None:
    try:
        async with acted.meeting as meeting:
            seconds = await meeting.connected(RUN_SECONDS)
            meeting.talk()
            await meeting.flowing()
            await asyncio.sleep(talk_seconds)
            row.tallies.append(await meeting.finish())
            row.seconds.append(seconds)
            row.downs += sum(one["event"] == "LinkDown" for one in [*meeting.one.said, *meeting.other.said])
    except (LaboratoryError, TimeoutError) as error:
        row.failures.append(str(error))
    print(f"  {row}", flush=True)


async def report(runs: int, only: str, iroh_python: Path | None) -> Measured:
    """Measure all whose name matches; one laboratory, one thing after the other."""
    begun = time.monotonic()
    measured = Measured(runs, iroh=iroh_python is not None)
    fewer = max(1, round(runs * CONNECT_SHARE))
    async with AsyncExitStack() as stack:
        laboratory = stack.enter_context(Laboratory())
        server = laboratory.server("server")
        turn = stack.enter_context(run_turn(server, laboratory.directory / "turn"))
        logs = Path(tempfile.mkdtemp(prefix="p4-recovery-"))
        print(f"the nodes' logs are in {logs}")
        ground = Ground(World(laboratory, server, turn, logs), iroh_python=iroh_python)
        chosen = [case for case in cases(iroh=iroh_python is not None) if re.search(only, case.name)]
        if any(case.tor for case in chosen):
            ground.tor = await stack.enter_async_context(tor_in(laboratory, laboratory.directory / "tor"))
        for pair in connects():
            if re.search(only, pair.name):
                print(f"{time.monotonic() - begun:.0f} s, {pair.name}", flush=True)
                measured.connects.append(await connect(pair, ground, fewer))
        for case in chosen:
            print(f"{time.monotonic() - begun:.0f} s, {case.name}", flush=True)
            measured.rows += await measure(case, ground, max(1, round(runs * case.share)))
        print(f"{time.monotonic() - begun:.0f} s, long paths", flush=True)
        # These mostly wait, so that they do not disturb each other.
        paths = [path for path in long_paths() if re.search(only, path.name)]
        measured.long_paths += await asyncio.gather(*(long_path(path, ground, fewer) for path in paths))
    measured.seconds = time.monotonic() - begun
    return measured


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10, help="of each row (default 10)")
    parser.add_argument("--only", default="", metavar="PATTERN", help="only what has this in its name")
    parser.add_argument("--output", type=Path, help="write the report there instead of printing it")
    parser.add_argument("--iroh-python", type=Path, help="an interpreter that has the package iroh")
    arguments = parser.parse_args()
    if reason := unusable_reason():
        raise SystemExit(f"The report cannot be made here: {reason}.")
    text = document(asyncio.run(report(arguments.runs, arguments.only, arguments.iroh_python)))
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
