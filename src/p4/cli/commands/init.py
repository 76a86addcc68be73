"""`p4 init`: give this device its identity."""

from __future__ import annotations

from pathlib import Path

import click

from p4.cli.offline import open_or_initialise
from p4.cli.options import state_dir_option, verbose_option
from p4.cli.output import say

__all__ = ["command"]


@click.command("init", short_help="Make this device's identity.")
@state_dir_option
@verbose_option
def command(state_dir: Path) -> None:
    """Make this device's identity. Does nothing if there is one already."""
    _, identity = open_or_initialise(state_dir)
    say(f"Initialized {state_dir}")
    say(f"peer_id={identity.peer_id}")
