"""`p4 up`: the daemon, in this terminal or in the background."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from p4.cli.daemon_connection import json_option
from p4.cli.examples import examples
from p4.cli.node_settings import node_settings, node_settings_options
from p4.cli.offline import open_or_initialise
from p4.cli.options import state_dir_option, verbose_option
from p4.cli.output import complain, say, say_json
from p4.cli.remembered_options import given_options, remember_options, remembered_options
from p4.cli.signals import run_until_signalled
from p4.errors import InputError

if TYPE_CHECKING:
    from p4.node.options import NodeOptions

__all__ = ["command"]

END_SECONDS = 2.5
"""The daemon ends within 2 s of a signal; then it is ended."""


def _use_remembered(context: click.Context, _parameter: click.Parameter, forget: bool) -> bool:
    """What the user gave last time is the default of every option that is looked at after this one."""
    if not forget and not context.resilient_parsing:
        context.default_map = remembered_options(context.params["state_dir"])
    return forget


@click.command(
    "up",
    short_help="Run the daemon: be reachable, keep every contact connected.",
    epilog=examples(
        ("p4 up", "in this terminal, with a live view; Ctrl-C ends it"),
        ("p4 up --detach", "in the background; p4 down ends it"),
        ("p4 up --mode direct --signal-port 4000 --advertise-host 192.0.2.7", "without Tor"),
        ("p4 service install", "from now on by itself, at login"),
    ),
)
@state_dir_option
@click.option("-d", "--detach", is_flag=True, help="In the background; returns when it answers.")
@click.option("--plain", is_flag=True, help="Lines instead of the live view, as without a terminal.")
@click.option(
    "--forget-options",
    is_flag=True,
    is_eager=True,
    callback=_use_remembered,
    help="Do not use, and forget, the options of the last start.",
)
@click.option(
    "--api-port", type=click.IntRange(0, 65535), metavar="N", help="TCP port of the API on this machine."
)
@node_settings_options
@json_option
@verbose_option
@click.pass_context
def command(
    context: click.Context,
    /,
    state_dir: Path,
    detach: bool,
    plain: bool,
    forget_options: bool,
    api_port: int | None,
    as_json: bool,
    **given: Any,
) -> int:
    """Run the daemon of this device: one program that holds its identity and its contacts for all others.

    The first time, it makes the device's identity. The options below are remembered: the next `p4 up`, and
    any command that starts the daemon by itself, uses them again.
    """
    settings = node_settings(given)
    open_or_initialise(state_dir)
    chosen = given_options(context)
    if chosen or forget_options:
        remembered = {} if forget_options else remembered_options(state_dir)
        remember_options(state_dir, {**remembered, **chosen})
    outcome = run_until_signalled(
        lambda: (
            _detached(state_dir, changed=bool(chosen), as_json=as_json)
            if detach
            else _foreground(
                state_dir,
                settings,
                api_port,
                changed=bool(chosen),
                live=not plain and not as_json and sys.stdout.isatty(),
                verbosity=int(context.meta.get("p4.verbosity", 0)),
            )
        ),
        grace_seconds=END_SECONDS,
    )
    return outcome.exit_code if outcome.value is None else outcome.value


async def _detached(state_dir: Path, *, changed: bool, as_json: bool) -> int:
    from p4.cli.daemon_start import start_daemon
    from p4.client import connect

    started = await start_daemon(state_dir)
    async with connect(state_dir) as client:
        status = await client.status()
    if as_json:
        say_json({"pid": status.pid, "started": started is not None, "id": status.id})
    elif started is None:
        say(f"The daemon runs already (pid {status.pid}).")
        if changed:
            complain("The options that you gave are for its next start: p4 down, then p4 up --detach")
    else:
        say(f"The daemon runs in the background (pid {status.pid}). How it is: p4 status. End it: p4 down")
    return 0


async def _foreground(
    state_dir: Path,
    settings: NodeOptions,
    api_port: int | None,
    *,
    changed: bool,
    live: bool,
    verbosity: int,
) -> int:
    from p4.cli.daemon_start import daemon_answers
    from p4.cli.daemon_view import show_live
    from p4.client import connect

    if live and await daemon_answers(state_dir):
        if changed:
            raise InputError(
                "The daemon runs already, with other options. Yours are kept for its next start: p4 down, "
                "then "
                "p4 up",
                code="already-running",
            )
        complain("The daemon runs already, in the background. This is how it is; Ctrl-C ends only this view.")
        async with connect(state_dir) as client:
            await show_live(client)
        return 0
    await _run_daemon(state_dir, settings, api_port, live=live, verbosity=verbosity)
    return 0


async def _run_daemon(
    state_dir: Path, settings: NodeOptions, api_port: int | None, *, live: bool, verbosity: int
) -> None:
    """Until somebody asks it to end."""
    from p4 import Node
    from p4.cli.daemon_log import log_to_file
    from p4.cli.daemon_view import show_lines, show_live
    from p4.client import connect
    from p4.daemon.server import Daemon, DaemonOptions

    log_to_file(state_dir, verbosity=verbosity)
    async with (
        Daemon(Node(state_dir, settings), state_dir, DaemonOptions(port=api_port)) as daemon,
        connect(state_dir) as client,
    ):
        watching = asyncio.create_task((show_live if live else show_lines)(client), name="view")
        serving = asyncio.create_task(daemon.serve_forever(), name="daemon")
        try:
            # The view is a convenience: its end, whatever the reason, is not the daemon's.
            await serving
        finally:
            serving.cancel()
            watching.cancel()
            await asyncio.wait([watching, serving])
