"""Starts the daemon of a state directory in the background: one, whoever asks for it at the same time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import filelock

from p4.cli.exit_codes import ExitCode
from p4.client import connect
from p4.core import limits
from p4.errors import InputError, LocalError, P4Error, StateError

__all__ = ["daemon_answers", "start_daemon"]

LOOK_SECONDS = 0.05
"""How often it is looked whether the daemon answers or has given up."""

_REASON_BYTES = 64 * 1024


async def daemon_answers(state_dir: Path) -> bool:
    """Whether a daemon works on this state directory and answers."""
    try:
        async with connect(state_dir, restart_seconds=0.0):
            return True
    except LocalError as error:
        if error.code in {"no-daemon", "connection-lost", "no-answer"}:
            return False
        raise


async def start_daemon(state_dir: Path, options: Sequence[str] = ()) -> int | None:
    """Start the daemon, and wait until it answers. Does nothing if one does already.

    Args:
        state_dir: of the device; made, with a new identity, if it does not exist.
        options: of `p4 up`; those of its last start where none are given.

    Returns:
        The process id of what was started; None if a daemon answered already.

    Raises:
        P4Error: it ended at once, with its own reason. LocalError ``daemon-failed``: it does not answer.
    """
    directory = _prepared(state_dir)
    async with _alone(directory / "start.lock"):
        if await daemon_answers(state_dir):
            return None
        said = directory / "start.log"
        process = _spawn(state_dir, options, said)
        await _answering(process, state_dir, said)
        process.returncode = 0  # it outlives us on purpose: Popen would warn of a forgotten child
        return process.pid


def _spawn(state_dir: Path, options: Sequence[str], said: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "p4.cli", "up", "--state-dir", str(state_dir.absolute()), "--plain"]
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    with said.open("wb") as output:
        return subprocess.Popen(
            [*command, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
            cwd=said.parent,  # the directory that it was called in can be removed or unmounted
            # A session of its own: neither Ctrl-C in this terminal nor its end reaches the daemon.
            start_new_session=True,
            creationflags=flags,
        )


def _prepared(state_dir: Path) -> Path:
    """The daemon's own directory in a state directory that is in order."""
    from p4.cli.offline import open_or_initialise

    state, _ = open_or_initialise(state_dir)
    directory = state.path.absolute() / "daemon"
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory


@asynccontextmanager
async def _alone(path: Path) -> AsyncIterator[None]:
    """One starter at a time; the lock goes with the process that holds it."""
    lock = filelock.FileLock(path, timeout=0, mode=0o600, thread_local=False)
    while True:
        try:
            lock.acquire()
            break
        except filelock.Timeout:
            await asyncio.sleep(LOOK_SECONDS)
    try:
        yield
    finally:
        lock.release()


async def _answering(process: subprocess.Popen[bytes], state_dir: Path, said: Path) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limits.DAEMON_START_SECONDS
    while not await daemon_answers(state_dir):
        code = process.poll()
        if code is not None:
            raise _reason(code, said)
        if loop.time() > deadline:
            raise LocalError(
                f"The daemon (pid {process.pid}) was started and does not answer yet. It goes on starting. "
                f"What it says is in {said} and in its log: p4 log",
                code="daemon-failed",
            )
        await asyncio.sleep(LOOK_SECONDS)


def _reason(code: int, said: Path) -> P4Error:
    """Why it ended, in its own words."""
    with said.open("rb") as file:
        lines = file.read(_REASON_BYTES).decode("utf-8", "replace").splitlines()
    words = [line.removeprefix("p4: ") for line in lines if line.startswith("p4: ")]
    reason = words[-1] if words else f"It ended with exit code {code}; look into {said}."
    message = f"The daemon did not start. {reason}"
    if code == ExitCode.STATE:
        return StateError(message, path=str(said.parent.parent), code="daemon-failed")
    if code == ExitCode.USAGE:
        return InputError(message, code="daemon-failed")
    return LocalError(message, code="daemon-failed")
