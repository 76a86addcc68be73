"""What `p4 forward` and `p4 serve` do once they know what to begin."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from p4.cli.output import complain, say, say_json, say_json_line, show, visible
from p4.cli.tunnels.view import figures_line, headline, tunnels_table
from p4.client.forwards import Forwards

if TYPE_CHECKING:
    from p4.client import Client

__all__ = ["begin", "list_all", "remove"]


async def begin(client: Client, what: dict[str, Any], *, keep: bool, as_json: bool) -> None:
    """Begin a forward or a served port: kept by the daemon, or until this command is ended."""
    forwards = Forwards(client)
    if keep:
        record = await forwards.keep(what)
        if as_json:
            say_json(record)
        else:
            say(f"{headline(record)} It is kept; end it with: p4 {record['kind']} --remove {record['id']}")
        return
    async with forwards.hold(what) as held:
        if as_json:
            say_json_line(held.record)
            async for record in held:
                say_json_line(record)
            return
        say(f"{headline(held.record)} Ctrl-C ends it.")
        problem = held.record["problem"]
        live = sys.stdout.isatty()
        async for record in held:
            if record["problem"] != problem:
                problem = record["problem"]
                if live:
                    _overwrite("")
                complain(visible(problem))
            if live:
                _overwrite(figures_line(record))
    say("It was removed.")


async def list_all(client: Client, kind: str, *, as_json: bool) -> None:
    """Show what there is.

    Args:
        kind: ``forward`` for all, ``serve`` for the served ports alone.
    """
    records = [record for record in await Forwards(client).list() if kind in ("forward", record["kind"])]
    if as_json:
        say_json({"forwards": records})
    else:
        show(tunnels_table(records))


async def remove(client: Client, reference: str, *, as_json: bool) -> None:
    """End one."""
    record = await Forwards(client).remove(reference)
    if as_json:
        say_json(record)
    else:
        say(f"Ended: {headline(record)}")


def _overwrite(line: str) -> None:
    """Replace the line at the bottom of the terminal."""
    sys.stdout.write(f"\r\x1b[2K{visible(line)}")
    sys.stdout.flush()
