"""`p4 down`: end the daemon."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import click

from p4.cli.daemon_connection import json_option
from p4.cli.examples import examples
from p4.cli.options import state_dir_option, verbose_option
from p4.cli.output import say, say_json
from p4.cli.signals import run_until_signalled
from p4.errors import LocalError

__all__ = ["command"]

LIMIT_SECONDS = 15.0
LOOK_SECONDS = 0.02


@click.command(
    "down",
    short_help="End the daemon.",
    epilog=examples(("p4 down", ""), ("p4 down && p4 up --detach", "start it anew")),
)
@state_dir_option
@json_option
@verbose_option
def command(state_dir: Path, as_json: bool) -> int:
    """End the daemon of this device and wait until it has ended.

    What was accepted stays on disk and goes on at the next start. If none runs, nothing is done.
    """
    outcome = run_until_signalled(lambda: _end(state_dir))
    if outcome.value is None:
        return outcome.exit_code
    if as_json:
        say_json({"ended": outcome.value > 0, "pid": outcome.value or None})
    else:
        say(f"The daemon (pid {outcome.value}) has ended." if outcome.value else "No daemon runs.")
    return 0


async def _end(state_dir: Path) -> int:
    """The process id of the daemon that ended, 0 if there was none."""
    from p4.client import connect

    try:
        async with connect(state_dir, restart_seconds=0.0) as client:
            pid = await client.shutdown()
    except LocalError as error:
        if error.code == "no-daemon":
            return 0
        raise
    if not await asyncio.to_thread(_has_ended, pid):
        raise LocalError(
            f"The daemon (pid {pid}) was asked to end {LIMIT_SECONDS:g} s ago and has not. What it accepted "
            "is on "
            "disk: it may be ended by force.",
            code="still-running",
        )
    return pid


def _has_ended(pid: int) -> bool:
    """Wait for a process; one that only its parent has not noticed yet has ended."""
    import psutil

    deadline = time.monotonic() + LIMIT_SECONDS
    try:
        process = psutil.Process(pid)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_SECONDS)
    except psutil.NoSuchProcess:
        pass
    return True
