"""`p4 run`: be reachable, keep every contact connected, take commands."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from p4.cli.lines import LineSource, in_background, line_source
from p4.cli.offline import open_initialised
from p4.cli.options import (
    host_and_port,
    ice_options,
    ice_settings,
    mode_option,
    node_options,
    state_dir_option,
    tor_options,
    verbose_option,
)
from p4.cli.output import log_line
from p4.cli.prompt import CommandPrompt
from p4.cli.signals import run_until_signalled
from p4.errors import InputError

if TYPE_CHECKING:
    from p4 import Node
    from p4.cli.announce import Announcer
    from p4.node.events import NodeEvent

__all__ = ["command"]

LAST_EVENTS_SECONDS = 0.2


@click.command("run", short_help="Run this device's node.")
@state_dir_option
@mode_option
@click.option(
    "--signal-host", default="127.0.0.1", show_default=True, metavar="H", help="Direct mode: listen here."
)
@click.option(
    "--signal-port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="TCP port to listen on in direct mode; without it or with 0 a free one is chosen.",
)
@click.option("--advertise-host", metavar="H", help="Direct mode: the host that the invite names.")
@click.option("--advertise", metavar="HOST:PORT", help="The same with another port than --signal-port.")
@click.option(
    "--retry-seconds",
    type=click.FloatRange(min=0.1, max=86400),
    metavar="S",
    help="Longest pause between two attempts to reach a contact.",
)
@click.option("--no-lan", is_flag=True, help="Neither look for contacts on the local network nor show there.")
@click.option(
    "--no-direct-signaling",
    is_flag=True,
    help="Tell contacts no addresses to call and ask no router for a port: they use the invite's address.",
)
@ice_options
@tor_options
@click.option("--no-stdin", is_flag=True, help="Take no commands: run until SIGTERM or Ctrl-C.")
@verbose_option
def command(
    state_dir: Path,
    signal_host: str,
    advertise_host: str | None,
    advertise: str | None,
    retry_seconds: float | None,
    no_lan: bool,
    no_direct_signaling: bool,
    no_stdin: bool,
    **given: Any,
) -> int:
    """Run this device's node. /help at its prompt lists what it can do."""
    if retry_seconds is not None and not math.isfinite(retry_seconds):
        raise InputError("--retry-seconds must be a number of seconds.")
    options = node_options(
        given,
        advertise=_advertised(given, advertise_host, advertise),
        ice=ice_settings(given),
        signal_host=signal_host,
        retry_seconds=retry_seconds,
        lan=not no_lan,
        direct_signaling=not no_direct_signaling,
        link_backend=given["link_backend"],
    )
    open_initialised(state_dir)

    async def work() -> None:
        from p4 import Node

        await _serve(Node(state_dir, options), state_dir, read_commands=not no_stdin)

    return run_until_signalled(work).exit_code


def _advertised(given: dict[str, Any], host: str | None, both: str | None) -> tuple[str, int] | None:
    if both is not None:
        if host is not None:
            raise InputError("Give either --advertise-host or --advertise.")
        return host_and_port(both)
    if not host:
        return None
    port = given["signal_port"]
    if not port and given["mode"] == "direct":
        raise InputError(
            "--advertise-host needs --signal-port, so that the invite stays true after a restart."
        )
    return host_and_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}") if port else None


async def _serve(node: Node, state_dir: Path, *, read_commands: bool) -> None:
    """Run the node until its commands end, it fails, or the task is cancelled."""
    from p4.cli.announce import Announcer
    from p4.cli.status.writer import StatusWriter

    announcer = Announcer()
    telling: asyncio.Task[None] | None = None
    announcing = asyncio.create_task(_announce(node.events(), announcer))
    with ExitStack() as stack:
        try:
            log_line("Starting")
            await node.start()
            announcer.started(node.invite(), node.status)
            telling = asyncio.create_task(StatusWriter(node, state_dir).run(), name="status file")
            if read_commands and in_background():
                log_line("Running in the background: commands are not read")
                read_commands = False
            if read_commands:
                lines = stack.enter_context(line_source(node, lambda: _status_line(node)))
                work = asyncio.create_task(_take_commands(node, lines, announcer))
            else:
                work = asyncio.create_task(node.serve_forever())
            chatting = asyncio.create_task(_chat(node, announcer))
            await _first_of([work, announcing, chatting])
        finally:
            announcer.closing = True
            if telling is not None:
                telling.cancel()
            await node.close()
            announcer.close()
            # The node's last events, such as a warning that explains why it did not start.
            await asyncio.wait([announcing, *([telling] if telling else [])], timeout=LAST_EVENTS_SECONDS)
            announcing.cancel()


async def _announce(events: AsyncIterator[NodeEvent], announcer: Announcer) -> None:
    async for event in events:
        announcer.show(event)


async def _chat(node: Node, announcer: Announcer) -> None:
    """Print what contacts say; what was not printed comes again after the next start."""
    async for message in node.messages("chat"):
        if announcer.chat(message):
            message.done()
    await asyncio.get_running_loop().create_future()  # the node's end is told by the others


async def _take_commands(node: Node, lines: LineSource, announcer: Announcer) -> None:
    prompt = CommandPrompt(node, queued=announcer.queued)
    while (line := await lines.next_line(prompt.text)) is not None:
        if not await prompt.handle(line):
            return
    prompt.end()


async def _first_of(work: list[asyncio.Task[None]]) -> None:
    """Wait until one part ends, and raise what it raised; the others are ended in any case, but for the
    second, which tells of the end."""
    try:
        done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        for part in done:
            part.result()
    finally:
        ended = [work[0], *work[2:]]
        for part in ended:
            part.cancel()
        await asyncio.wait(ended)


def _status_line(node: Node) -> str:
    peers = node.peers()
    connected = sum(peer.connected for peer in peers)
    return f"P4 {node.peer_id[:8]} · {connected} of {len(peers)} connected · {node.status.text}"
