"""`p4 open`: the web page of this device."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples
from p4.cli.output import complain, say, say_json

if TYPE_CHECKING:
    from p4.client import Client

__all__ = ["command"]


@click.command(
    "open",
    short_help="Open this device's web page.",
    epilog=examples(
        ("p4 open", "in your browser"),
        ("p4 open --print", "the link alone, for a browser that you start yourself"),
    ),
)
@click.option("--print", "only_print", is_flag=True, help="Print the link, and open nothing.")
@json_option
@daemon_options
def command(only_print: bool, as_json: bool, state_dir: Path, no_start: bool) -> int:
    """Open the web page of this device: contacts, chat, files, tunnels and how everything is.

    The link that is printed logs one browser of this machine in. It works once, within a minute.
    """

    async def work(client: Client) -> None:
        login = await client.web_login()
        if as_json:
            say_json({"url": login.url, "expires_ms": login.expires_ms})
        else:
            say(login.url)
        if not (only_print or as_json) and not webbrowser.open(login.url):
            complain("No browser was found. Open the link in one of this machine within a minute.")

    return run_command(work, state_dir, no_start=no_start)
