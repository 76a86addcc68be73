"""`p4 init`: give this device its identity."""

from __future__ import annotations

from pathlib import Path

import click

from p4.cli.options import state_dir_option, verbose_option
from p4.cli.output import complain, say

__all__ = ["command"]


@click.command("init", short_help="Make this device's identity.")
@state_dir_option
@verbose_option
def command(state_dir: Path) -> None:
    """Make this device's identity. Does nothing if there is one already."""
    from p4.adapters.clock import SystemEntropy
    from p4.adapters.store.state_dir import StateDirectory

    state = StateDirectory(state_dir, warn=complain)
    state.prepare()
    identity = state.load_identity()
    if identity is None:
        with state.lock():
            # Asked again: another `p4 init` may have been quicker.
            identity = state.load_identity() or state.create_identity(SystemEntropy().token(32))
    say(f"Initialized {state_dir}")
    say(f"peer_id={identity.peer_id}")
