"""`p4 verify`: six words that two people compare."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from p4.cli.completion.contacts import contact_argument
from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples
from p4.cli.output import say, say_json, visible

if TYPE_CHECKING:
    from p4.client import Client
    from p4.client.lifecycle import Verification

__all__ = ["command"]

_STATES = {
    "no": "not verified",
    "verified": "verified",
    "verified-before-rotation": "verified before, key rotated: compare the words again",
}


@click.command(
    "verify",
    short_help="Compare six words with a contact's owner.",
    epilog=examples(
        ("p4 verify laptop", "shows the words, and asks whether they are the same there"),
        ("p4 verify laptop --confirm", "they are: for scripts, and after comparing them elsewhere"),
        ("p4 verify laptop --undo", "not verified any more"),
    ),
)
@contact_argument
@click.option("--confirm", is_flag=True, help="The words are the same on both devices: do not ask.")
@click.option("--undo", is_flag=True, help="Take it back.")
@json_option
@daemon_options
def command(contact: str, confirm: bool, undo: bool, as_json: bool, state_dir: Path, no_start: bool) -> int:
    """Show six words for CONTACT. Its device shows the same for this one, if nobody is between the two: read
    them to each other over the phone.

    A contact whose key changes is not verified any more.
    """
    if confirm and undo:
        raise click.UsageError("--confirm and --undo exclude each other.")

    async def work(client: Client) -> None:
        from p4.client.lifecycle import verification, verify

        found = await verification(client, contact)
        wanted = _wanted(found, confirm=confirm, undo=undo, ask=not as_json)
        if wanted is not None:
            found = await verify(client, found.contact.id, found.public_key, verified=wanted)
        if as_json:
            say_json(asdict(found))
        else:
            if confirm or undo:
                say(" ".join(found.words))
            say(f"{visible(found.contact.label)}: {_STATES.get(found.state, found.state)}")

    return run_command(work, state_dir, no_start=no_start)


def _wanted(found: Verification, *, confirm: bool, undo: bool, ask: bool) -> bool | None:
    """What to record; None for nothing."""
    if confirm or undo:
        return confirm
    if not ask:
        return None
    say("  " + "  ".join(found.words))
    say(f"On {visible(found.contact.label)}, the command `p4 verify` shows the same six words for this one.")
    if found.state == "verified" or sys.stdin is None or not sys.stdin.isatty():
        return None
    return True if click.confirm("Are they the same there?", default=False, err=True) else None
