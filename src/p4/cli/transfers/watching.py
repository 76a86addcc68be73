"""A transfer on the screen, from its beginning to its end."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from p4.cli.exit_codes import ExitCode
from p4.cli.output import complain, say, say_json, visible
from p4.errors import LocalError, P4Error, TransferError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from p4.client.transfers import Transfers

__all__ = ["in_bytes", "progress_on", "watch"]

_LOOK_SECONDS = 0.25
_NOTES = 20
"""Shown of many."""

_UNITS = ("B", "kB", "MB", "GB", "TB")


def in_bytes(number: float) -> str:
    """A quantity for a person."""
    unit = 0
    while number >= 999.5 and unit < len(_UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.0f} {_UNITS[unit]}" if unit == 0 or number >= 99.5 else f"{number:.1f} {_UNITS[unit]}"


async def watch(transfers: Transfers, record: dict[str, Any], *, as_json: bool) -> int:
    """Show a transfer until it has ended. Ctrl-C pauses it and says how to go on.

    Returns:
        The exit code: 1 if something was left out.

    Raises:
        TransferError: it failed; its sentence says why, and how to go on.
    """
    try:
        ended = await _until_ended(transfers, record)
    except LocalError as error:
        if error.code != "no-daemon":
            raise
        raise LocalError(
            "The daemon has ended. The copy goes on when it runs again; then the same command shows it.",
            code="no-daemon",
        ) from error
    except asyncio.CancelledError:
        with suppress(P4Error):
            await transfers.pause(record["id"])
        short = record["id"][:6]
        complain(
            "Paused; what has arrived is kept. The same command goes on with it, or "
            f"p4 transfers resume {short}. To give it up: p4 transfers cancel {short}"
        )
        raise
    if as_json:
        say_json(ended)
    if ended["state"] == "failed":
        raise TransferError(ended["message"], code=ended["code"])
    if not as_json:
        _tell_end(ended)
    return ExitCode.FAILED if ended["progress"]["omitted"] or ended["state"] != "done" else ExitCode.OK


def progress_on(console: Console, *, shown: bool) -> Progress:
    """A bar with rate and time left; what describes it is text, whatever a contact is called."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not shown)


async def _until_ended(transfers: Transfers, record: dict[str, Any]) -> dict[str, Any]:
    # rich takes a while to import.
    from rich.console import Console

    with progress_on(Console(stderr=True), shown=sys.stderr.isatty()) as progress:
        task = progress.add_task(_doing(record), total=None)
        while True:
            record = await transfers.read(record["id"])
            _show(progress, task, record)
            if record["state"] != "running":
                return record
            await asyncio.sleep(_LOOK_SECONDS)


def _show(progress: Progress, task: TaskID, record: dict[str, Any]) -> None:
    figures = record["progress"]
    total = figures["bytes"] if figures["phase"] in ("copying", "finishing", "done") else None
    progress.update(task, description=_doing(record), completed=figures["bytes_done"], total=total)


def _doing(record: dict[str, Any]) -> str:
    figures, name = record["progress"], visible(record["contact"]["name"] or record["contact"]["id"][:8])
    phase = figures["phase"]
    if phase == "waiting":
        return f"Waiting for {name}"
    if phase == "comparing":
        return f"Comparing with {name}"
    files = f"{figures['files_done']}/{figures['files']} files" if figures["files"] != 1 else "1 file"
    return f"{files} {'to' if record['direction'] == 'send' else 'from'} {name}"


def _tell_end(record: dict[str, Any]) -> None:
    figures, notes = record["progress"], record["notes"] or []
    for note in notes[:_NOTES]:
        complain(note["text"])
    if len(notes) > _NOTES:
        complain(f"And {len(notes) - _NOTES} more: p4 transfers show {record['id'][:6]}")
    if record["state"] != "done":
        complain(f"It was {record['state']}, not by this command.")
        return
    count, omitted = figures["files_done"], figures["omitted"]
    files = "1 file" if count == 1 else f"{count} files"
    verified = f"{files}, {in_bytes(figures['bytes_done'])}: there, and verified."
    say(f"{verified} Left out: {omitted}." if omitted else verified)
