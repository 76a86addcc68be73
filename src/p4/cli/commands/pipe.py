"""`p4 pipe`: a durable pipe between two devices."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from p4.cli.completion.contacts import complete_contact
from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples
from p4.core import limits

if TYPE_CHECKING:
    from p4.client import Client

__all__ = ["command"]

_NAME = re.compile(rf"[a-z0-9_-]{{1,{limits.PIPE_NAME_BYTES}}}")


@click.command(
    "pipe",
    short_help="Pipe bytes to a program on a contact's device, whatever breaks meanwhile.",
    epilog=examples(
        ("p4 pipe --listen laptop -o film.mkv", "on one device"),
        ("p4 pipe phone < film.mkv", "on the other; the same again after any crash"),
        ("p4 pipe --listen phone | tar x", ""),
        ("tar c photos | p4 pipe laptop", ""),
        ("tail -n 0 -f log | p4 pipe laptop --name log", "for ever"),
        ("p4 pipe laptop --name log --status", "how far it has come"),
    ),
)
@click.argument("contact", shell_complete=complete_contact)
@click.option("--listen", is_flag=True, help="Wait for CONTACT to begin; lets it use this pipe from then on.")
@click.option("--name", default="default", show_default=True, help="Tells several pipes apart.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what comes to this file: exactly, whenever anything is killed.",
)
@click.option("--no-input", is_flag=True, help="Send nothing, and do not read stdin.")
@click.option("--anew", is_flag=True, help="Give up what an interrupted run has left, and begin again.")
@click.option("--status", is_flag=True, help="Only say how far an interrupted run has come.")
@json_option
@daemon_options
def command(
    contact: str,
    listen: bool,
    name: str,
    output: Path | None,
    no_input: bool,
    anew: bool,
    status: bool,
    as_json: bool,
    state_dir: Path,
    no_start: bool,
) -> int:
    """Send stdin to CONTACT, and write what its p4 pipe sends to stdout.

    One side uses --listen. They may be started in any order. What was accepted is on disk until the other
    side has written it. After a crash the same command goes on: a file as input at the byte where it was, any
    other input with what it gives then.

    Exit code 0 means that both sides have everything. stdin is not read if it is a terminal and the output is
    not.
    """
    if not _NAME.fullmatch(name):
        raise click.BadParameter("small letters, digits, _ and - only.", param_hint="--name")
    if status and listen:
        raise click.UsageError("--status is for the side without --listen.")
    if as_json and not status:
        raise click.UsageError("--json goes with --status: stdout belongs to what comes through the pipe")
    if anew and listen:
        raise click.UsageError("--anew is for the side without --listen.")
    reads = not no_input and (not os.isatty(0) or (output is None and os.isatty(1)))

    async def work(client: Client) -> None:
        from p4.cli.tunnels import piping

        if status:
            await piping.show_status(client, contact, name, as_json=as_json)
            return
        if anew:
            await piping.give_up(client, contact, name)
        await piping.pipe(client, contact, name, listen=listen, output=output, reads=reads)

    return run_command(work, state_dir, no_start=no_start)
