"""`p4 add`: pair with the device whose link, words or file these are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples
from p4.cli.output import complain, say, say_json, visible

if TYPE_CHECKING:
    from p4.client import Client

__all__ = ["command"]


@click.command(
    "add",
    short_help="Pair with a device, from its link or words.",
    epilog=examples(
        ("p4 add p4:aeagwsos… --name laptop", "the link that p4 invite shows there"),
        ("p4 add legal winner thank year wave zoo …", "the words that p4 invite --words shows there"),
        ("p4 add invite.txt", "a file with a link, words, or an invite of version 1"),
        ("p4 add - < invite.txt", ""),
    ),
)
@click.argument("invite", nargs=-1, required=True, metavar="LINK|WORDS...|FILE")
@click.option(
    "--name", default="", metavar="NAME", help="What to call the device; else what it calls itself."
)
@click.option(
    "--wait",
    "patience",
    type=click.FloatRange(1, 300),
    default=120,
    show_default=True,
    metavar="SECONDS",
    help="How long to look for the other device.",
)
@json_option
@daemon_options
def command(
    invite: tuple[str, ...], name: str, patience: float, as_json: bool, state_dir: Path, no_start: bool
) -> int:
    """Take the invite of another device: afterwards both have each other as contacts.

    A JSON invite of version 1 works in one direction: the other device must add this one, too.
    """
    text = _text(invite)

    async def work(client: Client) -> None:
        from p4.client.pairing import Pairing

        if not as_json:
            complain("Looking for the other device …")
        contact = await Pairing(client).add(text, name, patience=patience)
        one_way = text.lstrip("\ufeff \t\r\n").startswith("{")
        if as_json:
            say_json({"id": contact.id, "name": contact.name, "paired": not one_way})
        elif one_way:
            say(f"Added {visible(contact.label)} ({contact.id}). It has to add this device, too.")
        else:
            say(f"Paired with {visible(contact.label)} ({contact.id}).")

    return run_command(work, state_dir, no_start=no_start)


def _text(words: tuple[str, ...]) -> str:
    """What was typed, or what is in the file that was named."""
    from p4.cli.input_files import LARGEST_INVITE_BYTES, read_bytes
    from p4.core.invite import decode_invite_text
    from p4.core.pairing.link import is_link

    if len(words) > 1 or is_link(words[0]) or words[0].lstrip().startswith("{"):
        return " ".join(words)
    return decode_invite_text(read_bytes(Path(words[0]), largest_bytes=LARGEST_INVITE_BYTES))
