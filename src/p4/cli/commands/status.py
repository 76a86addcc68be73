"""`p4 status`: how this device's node is."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from p4.cli.examples import examples
from p4.cli.options import state_dir_option, verbose_option
from p4.cli.output import say

if TYPE_CHECKING:
    from p4.cli.status.gather import Report

__all__ = ["command"]


@click.command(
    "status",
    short_help="Show how this device's node is.",
    epilog=examples(("p4 status", ""), ("p4 status --json", "for programs")),
)
@state_dir_option
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
@verbose_option
def command(state_dir: Path, as_json: bool) -> None:
    """Show how the node is that runs on this directory, and each contact. Works from another terminal."""
    from p4.cli.status.gather import gather

    report = gather(state_dir)
    if as_json:
        say(json.dumps(_json(report), ensure_ascii=False, indent=2))
        return
    # rich takes a while to import.
    from p4.cli.status.view import contacts_table, node_table, show
    from p4.cli.status.words import now_ms

    moment = now_ms()
    show(report.headline, "", node_table(report.node, moment), "", contacts_table(report.node.peers, moment))


def _json(report: Report) -> dict[str, Any]:
    return {
        "running": report.pid is not None,
        "pid": report.pid,
        "live": report.live,
        "age": round(report.age, 3),
        **asdict(report.node),
    }
