"""`p4 revoke`: no longer let a contact use services of this device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from p4.cli.commands.grants import say_grants
from p4.cli.completion.contacts import contact_argument
from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples
from p4.cli.output import say_json

if TYPE_CHECKING:
    from p4.client import Client

__all__ = ["command"]


@click.command(
    "revoke",
    short_help="Take services back from a contact.",
    epilog=examples(
        ("p4 revoke laptop home", "at once: streams of it end, messages are refused"),
        ("p4 revoke laptop files notes", "several"),
    ),
)
@contact_argument
@click.argument("services", nargs=-1, required=True, metavar="SERVICE...")
@json_option
@daemon_options
def command(contact: str, services: tuple[str, ...], as_json: bool, state_dir: Path, no_start: bool) -> int:
    """Let CONTACT use SERVICEs of this device no more. Only what p4 grants lists can be taken back."""

    async def work(client: Client) -> None:
        one = client.contact(contact)
        grants = await one.revoke(*services)
        if as_json:
            say_json({"contact": contact, "grants": list(grants)})
        else:
            say_grants(contact, grants)

    return run_command(work, state_dir, no_start=no_start)
