"""`p4 forward`: a contact's port, here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples

if TYPE_CHECKING:
    from p4.client import Client

__all__ = ["command"]


@click.command(
    "forward",
    short_help="Reach a port of a contact at a port here.",
    epilog=examples(
        ("p4 forward 8123 laptop:8123", "http://127.0.0.1:8123 is the laptop's"),
        ("p4 forward 2222 laptop:ssh --keep", "then: ssh -p 2222 127.0.0.1"),
        ("p4 forward --udp 5353 laptop:dns", ""),
        ("p4 forward", "lists forwards and served ports"),
        ("p4 forward --remove 2222", ""),
    ),
)
@click.argument("port", required=False)
@click.argument("target", required=False, metavar="[CONTACT:NAME]")
@click.option("--udp", is_flag=True, help="UDP packets (up to 1096 bytes) instead of TCP connections.")
@click.option(
    "--listen",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; with 0.0.0.0 everybody in your network can use it.",
)
@click.option("--keep", is_flag=True, help="Let the daemon hold it, over restarts, until it is removed.")
@click.option("--remove", metavar="WHICH", help="End one: its id, or the port where it listens.")
@json_option
@daemon_options
def command(
    port: str | None,
    target: str | None,
    udp: bool,
    listen: str,
    keep: bool,
    remove: str | None,
    as_json: bool,
    state_dir: Path,
    no_start: bool,
) -> int:
    """Listen on PORT here; what connects comes out at what CONTACT serves as NAME (p4 serve).

    Connections go on when the link breaks and comes back. Without --keep it lasts until Ctrl-C.
    PORT 0 takes any free one. Without arguments all forwards and served ports are listed.
    """

    async def work(client: Client) -> None:
        from p4.apps.forward.names import parse_endpoint, parse_far_end
        from p4.cli.tunnels import holding
        from p4.client.forwards import forward

        if remove is not None:
            await holding.remove(client, remove, as_json=as_json)
        elif port is None:
            await holding.list_all(client, "forward", as_json=as_json)
        else:
            contact, name = parse_far_end(target or "")
            here = parse_endpoint(f"[{listen}]:{port}" if ":" in listen else f"{listen}:{port}", least=0)
            what = forward(contact, name, here.host, here.port, udp=udp)
            await holding.begin(client, what, keep=keep, as_json=as_json)

    _refuse_contradictions(port, target, remove)
    return run_command(work, state_dir, no_start=no_start)


def _refuse_contradictions(port: str | None, target: str | None, remove: str | None) -> None:
    if remove is not None and port is not None:
        raise click.UsageError("--remove stands alone.")
    if port is None:
        return
    if ":" in port:
        raise click.UsageError("The port here is a number; --listen chooses the address")
    if target is None:
        raise click.UsageError(f"Say whose port, too: p4 forward {port} CONTACT:{port}")
