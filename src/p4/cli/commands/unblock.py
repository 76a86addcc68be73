"""`p4 unblock`: be a contact's contact again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from p4.cli.completion.contacts import contact_argument
from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples
from p4.cli.output import say, say_json, visible

if TYPE_CHECKING:
    from p4.client import Client

__all__ = ["command"]


@click.command(
    "unblock",
    short_help="Be the contact of somebody blocked again.",
    epilog=examples(("p4 unblock laptop", "with its name, its grants and what waited")),
)
@contact_argument
@json_option
@daemon_options
def command(contact: str, as_json: bool, state_dir: Path, no_start: bool) -> int:
    """Take `p4 block` back: CONTACT is called, may use what it was granted, and gets what waited for it."""

    async def work(client: Client) -> None:
        from p4.client.lifecycle import set_blocked

        await set_blocked(client, contact, blocked=False)
        if as_json:
            say_json({"contact": contact, "blocked": False})
        else:
            say(f"{visible(contact)} is a contact again.")

    return run_command(work, state_dir, no_start=no_start)
