"""Forwards and served ports on a screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from p4.cli.output import visible
from p4.cli.status.words import size

__all__ = ["figures_line", "headline", "tunnels_table"]

Record = dict[str, Any]

NONE = "No forwards and no served ports. p4 forward --help shows how to begin one."


def tunnels_table(records: Sequence[Record]) -> RenderableType:
    """A line for each: where, whereto, who, how much."""
    if not records:
        return Text(NONE)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("ID", "KIND", "HERE", "", "THERE", "OPEN", "SENT", "RECEIVED"):
        table.add_column(heading, no_wrap=True, justify="right" if heading in _FIGURES else "left")
    table.add_column("STATE", overflow="fold")
    for record in records:
        figures = record["figures"]
        table.add_row(
            Text(record["id"]),
            Text(f"{record['kind']} {record['protocol']}"),
            Text(_address(record)),
            Text("→" if record["kind"] == "forward" else "←"),
            Text(_far_end(record)),
            Text(str(figures["open"])),
            Text(size(figures["sent"])),
            Text(size(figures["received"])),
            Text(_state(record), style="" if record["active"] else "red"),
        )
    return table


def headline(record: Record) -> str:
    """What was begun, in a sentence."""
    protocol = record["protocol"].upper()
    if record["kind"] == "forward":
        contact = visible(record["contact"]["name"] or record["contact"]["id"])
        return f"{protocol} {_address(record)} here leads to {record['name']} of {contact}."
    allowed = ", ".join(map(visible, record["allowed"]))
    who = f"for {allowed}" if allowed else "for nobody yet: p4 grant CONTACT " + record["service"]
    return f"{protocol} {_address(record)} is served as {record['name']}, {who}."


def figures_line(record: Record) -> str:
    """What it has carried, and what is wrong."""
    figures = record["figures"]
    what = "connections" if record["protocol"] == "tcp" else "sources"
    line = (
        f"{figures['open']} {what} open, {figures['connections']} in all, {size(figures['sent'])} sent, "
        f"{size(figures['received'])} received"
    )
    for count, words in (
        (figures["refused"], "refused"),
        (figures["too_large"], "packets too large"),
        (figures["dropped"], "packets dropped"),
    ):
        if count:
            line += f", {count} {words}"
    return line


_FIGURES = {"OPEN", "SENT", "RECEIVED"}


def _address(record: Record) -> str:
    host = visible(record["host"])
    return f"[{host}]:{record['port']}" if ":" in host else f"{host}:{record['port']}"


def _far_end(record: Record) -> str:
    if record["kind"] == "forward":
        return f"{visible(record['contact']['name'] or record['contact']['id'][:8])}:{record['name']}"
    return f"{record['name']}, for {', '.join(map(visible, record['allowed'])) or 'nobody yet'}"


def _state(record: Record) -> str:
    words = ["kept"] if record["kept"] else []
    if record["problem"]:
        words.append(visible(record["problem"]))
    return "; ".join(words) or "ok"
