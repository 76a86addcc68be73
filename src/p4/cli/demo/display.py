"""What the demonstration shows: a live list of steps on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

__all__ = ["Display", "LiveDisplay", "PlainDisplay", "Result", "Verdict", "make_display", "show_verdict"]

NOTE_SECONDS = 1.0
"""Progress comes in bursts; a log keeps one line of each."""


class Verdict(StrEnum):
    """How a step went."""

    OK = "ok"
    SLOW = "slow"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the final table."""

    step: str
    verdict: Verdict
    seconds: float | None = None
    """What was measured, if there was something to measure."""
    target_seconds: float | None = None
    """What P4 wants to reach on an ordinary machine."""
    detail: str = ""
    evidence: tuple[str, ...] = ()
    """Lines for the final verdict, with which a reader can check it."""


class Display(Protocol):
    """Shows steps as they happen."""

    def begin(self, step: str) -> None:
        """A step has begun."""

    def note(self, text: str) -> None:
        """What the step is doing or waiting for now; replaces the note before."""

    def end(self, result: Result) -> None:
        """The step is over."""

    def tell(self, text: str) -> None:
        """A sentence for the reader, between steps."""

    def close(self) -> None:
        """Nothing moves any more."""


def make_display(console: Console) -> Display:
    """Live where somebody watches a terminal, plain everywhere else."""
    return (
        LiveDisplay(console)
        if console.is_terminal and not console.is_dumb_terminal
        else PlainDisplay(console)
    )


class PlainDisplay:
    """One line when a step begins, at most one each second while it lasts, one when it ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._noted_at = 0.0

    def begin(self, step: str) -> None:
        """See `Display`."""
        self._noted_at = 0.0
        self._line(f"{step} ...")

    def note(self, text: str) -> None:
        """See `Display`."""
        now = time.monotonic()
        if now - self._noted_at >= NOTE_SECONDS:
            self._noted_at = now
            self._line(f"    {text}")

    def end(self, result: Result) -> None:
        """See `Display`."""
        self._line(f"    {_outcome(result)}")

    def tell(self, text: str) -> None:
        """See `Display`."""
        self._line(text)

    def close(self) -> None:
        """See `Display`."""

    def _line(self, text: str) -> None:
        passed = time.monotonic() - self._began
        self._console.print(f"[{passed:6.1f} s] {text}", markup=False, highlight=False, soft_wrap=True)
        sys.stdout.flush()


class LiveDisplay:
    """Finished steps stay; the current one has a spinner, its seconds and a note."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = 0.0
        self._note = ""
        self._spinner = Spinner("dots", style="cyan")
        self._step: str | None = None
        self._live = Live(
            console=console, get_renderable=self._current, refresh_per_second=8, transient=True, screen=False
        )
        self._live.start()

    def begin(self, step: str) -> None:
        """See `Display`."""
        self._step, self._note, self._began = step, "", time.monotonic()

    def note(self, text: str) -> None:
        """See `Display`."""
        self._note = text

    def end(self, result: Result) -> None:
        """See `Display`."""
        self._step = None
        self._live.refresh()
        mark = {Verdict.OK: "[green]✓[/]", Verdict.SLOW: "[yellow]✓[/]", Verdict.FAILED: "[red]✗[/]"}
        plain = result.verdict is Verdict.OK and result.seconds is None
        outcome = result.detail if plain else _outcome(result)
        shown = f"  [dim]{escape(outcome)}[/]" if outcome else ""
        self._console.print(f"{mark[result.verdict]} {escape(result.step)}{shown}", highlight=False)

    def tell(self, text: str) -> None:
        """See `Display`."""
        self._console.print(f"  [dim]{escape(text)}[/]", highlight=False)

    def close(self) -> None:
        """See `Display`."""
        self._step = None
        self._live.stop()

    def _current(self) -> RenderableType:
        if self._step is None:
            return Text("")
        line = Table.grid(padding=(0, 1))
        passed = time.monotonic() - self._began
        line.add_row(self._spinner, Text(self._step), Text(f"{passed:.0f} s", style="cyan"))
        if not self._note:
            return line
        return Group(line, Text(f"  {self._note}", style="dim", no_wrap=True, overflow="ellipsis"))


def show_verdict(console: Console, results: Sequence[Result], *, failed: bool, seconds: float) -> None:
    """The table at the end, and one sentence."""
    table = Table(title="What happened", title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("step")
    table.add_column("time", justify="right")
    table.add_column("target", justify="right")
    table.add_column("result")
    styles = {Verdict.OK: "green", Verdict.SLOW: "yellow", Verdict.FAILED: "red"}
    for result in results:
        table.add_row(
            Text(result.step),
            Text("" if result.seconds is None else f"{result.seconds:.2f} s"),
            Text("" if result.target_seconds is None else f"{result.target_seconds:g} s"),
            Text(str(result.verdict), style=styles[result.verdict]),
        )
    console.print()
    console.print(table)
    console.print()
    for line in (line for result in results for line in result.evidence):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    slow = any(result.verdict is Verdict.SLOW for result in results)
    if failed:
        sentence, style = "The demonstration failed.", "bold red"
    elif slow:
        sentence = "Everything works. Some steps took longer than P4 wants on an idle machine."
        style = "bold yellow"
    else:
        sentence, style = "Everything works.", "bold green"
    console.print(Text(f"{sentence} ({seconds:.0f} s in all)", style=style))


def _outcome(result: Result) -> str:
    parts = []
    if result.verdict is not Verdict.OK:
        parts.append(str(result.verdict))
    elif result.seconds is None:
        parts.append("ok")
    if result.seconds is not None:
        target = f" (target {result.target_seconds:g} s)" if result.target_seconds is not None else ""
        parts.append(f"{result.seconds:.2f} s{target}")
    if result.detail:
        parts.append(result.detail)
    return ": ".join(parts)
