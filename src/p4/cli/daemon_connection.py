"""The daemon, for a command: found, or started in the background."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from p4.cli.options import state_dir_option, verbose_option
from p4.cli.output import complain
from p4.cli.signals import run_until_signalled
from p4.errors import AlreadyRunningError, LocalError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from p4.client import Client

__all__ = ["connected", "daemon_options", "json_option", "run_command", "through_daemon"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_no_start_option = click.option(
    "--no-start", is_flag=True, help="Refuse if no daemon runs, instead of starting one in the background."
)

json_option = click.option("--json", "as_json", is_flag=True, help="For programs: JSON instead of text.")


def daemon_options(command: Decorated) -> Decorated:
    """``--state-dir``, ``--no-start`` and ``-v`` of a command that works through the daemon.

    The command takes ``state_dir: Path`` and ``no_start: bool`` and hands both to `connected`.
    """
    return state_dir_option(_no_start_option(verbose_option(command)))


@asynccontextmanager
async def connected(state_dir: Path, *, no_start: bool = False) -> AsyncIterator[Client]:
    """A client of the daemon, which is started in the background if none runs; one line on stderr says so.

    Args:
        state_dir: of the device.
        no_start: refuse instead.

    Raises:
        LocalError: ``no-daemon`` with ``no_start``; P4Error: why it could not be started.
    """
    # aiohttp takes a while to import.
    from p4.cli.daemon_start import daemon_answers, start_daemon
    from p4.client import connect

    if not no_start and not await daemon_answers(state_dir):
        pid = await start_daemon(state_dir)
        if pid is not None:
            complain(f"Started the daemon in the background (pid {pid}). It ends with: p4 down")
    async with connect(state_dir) as client:
        yield client


def run_command(
    work: Callable[[Client], Awaitable[int | None]], state_dir: Path, *, no_start: bool = False
) -> int:
    """Run a command's coroutine with a client of the daemon.

    Args:
        work: gets the client; its result is the exit code, None for 0. Ctrl-C cancels it.

    Returns:
        The exit code.
    """

    async def whole() -> int:
        async with connected(state_dir, no_start=no_start) as client:
            return await work(client) or 0

    outcome = run_until_signalled(whole)
    return outcome.exit_code if outcome.value is None else outcome.value


def through_daemon(
    state_dir: Path,
    work: Callable[[Client], Awaitable[object]],
    *,
    refusal: AlreadyRunningError,
    advice: str,
) -> None:
    """Let the daemon do what a command cannot, because the state directory is the daemon's.

    Args:
        refusal: what the directory said. It is raised, with the advice, if its holder is no daemon.
        advice: what to do at the prompt of `p4 run`.
    """
    from p4.client import connect

    async def ask() -> None:
        async with connect(state_dir, restart_seconds=0.0) as client:
            await work(client)

    try:
        asyncio.run(ask())
    except LocalError as error:
        if error.code != "no-daemon":
            raise
        raise AlreadyRunningError(
            f"{refusal.message} {advice}", path=refusal.path, pid=refusal.pid
        ) from refusal
