"""`p4 run`: be reachable, keep every contact connected, take commands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from p4.cli.examples import examples
from p4.cli.lines import LineSource, in_background, line_source
from p4.cli.node_settings import node_settings, node_settings_options
from p4.cli.offline import open_initialised
from p4.cli.options import state_dir_option, verbose_option
from p4.cli.output import log_line
from p4.cli.prompt import CommandPrompt
from p4.cli.signals import run_until_signalled

if TYPE_CHECKING:
    from p4 import Node
    from p4.cli.announce import Announcer
    from p4.node.events import NodeEvent

__all__ = ["command"]

LAST_EVENTS_SECONDS = 0.2


@click.command(
    "run",
    short_help="Run this device's node with a prompt, as version 1 does.",
    epilog=examples(("p4 run", ""), ("p4 run --no-stdin", "as a service of your own")),
)
@state_dir_option
@node_settings_options
@click.option("--no-stdin", is_flag=True, help="Take no commands: run until SIGTERM or Ctrl-C.")
@verbose_option
def command(state_dir: Path, no_stdin: bool, **given: Any) -> int:
    """Run this device's node. /help at its prompt lists what it can do."""
    options = node_settings(given)
    open_initialised(state_dir)

    async def work() -> None:
        from p4 import Node

        await _serve(Node(state_dir, options), state_dir, read_commands=not no_stdin)

    return run_until_signalled(work).exit_code


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
