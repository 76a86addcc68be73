"""How findings look on a screen."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Sequence

from p4.cli.output import say, visible
from p4.diagnosis.finding import Finding, Level

__all__ = ["say_findings", "say_summary"]

_MARKS = {Level.OK: "ok  ", Level.WARN: "warn", Level.BAD: "BAD "}
_COLOURS = {Level.OK: "\x1b[32m", Level.WARN: "\x1b[33m", Level.BAD: "\x1b[1;31m"}
_PLAIN = "\x1b[0m"
_SUBJECT_WIDTH = 13
_WIDEST = 110


def say_findings(findings: Sequence[Finding]) -> None:
    """Print findings: a mark, what it is about, the sentence, and below it what to do."""
    colours = sys.stdout.isatty()
    # A script reads whole lines; a person reads no line across a whole wide screen.
    width = min(shutil.get_terminal_size().columns, _WIDEST) if colours else 10_000
    margin = " " * (len(_MARKS[Level.OK]) + _SUBJECT_WIDTH + 2)
    for finding in findings:
        mark = _MARKS[finding.level]
        if colours:
            mark = f"{_COLOURS[finding.level]}{mark}{_PLAIN}"
        room = max(width - len(margin), 30)
        lines = textwrap.wrap(visible(finding.text), room) or [""]
        if finding.advice:
            lines += textwrap.wrap(f"→ {visible(finding.advice)}", room)
        say(
            "\n".join(
                [
                    f"{mark} {finding.subject:<{_SUBJECT_WIDTH}} {lines[0]}",
                    *(margin + one for one in lines[1:]),
                ]
            )
        )


def say_summary(findings: Sequence[Finding]) -> None:
    """Print how many of which there were."""
    counts = Counter(finding.level for finding in findings)
    bad, warnings = counts[Level.BAD], counts[Level.WARN]
    if not bad and not warnings:
        say("\nNothing stands in the way.")
    else:
        say(f"\n{bad} bad, {warnings} to know about, {counts[Level.OK]} in order.")
