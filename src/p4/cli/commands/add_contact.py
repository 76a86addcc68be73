"""`p4 add-contact`: take another device's invite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from p4.cli.daemon_connection import json_option, through_daemon
from p4.cli.examples import examples
from p4.cli.input_files import LARGEST_INVITE_BYTES, read_bytes
from p4.cli.offline import open_initialised
from p4.cli.options import state_dir_option, verbose_option
from p4.cli.output import say, say_json
from p4.errors import AlreadyRunningError

if TYPE_CHECKING:
    from p4.client import Client

__all__ = ["command"]


@click.command(
    "add-contact",
    short_help="Add another device from its invite of version 1.",
    epilog=examples(
        ("p4 add-contact --invite-file phone.json --name phone", ""),
        ("p4 add LINK", "the way of version 2: pairs both at once"),
    ),
)
@state_dir_option
@click.option(
    "--invite-file", type=click.Path(path_type=Path), metavar="F", help="A file with the invite; - is stdin."
)
@click.option("--invite-json", metavar="J", help="The invite itself.")
@click.option("--name", default="", metavar="NAME", help="What you want to call the device.")
@json_option
@verbose_option
def command(
    state_dir: Path, invite_file: Path | None, invite_json: str | None, name: str, as_json: bool
) -> None:
    """Add another device, or its new address, from the invite it printed."""
    from p4.core.invite import Invite

    if (invite_file is None) == (invite_json is None):
        raise click.UsageError("Give either --invite-file or --invite-json")
    invite = Invite.parse(
        read_bytes(invite_file, largest_bytes=LARGEST_INVITE_BYTES)
        if invite_file is not None
        else (invite_json or "")
    )
    state, identity = open_initialised(state_dir)
    # Refused before anything is written or locked: a bad invite leaves no trace.
    state.load_contacts().add(invite, name, me=identity.peer_id)
    try:
        with state.lock():
            state.save_contacts(state.load_contacts().add(invite, name, me=identity.peer_id))
    except AlreadyRunningError as error:
        through_daemon(
            state_dir,
            lambda client: _add(client, invite.to_text(), name),
            refusal=error,
            advice="A running node takes contacts at its own prompt: /add-file or /add-json.",
        )
    if as_json:
        say_json({"id": invite.peer_id, "name": name})
        return
    say(f"Added {invite.peer_id}")


async def _add(client: Client, invite: str, name: str) -> None:
    from p4.client.pairing import Pairing

    await Pairing(client).add(invite, name)
