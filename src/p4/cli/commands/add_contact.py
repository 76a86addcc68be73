"""`p4 add-contact`: take another device's invite."""

from __future__ import annotations

from pathlib import Path

import click

from p4.cli.input_files import LARGEST_INVITE_BYTES, read_bytes
from p4.cli.offline import open_initialised
from p4.cli.options import state_dir_option, verbose_option
from p4.cli.output import say
from p4.errors import AlreadyRunningError

__all__ = ["command"]


@click.command("add-contact", short_help="Add another device from its invite.")
@state_dir_option
@click.option(
    "--invite-file", type=click.Path(path_type=Path), metavar="F", help="A file with the invite; - is stdin."
)
@click.option("--invite-json", metavar="J", help="The invite itself.")
@click.option("--name", default="", metavar="NAME", help="What you want to call the device.")
@verbose_option
def command(state_dir: Path, invite_file: Path | None, invite_json: str | None, name: str) -> None:
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
        raise AlreadyRunningError(
            f"{error.message} A running node takes contacts at its own prompt: /add-file or /add-json.",
            path=error.path,
            pid=error.pid,
        ) from error
    say(f"Added {invite.peer_id}")
