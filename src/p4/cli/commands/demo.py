"""`p4 demo`: watch two nodes meet, part and meet again on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from p4.cli.examples import examples
from p4.cli.options import verbose_option
from p4.cli.signals import run_until_signalled

__all__ = ["command"]

LIMIT_SECONDS = 300.0
PUBLIC_LIMIT_SECONDS = 900.0
PAUSE_SECONDS = 1.2
END_SECONDS = 10.0
"""After Ctrl-C two nodes and four Tor relays have to end."""


@click.command(
    "demo",
    short_help="Watch two nodes meet, part and meet again on this machine.",
    epilog=examples(("p4 demo", ""), ("p4 demo --direct --fast", "without Tor, without pauses")),
)
@click.option("--public", is_flag=True, help="Use the public Tor network instead of a private one.")
@click.option("--direct", is_flag=True, help="Use no Tor at all: quick, and works without the tor program.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep the logs and state directories in a new directory below DIR.",
)
@click.option("--no-color", is_flag=True, help="No colours.")
@click.option("--fast", is_flag=True, help="No pauses for reading.")
@click.option(
    "--onionrelay-bin", type=click.Path(path_type=Path), metavar="BIN", help="The nodes' Tor program."
)
@verbose_option
def command(
    public: bool, direct: bool, keep: Path | None, no_color: bool, fast: bool, onionrelay_bin: Path | None
) -> int:
    """Two real nodes meet on this machine, chat, are killed, and find each other again.

    What was written to a dead one arrives once, in order. A film of 100 MB survives the death of both.

    Each is a process of its own with its own Tor, over a private Tor network that is started for it.
    Nothing leaves the machine, and everything is removed at the end.
    """
    if public and direct:
        raise click.UsageError("Give either --public or --direct")
    # rich takes a while to import and is wanted by this command only.
    from rich.console import Console

    from p4.cli.demo.stage import Stage, Way

    console = Console(no_color=no_color or None)
    stage = Stage(
        way=Way.PUBLIC if public else Way.DIRECT if direct else Way.PRIVATE,
        console=console,
        keep=keep,
        pause_seconds=0.0 if fast or not console.is_terminal else PAUSE_SECONDS,
        onionrelay_bin=onionrelay_bin,
        limit_seconds=PUBLIC_LIMIT_SECONDS if public else LIMIT_SECONDS,
    )
    outcome = run_until_signalled(stage.play, grace_seconds=END_SECONDS)
    return outcome.exit_code if outcome.value is None else outcome.value
