"""``python -m conformance``: what every SDK does as it should.

python -m conformance --language js rust       only these
python -m conformance --case "kill -9" pair    only cases with one of these in their name
python -m conformance --json                   the report as JSON
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys

from conformance.languages import LANGUAGES
from conformance.matrix import table
from conformance.outcomes import Outcome, Report, Verdict, read_known_failures
from conformance.runner import Runner


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m conformance", description="Tells the command of every SDK the same things."
    )
    names = [language.name for language in LANGUAGES]
    parser.add_argument(
        "--language", nargs="+", metavar="NAME", choices=names, default=names, help="only these"
    )
    parser.add_argument(
        "--case", nargs="+", metavar="TEXT", default=[""], help="only cases with one of these in their name"
    )
    parser.add_argument("--json", action="store_true", help="the report as JSON on standard output")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="languages at a time (2)")
    return parser.parse_args()


def _tell(outcome: Outcome) -> None:
    """A line on standard error for what is wrong, at once."""
    if outcome.verdict in {Verdict.FAILED, Verdict.UNEXPECTED}:
        print(f"{outcome.language}, {outcome.case}: {outcome.detail[:300]}", file=sys.stderr)


def main() -> int:
    """Run it; 0 if everything is as it should be."""
    arguments = _arguments()
    languages = [language for language in LANGUAGES if language.name in arguments.language]
    report = Report([language.name for language in languages], read_known_failures())
    runner = Runner(
        languages,
        report,
        wanted=lambda _, case: any(text in case for text in arguments.case),
        told=_tell,
        noted=lambda words: print(words, file=sys.stderr),
        jobs=arguments.jobs,
    )
    asyncio.run(runner.run())
    if arguments.json:
        json.dump(report.to_object(), sys.stdout, indent=2, ensure_ascii=False)
        print()
    else:
        print(table(report))
    if report.missing and os.environ.get("CI"):
        print("In CI no language may be skipped.", file=sys.stderr)
        return 1
    return 1 if report.failures or not report.outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
