"""`p4 serve`: offer a port to contacts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from p4.cli.completion.contacts import complete_contact
from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples

if TYPE_CHECKING:
    from p4.client import Client

__all__ = ["command"]


@click.command(
    "serve",
    short_help="Offer a port of this device to contacts.",
    epilog=examples(
        ("p4 serve 8123 --to phone", "the phone reaches it: p4 forward 8123 laptop:8123"),
        ("p4 serve 22 --name ssh --to phone --keep", ""),
        ("p4 serve 192.168.1.5:80 --name printer", "a machine that this one reaches"),
        ("p4 serve --udp 53 --name dns --to phone", ""),
        ("p4 serve --remove printer", ""),
    ),
)
@click.argument("target", required=False, metavar="[[HOST:]PORT]")
@click.option("--name", help="Under which contacts find it; without it, the port's number.")
@click.option(
    "--to",
    multiple=True,
    metavar="CONTACT",
    shell_complete=complete_contact,
    help="May use it, until it is removed. May be repeated.",
)
@click.option("--udp", is_flag=True, help="UDP packets (up to 1096 bytes) instead of TCP connections.")
@click.option("--keep", is_flag=True, help="Let the daemon hold it, over restarts, until it is removed.")
@click.option("--remove", metavar="WHICH", help="End one: its name or id.")
@json_option
@daemon_options
def command(
    target: str | None,
    name: str | None,
    to: tuple[str, ...],
    udp: bool,
    keep: bool,
    remove: str | None,
    as_json: bool,
    state_dir: Path,
    no_start: bool,
) -> int:
    """Offer PORT of this machine, or of HOST, to contacts; they reach it with p4 forward.

    Nobody may use it without being granted it: by --to, or by p4 grant CONTACT tcp.NAME. Nothing else than
    this port can be reached. Without --keep it lasts until Ctrl-C. Without arguments the served ports are
    listed.
    """

    async def work(client: Client) -> None:
        from p4.apps.forward.names import parse_endpoint, require_name
        from p4.cli.tunnels import holding
        from p4.client.forwards import served

        if remove is not None:
            await holding.remove(client, remove, as_json=as_json)
        elif target is None:
            await holding.list_all(client, "serve", as_json=as_json)
        else:
            there = parse_endpoint(target)
            called = require_name(name or str(there.port))
            what = served(called, there.host, there.port, to=to, udp=udp)
            await holding.begin(client, what, keep=keep, as_json=as_json)

    if remove is not None and target is not None:
        raise click.UsageError("--remove stands alone.")
    return run_command(work, state_dir, no_start=no_start)
