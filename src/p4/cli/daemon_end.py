"""Ends the daemon of a state directory, and waits until it has ended."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psutil

from p4.client import connect
from p4.errors import LocalError

__all__ = ["end_daemon"]

LIMIT_SECONDS = 15.0
"""A daemon ends within 2 s; a machine that is short of everything takes longer."""

LOOK_SECONDS = 0.02


async def end_daemon(state_dir: Path) -> int:
    """End the daemon, if one runs. What it accepted is on disk.

    Returns:
        The process id of the daemon that ended, 0 if there was none.

    Raises:
        LocalError: ``still-running``: it does not end.
    """
    try:
        async with connect(state_dir, restart_seconds=0.0) as client:
            pid = await client.shutdown()
    except LocalError as error:
        if error.code == "no-daemon":
            return 0
        raise
    if not await asyncio.to_thread(_has_ended, pid):
        raise LocalError(
            f"The daemon (pid {pid}) was asked to end {LIMIT_SECONDS:g} s ago and has not. What it accepted "
            "is on "
            "disk: it may be ended by force.",
            code="still-running",
        )
    return pid


def _has_ended(pid: int) -> bool:
    """Wait for a process; one that only its parent has not noticed yet has ended."""
    deadline = time.monotonic() + LIMIT_SECONDS
    try:
        process = psutil.Process(pid)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_SECONDS)
    except psutil.NoSuchProcess:
        pass
    return True
