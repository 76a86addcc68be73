"""`p4 block`: answer a contact no more than a stranger."""

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
    "block",
    short_help="Cut a contact off, until `p4 unblock`.",
    epilog=examples(("p4 block laptop", "at once"), ("p4 unblock laptop", "a contact as before")),
)
@contact_argument
@json_option
@daemon_options
def command(contact: str, as_json: bool, state_dir: Path, no_start: bool) -> int:
    """End every link with CONTACT at once. It cannot reach this device any more, is not called, and may use
    nothing here; it is not told. What waits for it and from it stays until you remove it."""

    async def work(client: Client) -> None:
        from p4.client.lifecycle import set_blocked

        await set_blocked(client, contact, blocked=True)
        if as_json:
            say_json({"contact": contact, "blocked": True})
        else:
            say(f"{visible(contact)} is blocked.")

    return run_command(work, state_dir, no_start=no_start)
