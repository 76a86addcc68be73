"""`make bench`, or ``python -m bench``: everything side by side, as a table and as a JSON file.

python -m bench --quick                 a look in two minutes; too few runs for conclusions
python -m bench --only wrtc P4/wrtc     some rows of the first group; --only recovery for the second
python -m bench --only session          the third group; --only messages streams for some tables of it
python -m bench --runs 20               more runs
python -m bench --markdown FILE         write the tables with the machine's facts to FILE too
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import machine, pairs, recovery
from bench.results import UNITS, Results
from bench.session.measure import TABLES, Measured
from bench.session.measure import measure as measure_session
from bench.worker import BULK_BYTES, SMALL_BYTES, Settings

RESULTS = pairs.ROOT / "bench" / "results" / "latest.json"
RECOVERY = "recovery"
SESSION = "session"
_ABOUT_STACKS = f"""\
## Two processes on this machine

Bulk: messages of {BULK_BYTES // 1024} KiB; small and round trip: messages of {SMALL_BYTES} bytes. Medians of
the runs, ranges in brackets; x is the ratio to the raw library in this run. P4's messages are durable: on
both disks, exactly once, confirmed; the others' are not. Set-up of P4: from the start of the dial until both
sides have proved their identity.
"""
_ABOUT_RECOVERY = """\
## Two nodes over a private Tor network on this machine

Both have a cached Tor directory. Open: both sides have an authenticated link. Starts count from the start
of the process, Python's own start included.
"""
QUICK = Settings(bulk_seconds=1.0, small_seconds=1.0, round_trips=500, round_trip_seconds=1.0, setups=3)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures P4 beside its raw parts.")
    parser.add_argument("--quick", action="store_true", help="short and few runs: a look, not a result")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        choices=[*pairs.STACKS, RECOVERY, SESSION, *TABLES],
        help="only these",
    )
    parser.add_argument(
        "--runs", type=int, metavar="N", help="runs of each (default: 5, 10 and 5; quick: 1, 2 and 1)"
    )
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help="where the JSON file goes")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there too")
    return parser.parse_args()


def _tell(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{text} …", end="", file=sys.stderr, flush=True)
    else:
        print(f"{text} …", file=sys.stderr, flush=True)


def _finish_telling() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[2K", end="", file=sys.stderr, flush=True)


@dataclass
class Groups:
    """What was measured; None for a group that was not chosen."""

    stacks: Results | None = None
    recovery: Results | None = None
    session: Measured | None = None

    def measured(self) -> dict[str, Results | Measured]:
        """The groups that were chosen, by name."""
        groups = {"stacks": self.stacks, RECOVERY: self.recovery, SESSION: self.session}
        return {name: group for name, group in groups.items() if group is not None}


def _report(facts: dict[str, Any], groups: Groups) -> list[str]:
    lines = []
    if groups.stacks is not None:
        lines += [_ABOUT_STACKS, *groups.stacks.table(UNITS, "stack", pairs.BASELINES), ""]
    if groups.recovery is not None:
        columns = {"to open": "s", "noticed by the other": "s"}
        lines += [_ABOUT_RECOVERY, *groups.recovery.table(columns, "event"), ""]
    if groups.session is not None:
        lines += groups.session.lines()
    lines += ["## Machine", "", *(f"- {name}: {value}" for name, value in facts.items())]
    return lines


async def _measure(options: argparse.Namespace) -> Groups:
    chosen = options.only or [*pairs.STACKS, RECOVERY, SESSION]
    groups = Groups()
    runs = options.runs or (1 if options.quick else 5)
    if names := [name for name in pairs.STACKS if name in chosen]:
        groups.stacks = await pairs.measure(names, runs, QUICK if options.quick else Settings(), _tell)
    if RECOVERY in chosen:
        groups.recovery = await recovery.measure(options.runs or (2 if options.quick else 10), _tell)
    tables = [name for name in TABLES if name in chosen or SESSION in chosen]
    if tables:
        groups.session = await measure_session(tables, runs, options.quick, _tell)
    _finish_telling()
    return groups


def main() -> int:
    """Measure and report; 1 if anything could not be measured."""
    options = _arguments()
    os.environ.setdefault("PYTHONPATH", str(pairs.ROOT / "src"))
    facts = machine.facts()
    groups = asyncio.run(_measure(options))
    report = _report(facts, groups)
    measured = groups.measured()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(
        json.dumps(
            {"machine": facts, **{name: group.as_json() for name, group in measured.items()}}, indent=2
        )
        + "\n",
        "utf-8",
    )
    if options.markdown:
        heading = "Written by `make bench`. Compare the rows of one table, not times of different machines."
        options.markdown.write_text("\n".join(["# Benchmarks", "", heading, "", *report, ""]), "utf-8")
    print("\n".join(report))
    failures = [failure for group in measured.values() for failure in group.failures]
    for failure in failures:
        print(f"not measured: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
