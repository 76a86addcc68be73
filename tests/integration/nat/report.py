"""The recovery report: how long nodes take to come back, and what they lose, over many runs of every event.

    python -m tests.integration.nat.report --runs 10 --output docs/recovery.md
    python -m tests.integration.nat.report --runs 3 --only "roam"        # prints what the file would say

Needs what the laboratory needs (see `laboratory`), and for the rows with Tor the program ``tor``. A row whose
runs fail says so; the report is written with what there is.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import statistics
import tempfile
import traceback
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.machine import facts
from tests.integration.nat.events import EVENTS, Scene, scene
from tests.integration.nat.laboratory import Laboratory
from tests.integration.nat.meeting import Meeting, Recovery, Tally
from tests.integration.nat.namespaces import LaboratoryError, unusable_reason
from tests.integration.nat.networks import Host
from tests.integration.nat.node_program import Settings
from tests.integration.nat.rules import NatKind
from tests.integration.nat.turn import run_turn
from tests.integration.nat.world import World, tor_in

from p4.testing.tor_network import PrivateTorNetwork

__all__ = ["Case", "Outcome", "cases", "measure", "table"]

RATE = 4.0
"""Messages a second each way."""
GAP_RATE = 20.0
"""Where an interruption shorter than the pace of the messages is to be seen."""
RUN_SECONDS = 120.0
"""A run that takes longer counts as failed."""
SETTLE_SECONDS = (1.5, 3.0)
"""Between two runs of one conversation, so that no timer of the node is met in step."""
NO_FOLLOWING = "both roam at once"
"""With TCP signaling alone nobody would know where the other one is."""

HARD = (NatKind.SYMMETRIC, NatKind.PORT_RESTRICTED)
HOMES = (NatKind.PORT_RESTRICTED, NatKind.PORT_RESTRICTED)


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the report: one event for one kind of pair."""

    pair: str
    event: str
    settings: Callable[[World, PrivateTorNetwork | None, Host], Settings] = field(repr=False)
    kinds: tuple[NatKind, NatKind] = HOMES
    tor: bool = False
    silent_seconds: float = 8.0

    @property
    def name(self) -> str:
        """What ``--only`` searches."""
        return f"{self.pair}: {self.event}"


@dataclass(slots=True)
class Outcome:
    """What the runs of a case gave."""

    case: Case
    recoveries: list[Recovery] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def row(self) -> list[str]:
        """Its cells in the table."""
        seconds = sorted(recovery.seconds for recovery in self.recoveries)
        silences = sorted(recovery.silence for recovery in self.recoveries)
        noticed = [
            min(at for at in recovery.noticed.values() if at is not None)
            for recovery in self.recoveries
            if any(at is not None for at in recovery.noticed.values())
        ]
        counts = [(one.lost, one.doubled, one.disordered, one.accepted) for one in self.tallies or [_NONE]]
        return [
            self.case.pair,
            self.case.event,
            f"{len(seconds)}" + (f" (+{len(self.failures)} failed)" if self.failures else ""),
            _seconds(seconds, 0.5),
            _seconds(seconds, 0.95),
            _seconds(seconds, 1.0),
            _seconds(silences, 0.5),
            _seconds(sorted(noticed), 0.5),
            *(str(count) for count in map(sum, zip(*counts, strict=True))),
        ]


_NONE = Tally(0, 0, 0, 0)

HEADINGS = (
    *("pair", "event", "runs", "p50 s", "p95 s", "longest s", "silence p50 s", "noticed p50 s"),
    *("lost", "doubled", "out of order", "messages"),
)


def cases() -> list[Case]:
    """All rows, those that need no Tor first."""

    def direct(world: World, tor: PrivateTorNetwork | None, host: Host) -> Settings:
        return world.direct(host)

    def relayed(world: World, tor: PrivateTorNetwork | None, host: Host) -> Settings:
        return world.direct(host, turn=(world.turn.server("udp"),))

    def onion(world: World, tor: PrivateTorNetwork | None, host: Host) -> Settings:
        assert tor is not None
        return world.onion(tor)

    def onion_relayed(world: World, tor: PrivateTorNetwork | None, host: Host) -> Settings:
        assert tor is not None
        return world.onion(tor, turn=(world.turn.server("udp"),))

    found = []
    for event in EVENTS:
        if event != NO_FOLLOWING:
            found.append(Case("homes, TCP signaling", event, direct))
            found.append(Case("symmetric × home, TCP signaling, TURN", event, relayed, HARD))
    for event in EVENTS:
        found.append(Case("homes, Tor", event, onion, tor=True))
        found.append(Case("homes, Tor, TURN", event, onion_relayed, tor=True))
        found.append(Case("symmetric × home, Tor, TURN", event, onion_relayed, HARD, tor=True))
    return found


