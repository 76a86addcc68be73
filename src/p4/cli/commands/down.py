"""`p4 down`: end the daemon."""

from __future__ import annotations

from pathlib import Path

import click

from p4.cli.daemon_connection import json_option
from p4.cli.examples import examples
from p4.cli.options import state_dir_option, verbose_option
from p4.cli.output import say, say_json
from p4.cli.signals import run_until_signalled

__all__ = ["command"]


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
    from p4.cli.daemon_end import end_daemon

    outcome = run_until_signalled(lambda: end_daemon(state_dir))
    if outcome.value is None:
        return outcome.exit_code
    if as_json:
        say_json({"ended": outcome.value > 0, "pid": outcome.value or None})
    else:
        say(f"The daemon (pid {outcome.value}) has ended." if outcome.value else "No daemon runs.")
    return 0
