"""`p4 log`: what the daemon wrote down."""

from __future__ import annotations

from pathlib import Path

import click

from p4.cli.daemon_connection import json_option
from p4.cli.examples import examples
from p4.cli.options import state_dir_option, verbose_option
from p4.cli.output import complain, say, say_json_line, visible
from p4.cli.signals import run_until_signalled

__all__ = ["command"]


@click.command(
    "log",
    short_help="Show what the daemon wrote down.",
    epilog=examples(
        ("p4 log", "the last 50 lines"),
        ("p4 log -f", "and each further one, until Ctrl-C"),
        ("p4 log -n 1000 | grep WARNING", ""),
    ),
)
@state_dir_option
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option(
    "-n", "--lines", "count", type=click.IntRange(0), default=50, show_default=True, help="How many lines."
)
@json_option
@verbose_option
def command(state_dir: Path, follow: bool, count: int, as_json: bool) -> int:
    """Show the last lines of the daemon's log. It works whether or not the daemon runs.

    Times are in UTC. With --json, each line is a JSON text.
    """
    from p4.cli.daemon_log import follow_log, last_lines, log_path

    path = log_path(state_dir)
    show = say_json_line if as_json else lambda line: say(visible(line))
    if not follow:
        if not path.exists():
            complain(f"There is no log in {path}: the daemon has not run yet. Start it: p4 up")
        for line in last_lines(path, count):
            show(line)
        return 0

    async def work() -> None:
        async for line in follow_log(path, count):
            show(line)

    return run_until_signalled(work).exit_code