async def measure(case: Case, world: World, tor: PrivateTorNetwork | None, runs: int) -> Outcome:
    """Let the event happen so often, under as few conversations as possible: one, if no run fails."""
    outcome = Outcome(case)
    while len(outcome.recoveries) < runs and len(outcome.failures) < 2:
        acted = scene(
            world,
            partial(case.settings, world, tor),
            kinds=case.kinds,
            silent_seconds=case.silent_seconds,
        )
        try:
            async with acted.meeting as meeting:
                await meeting.connected(RUN_SECONDS)
                meeting.talk(GAP_RATE if case.event == "make before break" else RATE)
                await meeting.flowing()
                await _repeat(outcome, acted, runs)
                outcome.tallies.append(await meeting.finish())
        except (LaboratoryError, TimeoutError) as error:
            outcome.failures.append(str(error))
    return outcome


async def _repeat(outcome: Outcome, acted: Scene, runs: int) -> None:
    meeting: Meeting = acted.meeting
    event = outcome.case.event
    while len(outcome.recoveries) < runs:
        await asyncio.sleep(random.uniform(*SETTLE_SECONDS))
        at = await EVENTS[event](acted)
        recovery = await meeting.recovered(event, at, seconds=RUN_SECONDS, watch=1.0)
        print(f"  {recovery}", flush=True)
        outcome.recoveries.append(recovery)


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """The lines of a table in Markdown."""
    rows = [list(HEADINGS), *(outcome.row() for outcome in outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    return [lines[0], "| " + " | ".join("-" * width for width in widths) + " |", *lines[1:]]


def document(outcomes: Sequence[Outcome], runs: int) -> str:
    """The whole file."""
    machine = facts()
    lines = [
        "# Recovery",
        "",
        "Written by `python -m tests.integration.nat.report`. Real nodes in a laboratory of network",
        "namespaces (tests/integration/nat): a round trip between two homes, to a server and between two Tor",
        "relays takes 40 ms; every home has a port-restricted NAT unless the pair says otherwise;",
        f"{RATE:g} messages a second each way ({GAP_RATE:g} for make before break); {runs} runs a row.",
        "",
        "Seconds count from the event, or from the end of a blackhole, a sleep, an unplugged cable or a",
        "killed process, until messages flow in both directions again and go on. Silence is the longest time",
        "without an arrival, the event's own duration and the pace of the messages included. Noticed: until",
        "the first node knew that its link is gone.",
        "",
        *table(outcomes),
        "",
    ]
    failures = [(outcome.case.name, text) for outcome in outcomes for text in outcome.failures]
    if failures:
        lines += ["## Runs that failed", ""]
        lines += [f"- {name}: {text.splitlines()[0][:300]}" for name, text in failures]
        lines.append("")
    lines += ["## Machine", "", *(f"- {name}: {value}" for name, value in machine.items()), ""]
    return "\n".join(lines)


def _seconds(values: Sequence[float], share: float) -> str:
    """A quantile, by the nearest rank: no value that was not measured."""
    if not values:
        return "-"
    if share == 0.5:
        return f"{statistics.median(values):.2f}"
    return f"{values[min(len(values) - 1, int(share * len(values)))]:.2f}"


async def report(runs: int, only: str) -> tuple[str, list[Outcome]]:
    """Measure all cases whose name matches."""
    chosen = [case for case in cases() if re.search(only, case.name)]
    outcomes: list[Outcome] = []
    async with AsyncExitStack() as stack:
        laboratory = stack.enter_context(Laboratory())
        server = laboratory.server("server")
        turn = stack.enter_context(run_turn(server, laboratory.directory / "turn"))
        logs = Path(tempfile.mkdtemp(prefix="p4-recovery-"))
        print(f"the nodes' logs are in {logs}")
        world = World(laboratory, server, turn, logs)
        tor: PrivateTorNetwork | None = None
        if any(case.tor for case in chosen):
            tor = await stack.enter_async_context(tor_in(laboratory, laboratory.directory / "tor"))
        for number, case in enumerate(chosen, 1):
            print(f"{number} of {len(chosen)}, {case.name}", flush=True)
            try:
                outcomes.append(await measure(case, world, tor, runs))
            except Exception as error:  # noqa: BLE001 - hours of other rows are not thrown away for one
                traceback.print_exc()
                outcomes.append(Outcome(case, failures=[repr(error)]))
            print("  " + " | ".join(outcomes[-1].row()), flush=True)
    return document(outcomes, runs), outcomes


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10, help="of each row (default 10)")
    parser.add_argument("--only", default="", metavar="PATTERN", help="only rows whose name has this in it")
    parser.add_argument("--output", type=Path, help="write the report there instead of printing it")
    arguments = parser.parse_args()
    if reason := unusable_reason():
        raise SystemExit(f"The report cannot be made here: {reason}.")
    text, _ = asyncio.run(report(arguments.runs, arguments.only))
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
