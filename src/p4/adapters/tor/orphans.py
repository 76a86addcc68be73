"""Ends a Tor that an earlier P4 left behind, so that it never blocks the next start.

Normally none is left: Tor ends with its controlling connection. It stays if it was frozen, if its
ownership was dropped, or if P4 died before it took ownership. The caller holds the state directory's
lock, so whatever still runs on our torrc belongs to nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import psutil

from p4.adapters.tor.workspace import Workspace
from p4.errors import TorError

__all__ = ["end_orphans"]

_POLITE_SECONDS = 0.5
"""A client Tor obeys SIGTERM at once, a frozen one never."""

_KILL_SECONDS = 3.0


async def end_orphans(workspace: Workspace) -> int:
    """End every process that was started on this workspace's torrc; returns how many there were.

    Found by command line, not by a process id in a file: ids are used again, and a file may be missing.
    Costs nothing after a clean end, which removes the torrc.

    Raises:
        TorError: ``orphan-stays``.
    """
    if not workspace.torrc.exists():
        return 0
    return await asyncio.to_thread(_end, workspace.arguments())


def _end(arguments: Sequence[str]) -> int:
    orphans = [process for process in psutil.process_iter() if _runs(process, arguments)]
    for process in orphans:
        _signal(process, final=False)
    _, alive = psutil.wait_procs(orphans, timeout=_POLITE_SECONDS)
    for process in alive:
        _signal(process, final=True)
    _, alive = psutil.wait_procs(alive, timeout=_KILL_SECONDS)
    if alive:
        raise TorError(
            f"A Tor that an earlier P4 left behind (process {alive[0].pid}) cannot be ended. End it by hand, "
            "then start P4 again.",
            code="orphan-stays",
        )
    return len(orphans)


def _runs(process: psutil.Process, arguments: Sequence[str]) -> bool:
    """Whether the command line holds exactly our arguments, side by side; an editor on the torrc has not."""
    try:
        line = process.cmdline()
    except psutil.Error:
        return False  # gone already, or another user's
    length = len(arguments)
    return any(line[start : start + length] == list(arguments) for start in range(1, len(line) - length + 1))


def _signal(process: psutil.Process, *, final: bool) -> None:
    try:
        if final:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        pass
    except psutil.AccessDenied as error:
        raise TorError(
            f"A Tor that an earlier P4 left behind (process {process.pid}) belongs to another user. "
            "End it by hand, then start P4 again.",
            code="orphan-stays",
        ) from error
