"""`p4 grants`: which services of this device contacts may use."""

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

__all__ = ["command", "say_grants"]


@click.command(
    "grants",
    short_help="Show what contacts may use of this device.",
    epilog=examples(("p4 grants", "of all contacts"), ("p4 grants laptop --json", "")),
)
@click.argument("contact", required=False, shell_complete=complete_contact)
@json_option
@daemon_options
def command(contact: str | None, as_json: bool, state_dir: Path, no_start: bool) -> int:
    """Show which services of this device CONTACT may use, or each contact."""

    async def work(client: Client) -> None:
        found = await client.contacts() if contact is None else [await client.contact(contact).status()]
        if as_json:
            say_json([{"id": one.id, "name": one.name, "grants": list(one.grants)} for one in found])
            return
        for one in found:
            say_grants(one.label, one.grants)
        if not found:
            say("No contacts yet. Pair with another device first: p4 invite")

    return run_command(work, state_dir, no_start=no_start)


def say_grants(label: str, grants: tuple[str, ...] | list[str]) -> None:
    """One line: what a contact may use."""
    say(f"{visible(label)} may use: {' '.join(grants) or 'nothing'}")
