"""`p4 transfers`: what is being copied, and what was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples
from p4.cli.output import say, say_json, show, visible

if TYPE_CHECKING:
    from p4.client import Client

__all__ = ["command"]

_DIRECTIONS = {"send": "to", "fetch": "from", "receive": "from", "serve": "to"}


@click.command(
    "transfers",
    short_help="List what is copied; pause it, go on, end it.",
    epilog=examples(
        ("p4 transfers", "all that run, and the last that ended"),
        ("p4 transfers show 3f2a91", "one, with notes about single files"),
        ("p4 transfers pause 3f2a91", "until: p4 transfers resume 3f2a91"),
        ("p4 transfers cancel 3f2a91", "whole files that have arrived stay"),
        ("p4 transfers forget 3f2a91", "takes an ended one off the list"),
    ),
)
@click.argument(
    "action", required=False, type=click.Choice(["show", "watch", "pause", "resume", "cancel", "forget"])
)
@click.argument("transfer", required=False, metavar="[ID]")
@json_option
@daemon_options
def command(action: str | None, transfer: str | None, as_json: bool, state_dir: Path, no_start: bool) -> int:
    """List the transfers of this device, or do something with one: ID is its id, or how that begins."""

    async def work(client: Client) -> int:
        from p4.cli.transfers.watching import watch
        from p4.client.transfers import Transfers

        transfers = Transfers(client)
        if action is None or transfer is None:
            records = await transfers.list()
            if as_json:
                say_json(records)
            else:
                _show_all(records)
            return 0
        if action == "forget":
            await transfers.forget(transfer)
            return 0
        if action == "watch":
            return await watch(transfers, await transfers.read(transfer), as_json=as_json)
        ask = {
            "show": transfers.read,
            "pause": transfers.pause,
            "resume": transfers.resume,
            "cancel": transfers.cancel,
        }
        record = await ask[action](transfer)
        if as_json:
            say_json(record)
        else:
            _show_all([record])
            for note in record["notes"] or []:
                say(visible(note["text"]))
        return 0

    if (action is None) != (transfer is None):
        raise click.UsageError("Say which: p4 transfers ACTION ID")
    return run_command(work, state_dir, no_start=no_start)


def _show_all(records: list[dict[str, Any]]) -> None:
    # rich takes a while to import.
    from rich.table import Table
    from rich.text import Text

    from p4.cli.transfers.watching import in_bytes

    if not records:
        say("Nothing is being copied. Begin with: p4 cp FILE CONTACT:")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("id", "", "contact", "what", "state", "done", "of", "rate"):
        table.add_column(heading, justify="right" if heading in ("done", "of", "rate") else "left")
    for record in records:
        figures = record["progress"]
        rate = figures["bytes_per_second"] if record["state"] == "running" else None
        names = [Path(source.rstrip("/")).name or source for source in record["sources"]]
        cells = (
            record["id"][:6],
            _DIRECTIONS[record["direction"]],
            record["contact"]["name"] or record["contact"]["id"][:8],
            ", ".join(names[:3]) + (" …" if len(names) > 3 else ""),
            record["state"] if record["state"] != "running" else figures["phase"],
            in_bytes(figures["bytes_done"]),
            in_bytes(figures["bytes"]),
            f"{in_bytes(rate)}/s" if rate else "",
        )
        table.add_row(*(Text(visible(cell)) for cell in cells))
        if record["message"]:
            table.add_row("", "", "", Text(visible(record["message"]), style="red"))
    show(table)
