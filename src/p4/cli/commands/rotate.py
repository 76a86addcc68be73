"""`p4 rotate`: take a new key."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from p4.cli.confirming import agreed, yes_option
from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples
from p4.cli.output import say, say_json, visible

if TYPE_CHECKING:
    from p4.client import Client
    from p4.client.lifecycle import Rotation

__all__ = ["command"]


@click.command(
    "rotate",
    short_help="Take a new key; contacts follow.",
    epilog=examples(
        ("p4 rotate", "asks first"),
        ("p4 rotate --status", "which contacts have not followed yet"),
    ),
)
@click.option("--status", "status_only", is_flag=True, help="Change nothing; tell who has not followed yet.")
@yes_option
@json_option
@daemon_options
def command(status_only: bool, yes: bool, as_json: bool, state_dir: Path, no_start: bool) -> int:
    """Take a new key, signed by the old one. Contacts follow by themselves when they are linked next, and
    keep names, grants, messages and streams. Comparison codes change: compare them again.

    Do it when somebody may have seen this device's files. Restoring a backup from before is then no use.
    """

    async def work(client: Client) -> None:
        from p4.client.lifecycle import read_rotation, rotate

        if not status_only:
            agreed(
                "Take a new key? Backups made until now hold the old one; make a new backup afterwards.",
                yes=yes,
            )
        state = await (read_rotation if status_only else rotate)(client)
        if as_json:
            say_json(asdict(state))
        else:
            say("\n".join(_lines(state)))

    return run_command(work, state_dir, no_start=no_start)


def _lines(state: Rotation) -> list[str]:
    lines = [f"Key number {state.rotations + 1} of this device; new contacts know it as {state.id}."]
    if state.waiting:
        names = ", ".join(visible(contact.label) for contact in state.waiting)
        lines.append(f"Not confirmed yet by {names}. The former key is kept for them.")
    else:
        lines.append("Every contact has confirmed it.")
    return lines
