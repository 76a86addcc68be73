"""`p4 cp`: copies files to a contact and from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from p4.cli.completion.contacts import complete_copy
from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples
from p4.cli.output import say, say_json

if TYPE_CHECKING:
    from p4.client import Client

__all__ = ["command"]


@click.command(
    "cp",
    short_help="Copy files and folders to a contact, or from it.",
    epilog=examples(
        ("p4 cp film.mkv laptop:", "into the folder that laptop keeps for this device"),
        ("p4 cp -r ~/Photos laptop:Photos", "as the folder Photos that laptop shares"),
        ("p4 cp laptop:notes.txt .", "fetches it out of what laptop shares"),
        ("p4 cp a.txt b.txt laptop:new/", "several, into a folder"),
        ("p4 cp --detach big.iso laptop:", "goes on without this command"),
    ),
)
@click.argument("paths", nargs=-1, required=True, metavar="SOURCE... TARGET", shell_complete=complete_copy)
@click.option("-r", "--recursive", is_flag=True, help="Copy folders, with all that is in them.")
@click.option(
    "--overwrite", is_flag=True, help="Replace a file that is there and differs. Without: both are kept."
)
@click.option("--follow", is_flag=True, help="Send what links lead to, instead of the links.")
@click.option("--detach", is_flag=True, help="Only begin; `p4 transfers` shows how it is.")
@json_option
@daemon_options
def command(
    paths: tuple[str, ...],
    recursive: bool,
    overwrite: bool,
    follow: bool,
    detach: bool,
    as_json: bool,
    state_dir: Path,
    no_start: bool,
) -> int:
    """Copy files. One side is CONTACT:PATH, in the folder that the contact shares; the other is here.

    It goes on after lost links and restarts of either device. Ctrl-C pauses it; the same command goes on.
    Every file is verified by its hash before it gets its name. What is there already is not sent again; if a
    file of that name differs, the copy is called "name (2).txt".
    """

    async def work(client: Client) -> int:
        from p4.cli.transfers.watching import watch
        from p4.client.transfers import Transfers

        transfers = Transfers(client)
        if copy.sends:
            record = await transfers.send(
                copy.contact,
                copy.sources,
                copy.target,
                recursive=recursive,
                overwrite=overwrite,
                follow=follow,
            )
        else:
            record = await transfers.fetch(
                copy.contact, copy.sources, copy.target, recursive=recursive, overwrite=overwrite
            )
        if not detach:
            return await watch(transfers, record, as_json=as_json)
        if as_json:
            say_json(record)
        else:
            say(f"Begun: {record['id'][:6]}. How it is: p4 transfers")
        return 0

    from p4.cli.transfers.paths import parse_copy

    copy = parse_copy(paths)
    if follow and not copy.sends:
        raise click.UsageError("--follow is for sending: of what a contact shares, no link is followed.")
    return run_command(work, state_dir, no_start=no_start)
