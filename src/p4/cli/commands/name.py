"""`p4 name`: what this device, or a contact, is called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from p4.cli.completion.contacts import complete_contact
from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples
from p4.cli.output import say, say_json, visible

if TYPE_CHECKING:
    from p4.client import Client

__all__ = ["command"]


@click.command(
    "name",
    short_help="Show or change the name of this device or of a contact.",
    epilog=examples(
        ("p4 name", "what this device calls itself"),
        ('p4 name "Anna\'s laptop"', "so those that it pairs with see it from now on"),
        ("p4 name --contact phone bob", "call the contact phone bob, on this device only"),
    ),
)
@click.argument("name", required=False)
@click.option(
    "--contact",
    metavar="CONTACT",
    shell_complete=complete_contact,
    help="Of this contact, not of this device.",
)
@json_option
@daemon_options
def command(name: str | None, contact: str | None, as_json: bool, state_dir: Path, no_start: bool) -> int:
    """Show the name of this device, or change it to NAME.

    Devices that are paired already keep the name that they have for this one.
    """

    async def work(client: Client) -> None:
        if contact is not None:
            one = client.contact(contact)
            known = await (one.status() if name is None else one.rename(name))
            identity, shown = known.id, known.name
        else:
            device = await (client.identity() if name is None else client.rename_device(name))
            identity, shown = device.id, device.name
        if as_json:
            say_json({"id": identity, "name": shown})
        else:
            say(visible(shown))

    return run_command(work, state_dir, no_start=no_start)
