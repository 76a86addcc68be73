"""The report for a person: languages across, cases down; then who sends to whom; then what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from conformance.outcomes import Outcome, Report, Verdict

__all__ = ["table"]

_DETAIL = 600
_SHOWN_FAILURES = 40


def _row_of(case: str) -> str:
    """L2 cases stand together by their kind: there are too many of them for a line each."""
    return case.split(": ", 1)[0] if case.startswith("L2 ") else case


def _cell(outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return "-"
    wrong = [one for one in outcomes if one.verdict in {Verdict.FAILED, Verdict.UNEXPECTED}]
    known = [one for one in outcomes if one.verdict is Verdict.KNOWN]
    if wrong:
        return "FAILED" if len(outcomes) == 1 else f"{len(wrong)} FAILED"
    if known:
        return "known" if len(outcomes) == 1 else f"{len(known)} known"
    return "ok" if len(outcomes) == 1 else f"{len(outcomes)} ok"


def _lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    everything = [list(header), *map(list, rows)]
    widths = [max(len(row[column]) for row in everything) for column in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in everything
    ]


def table(report: Report) -> str:
    """The whole report as text, without a line end."""
    ran = [name for name in report.languages if name not in report.missing]
    singles = [one for one in report.outcomes if not one.case.startswith("pair ")]
    pairs = [one for one in report.outcomes if one.case.startswith("pair ")]
    rows = dict.fromkeys(_row_of(one.case) for one in singles)
    parts: list[str] = []
    if rows:
        parts += _lines(
            ["", *ran],
            (
                [
                    row,
                    *(
                        _cell([one for one in singles if (one.language, _row_of(one.case)) == (name, row)])
                        for name in ran
                    ),
                ]
                for row in rows
            ),
        )
    if pairs:
        receivers = [name for name in ran if any(one.case == f"pair to {name}" for one in pairs)]
        parts += [
            "",
            *_lines(
                ["from, to", *receivers],
                (
                    [
                        name,
                        *(
                            _cell(
                                [one for one in pairs if (one.language, one.case) == (name, f"pair to {to}")]
                            )
                            for to in receivers
                        ),
                    ]
                    for name in ran
                ),
            ),
        ]
    parts += _problems(report)
    for name, reason in report.missing.items():
        parts += ["", f"{name} is skipped: {reason}"]
    spent = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in report.seconds.items())
    counts = ", ".join(
        f"{len(list(found))} {verdict}"
        for verdict, found in groupby(sorted(one.verdict for one in report.outcomes))
    )
    return "\n".join([*parts, "", f"{counts or 'nothing ran'} ({spent})"]).lstrip("\n")


def _problems(report: Report) -> list[str]:
    lines: list[str] = []
    for one in report.failures[:_SHOWN_FAILURES]:
        detail = one.detail if len(one.detail) <= _DETAIL else f"{one.detail[:_DETAIL]}…"
        lines += ["", f"{one.verdict.upper()} {one.language}, {one.case}", f"  {detail}"]
    if len(report.failures) > _SHOWN_FAILURES:
        lines += ["", f"and {len(report.failures) - _SHOWN_FAILURES} more"]
    return lines
