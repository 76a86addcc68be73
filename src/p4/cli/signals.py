"""Ending on a signal: orderly, and in time whatever hangs. Everything about signals is in this file.

The first SIGINT, SIGTERM, SIGHUP or (Windows) SIGBREAK cancels the command's task, which then cleans up.
If it has not ended `GRACE_SECONDS` later, or a second signal comes, the process ends at once: everything
accepted is on disk already, and Tor ends with the process that owns it. ``P4_END_SECONDS`` in the environment
gives a slow or busy machine more time.
"""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Generic, TypeVar

from p4.cli.exit_codes import ExitCode

__all__ = ["GRACE_SECONDS", "Outcome", "exit_code_after", "run_until_signalled"]

GRACE_SECONDS = 1.8
"""An orderly end has this long; a person waits at most 2 s."""

_MORE_SECONDS = "P4_END_SECONDS"

_NEVER = 0
"""No signal's number: the command has ended, and nothing needs to be ended by force."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Value]):
    """How a command's coroutine ended."""

    value: Value | None
    """Its result; None if a signal ended it."""
    exit_code: ExitCode
    """What the process should exit with."""


def exit_code_after(number: int) -> ExitCode:
    """Ctrl-C is an interruption; the others are how a supervisor ends a service, which is no failure."""
    return ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.OK


def run_until_signalled(
    work: Callable[[], Awaitable[Value]], *, grace_seconds: float = GRACE_SECONDS
) -> Outcome[Value]:
    """Run a coroutine on a new event loop until it is done or a signal ends it.

    Args:
        work: makes the coroutine. It is cancelled by a signal and may clean up.
        grace_seconds: after a signal the process is ended by force when this has passed, or
            ``P4_END_SECONDS`` if that is longer.

    Raises:
        Exception: what the coroutine raised, unless a signal came first.
    """

    async def supervised() -> Outcome[Value]:
        task = asyncio.ensure_future(work())
        loop = asyncio.get_running_loop()
        with _ending_signals(lambda: loop.call_soon_threadsafe(task.cancel), grace_seconds) as received:
            try:
                return Outcome(await task, ExitCode.OK)
            except (asyncio.CancelledError, KeyboardInterrupt):
                if not received:
                    raise
                return Outcome(None, exit_code_after(received[0]))

    with asyncio.Runner() as runner:
        return runner.run(supervised())


@contextmanager
def _ending_signals(end: Callable[[], object], grace_seconds: float) -> Iterator[list[int]]:
    """Call ``end`` at the first signal; yields the list that received signals are appended to."""
    received: list[int] = []
    # SimpleQueue.put is reentrant, so a signal handler may use it; a thread cannot be started there.
    alarm: queue.SimpleQueue[int] = queue.SimpleQueue()
    threading.Thread(
        target=_force_end,
        args=(alarm, max(grace_seconds, _more_seconds())),
        name="p4-end-by-force",
        daemon=True,
    ).start()

    def handle(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        alarm.put(number)
        if len(received) == 1:
            end()

    before = {number: signal.signal(number, handle) for number in _numbers()}
    try:
        yield received
    finally:
        if not received:
            alarm.put(_NEVER)
        for number, handler in before.items():
            # A signal that has come stays final: the alarm goes on and ends what hangs after us.
            if not received:
                signal.signal(number, handler)


def _numbers() -> list[signal.Signals]:
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    return [
        signal.Signals[name]
        for name in names
        # nohup's wish is respected: a hang-up that is ignored stays ignored.
        if hasattr(signal, name) and signal.getsignal(signal.Signals[name]) is not signal.SIG_IGN
    ]


def _more_seconds() -> float:
    """What the environment grants; 0 where it says nothing that can be used."""
    try:
        return min(float(os.environ.get(_MORE_SECONDS, "0")), threading.TIMEOUT_MAX)
    except ValueError:
        return 0.0


def _force_end(alarm: queue.SimpleQueue[int], grace_seconds: float) -> None:
    first = alarm.get()
    if first == _NEVER:
        return
    try:
        alarm.get(timeout=grace_seconds)
    except queue.Empty:
        os.write(2, b"p4: Ending took too long and was cut short. Nothing that was accepted is lost.\n")
    os._exit(exit_code_after(first))
