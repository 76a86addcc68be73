"""`p4 remove`: forget a contact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from p4.cli.completion.contacts import contact_argument
from p4.cli.confirming import agreed, yes_option
from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples
from p4.cli.output import say, say_json, visible

if TYPE_CHECKING:
    from p4.client import Client

__all__ = ["command"]


@click.command(
    "remove",
    short_help="Forget a contact and what waits for it.",
    epilog=examples(
        ("p4 remove laptop", "asks first"),
        ("p4 remove laptop --yes", "does not"),
        ("p4 block laptop", "cuts it off and keeps everything"),
    ),
)
@contact_argument
@yes_option
@json_option
@daemon_options
def command(contact: str, yes: bool, as_json: bool, state_dir: Path, no_start: bool) -> int:
    """Forget CONTACT: its link ends, and what waits for it and from it is deleted. To have it back, both
    devices pair again."""

    async def work(client: Client) -> None:
        one = client.contact(contact)
        status = await one.status()
        waits = f", and {status.queued_messages} messages that wait for it" if status.queued_messages else ""
        agreed(f"Forget {visible(status.label)} ({status.id}){waits}? This cannot be undone.", yes=yes)
        await client.contact(status.id).remove()
        if as_json:
            say_json({"removed": status.id, "name": status.name})
        else:
            say(f"Removed {visible(status.label)}.")

    return run_command(work, state_dir, no_start=no_start)
