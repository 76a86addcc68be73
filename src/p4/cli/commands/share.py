"""`p4 share`: the folder that contacts may use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples
from p4.cli.output import say, say_json, visible

if TYPE_CHECKING:
    from p4.client import Client

__all__ = ["command"]


@click.command(
    "share",
    short_help="Choose the folder that contacts may copy to and from.",
    epilog=examples(
        ("p4 share", "which it is"),
        ("p4 share ~/Exchange", ""),
        ("p4 share ~/Films --read-only", "contacts can fetch, none can send"),
        ("p4 grant laptop files", "who may: files.write to send, files.read to fetch"),
    ),
)
@click.argument("folder", required=False)
@click.option("--read-only", is_flag=True, help="Nobody may send files into it.")
@json_option
@daemon_options
def command(folder: str | None, read_only: bool, as_json: bool, state_dir: Path, no_start: bool) -> int:
    """Show the shared folder, or choose another. Only contacts with a grant reach it, and nothing outside."""

    async def work(client: Client) -> None:
        from p4.cli.transfers.paths import absolute
        from p4.client.transfers import Transfers

        transfers = Transfers(client)
        if folder is None:
            share = await transfers.share()
        else:
            share = await transfers.choose_share(absolute(folder), read_only=read_only)
        if as_json:
            say_json(share)
        else:
            say(visible(share["path"]) + (" (read only)" if share["read_only"] else ""))

    if read_only and folder is None:
        raise click.UsageError("Say which folder: p4 share FOLDER --read-only")
    return run_command(work, state_dir, no_start=no_start)
