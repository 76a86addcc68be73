"""How the daemon is, as it changes: a live view on a terminal, lines elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from p4.cli.output import complain, log_line, visible
from p4.cli.status.words import now_ms, reachability
from p4.client.connection import FEED_OPENED

if TYPE_CHECKING:
    from rich.console import RenderableType

    from p4.client import Client, DaemonEvent

__all__ = ["event_line", "show_lines", "show_live"]

LOOK_SECONDS = 1.0
"""Throughput changes by the second, and so does "40 s ago"."""


async def show_lines(client: Client) -> None:
    """A line for each thing that happens, with its time, until cancelled."""
    identity = await client.identity()
    log_line(f"The daemon of {identity.id} runs")
    async for event in client.events(FEED_OPENED):
        if event.kind == FEED_OPENED:
            break
    status = await client.status()
    log_line(visible(status.reachability))
    async for event in client.events():
        if event.kind == "node.warning":
            complain(str(event.data.get("text", "")))
        elif line := event_line(event):
            log_line(visible(line))


def event_line(event: DaemonEvent) -> str:
    """An event in words; empty for what no person needs to see. A stranger's text is in it."""
    data = event.data
    contact = _label(data.get("contact"))
    match event.kind:
        case "link.up":
            return f"{contact} is connected"
        case "link.down":
            reason = str(data.get("reason", ""))
            return f"{contact} is not connected any more" + (f": {reason}" if reason else "")
        case "reachability.changed":
            progress = data.get("progress") or 0
            text = str(data.get("text", ""))
            return f"{text} ({progress} %)" if 0 < progress < 100 and "%" not in text else text
        case "node.warning":
            return str(data.get("text", ""))
        case "contact.paired":
            return f"{contact} is paired with this device"
        case "contact.added":
            return f"{contact} is a contact now"
        case "contact.removed":
            return f"{contact} is no contact any more"
        case "contact.renamed":
            return f"{contact} is called so from now on"
        case _:
            return ""


async def show_live(client: Client) -> None:
    """The device, its contacts and what is under way, on the terminal, until cancelled."""
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False, emoji=False)
    recent: list[str] = []
    changed = asyncio.Event()
    watching = asyncio.create_task(_watch(client, recent, changed), name="events")
    try:
        with Live(console=console, auto_refresh=False, transient=False) as live:
            while True:
                live.update(await _picture(client, recent, console.height), refresh=True)
                changed.clear()
                try:
                    async with asyncio.timeout(LOOK_SECONDS):
                        await changed.wait()
                except TimeoutError:
                    continue
    finally:
        watching.cancel()


async def _watch(client: Client, recent: list[str], changed: asyncio.Event) -> None:
    import time

    async for event in client.events():
        if line := event_line(event):
            recent.append(f"{time.strftime('%H:%M:%S')}  {visible(line)}")
            del recent[:-20]
        changed.set()


async def _picture(client: Client, recent: list[str], height: int) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from p4.cli.status.from_daemon import node_status_of
    from p4.cli.status.view import contacts_table

    status, moment = await client.status(), now_ms()
    node = node_status_of(status)
    connected = sum(peer.connected for peer in node.peers)
    head = Text.assemble(
        ("P4 ", "bold"),
        node.peer_id[:8],
        " · reachable: ",
        (visible(reachability(node, moment)), "green" if node.reachable else "yellow"),
        f" · {connected} of {len(node.peers)} connected",
    )
    parts: list[RenderableType] = [head, Text(""), contacts_table(node.peers, moment)]
    parts += await _under_way(client)
    room = max(0, height - len(node.peers) - len(parts) - 6)
    if recent and room:
        parts += [Text(""), *(Text(line, style="dim") for line in recent[-min(room, 8) :])]
    parts += [Text(""), Text("Ctrl-C ends this. p4 --help lists what else there is.", style="dim")]
    return Group(*parts)


async def _under_way(client: Client) -> list[RenderableType]:
    """A line for each transfer that is under way."""
    from rich.text import Text

    from p4.cli.status.words import duration, rate
    from p4.client.transfers import Transfers

    lines: list[RenderableType] = []
    for entry in await Transfers(client).list():
        if entry["state"] != "running":
            continue
        progress = entry["progress"]
        share = (
            f"{100 * progress['bytes_done'] // progress['bytes']} %"
            if progress["bytes"]
            else progress["phase"]
        )
        left = progress["seconds_left"]
        parts = [
            f"{share:>9}",
            f"{entry['direction']} {' '.join(entry['sources'])}",
            _label(entry["contact"]),
            rate(progress["bytes_per_second"]),
            "" if left is None else f"{duration(left)} left",
        ]
        lines.append(
            Text("  ".join(visible(part) for part in parts if part), no_wrap=True, overflow="ellipsis")
        )
    return [Text(""), *lines] if lines else []


def _label(contact: Any) -> str:
    if not isinstance(contact, Mapping):
        return str(contact or "")
    return str(contact.get("name") or str(contact.get("id", ""))[:8])
