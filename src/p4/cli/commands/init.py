"""`p4 init`: give this device its identity."""

from __future__ import annotations

from pathlib import Path

import click

from p4.cli.daemon_connection import json_option
from p4.cli.examples import examples
from p4.cli.offline import open_or_initialise
from p4.cli.options import state_dir_option, verbose_option
from p4.cli.output import say, say_json

__all__ = ["command"]


@click.command(
    "init",
    short_help="Make this device's identity.",
    epilog=examples(("p4 init", "p4 up and others do it by themselves")),
)
@state_dir_option
@json_option
@verbose_option
def command(state_dir: Path, as_json: bool) -> None:
    """Make this device's identity. Does nothing if there is one already."""
    _, identity = open_or_initialise(state_dir)
    if as_json:
        say_json({"state_directory": str(state_dir), "id": identity.peer_id})
        return
    say(f"Initialized {state_dir}")
    say(f"peer_id={identity.peer_id}")
