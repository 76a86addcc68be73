"""`p4 ls`: the contacts and how each is."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from p4.cli.completion.contacts import complete_contact
from p4.cli.examples import examples
from p4.cli.options import state_dir_option, verbose_option
from p4.cli.output import say

__all__ = ["command"]


@click.command(
    "ls",
    short_help="List the contacts and how each is.",
    epilog=examples(
        ("p4 ls", "all contacts"), ("p4 ls laptop", "everything about one"), ("watch -c p4 ls", "")
    ),
)
@state_dir_option
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON array.")
@click.argument("peer", required=False, shell_complete=complete_contact)
@verbose_option
def command(state_dir: Path, as_json: bool, peer: str | None) -> None:
    """List every contact with its path, round trip, throughput, queue, and why it is not connected.

    With PEER (a name, an id, or the beginning of an id): everything about this one.
    """
    from p4.cli.status.gather import gather, status_of

    report = gather(state_dir)
    peers = report.node.peers if peer is None else (status_of(report, state_dir, peer),)
    if as_json:
        entries = [{**asdict(one), "live": report.live, "age": round(report.age, 3)} for one in peers]
        say(json.dumps(entries, ensure_ascii=False, indent=2))
        return
    # rich takes a while to import.
    from p4.cli.status.view import contacts_table, peer_table, show
    from p4.cli.status.words import now_ms

    moment = now_ms()
    table = contacts_table(peers, moment) if peer is None else peer_table(peers[0], moment)
    show(*(() if report.live and not report.late else (report.headline, "")), table)
