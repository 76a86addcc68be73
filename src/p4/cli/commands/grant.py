"""`p4 grant`: let a contact use services of this device."""

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
    "grant",
    short_help="Let a contact use services of this device.",
    epilog=examples(
        ("p4 grant laptop home", "covers home.light and all else below home"),
        ("p4 grant laptop files notes", "several"),
    ),
)
@contact_argument
@click.argument("services", nargs=-1, required=True, metavar="SERVICE...")
@json_option
@daemon_options
def command(contact: str, services: tuple[str, ...], as_json: bool, state_dir: Path, no_start: bool) -> int:
    """Let CONTACT use SERVICEs of this device, from now on. A grant covers all services below it; * is
    all."""

    async def work(client: Client) -> None:
        one = client.contact(contact)
        grants = await one.grant(*services)
        if as_json:
            say_json({"contact": contact, "grants": list(grants)})
        else:
            say_grants(contact, grants)

    return run_command(work, state_dir, no_start=no_start)
