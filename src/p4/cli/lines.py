"""Where the prompt's lines come from: a terminal with editing, or anything else."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from p4.cli.output import complain

if TYPE_CHECKING:
    from p4.cli.prompt import PromptNode

__all__ = ["LineSource", "PlainLines", "in_background", "line_source"]

READ_BYTES = 64 * 1024
LONGEST_LINE_BYTES = 1024 * 1024
"""A longer line cannot be a command and is refused, so that a flood cannot fill the memory."""


class LineSource(Protocol):
    """One line after the other."""

    async def next_line(self, prompt: str) -> str | None:
        """The next line without its line end, or None when there will be none any more.

        Args:
            prompt: shown to a person who is asked for it.
        """


class PlainLines:
    """Lines of a file descriptor, read by a thread of its own.

    A thread, because a regular file or a Windows pipe cannot be waited for on an event loop; a daemon, and
    on the bare descriptor, because a thread that waits inside ``sys.stdin`` would keep the interpreter from
    ending.

    Args:
        descriptor: what to read; None for nothing at all (a process started without a stdin).
    """

    def __init__(self, descriptor: int | None) -> None:
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        if descriptor is None:
            self._lines.put_nowait(None)
            return
        threading.Thread(target=self._read, args=(descriptor,), name="p4-stdin", daemon=True).start()

    async def next_line(self, prompt: str) -> str | None:
        """See `LineSource`."""
        return await self._lines.get()

    def _read(self, descriptor: int) -> None:
        unfinished = b""
        too_long = False
        while True:
            try:
                data = os.read(descriptor, READ_BYTES)
            except OSError:
                # Closed, or a terminal that has gone away: there is nothing more to read.
                data = b""
            *lines, unfinished = (unfinished + data).split(b"\n")
            for line in lines:
                if too_long or len(line) > LONGEST_LINE_BYTES:
                    complain("A line of the input was too long and is ignored.")
                else:
                    self._put(line)
                too_long = False
            if len(unfinished) > LONGEST_LINE_BYTES:
                # The rest of the line is not kept either; the complaint comes with its end.
                unfinished, too_long = b"", True
            if not data:
                if too_long:
                    complain("A line of the input was too long and is ignored.")
                elif unfinished:
                    self._put(unfinished)
                self._put(None)
                return

    def _put(self, line: bytes | None) -> None:
        text = None
        if line is not None:
            try:
                text = line.removesuffix(b"\r").decode("utf-8")
            except UnicodeDecodeError:
                complain("A line of the input is not UTF-8 and was ignored.")
                return
        try:
            self._loop.call_soon_threadsafe(self._lines.put_nowait, text)
        except RuntimeError:
            # The loop has been closed; the process is ending and nobody wants the line.
            return


def in_background() -> bool:
    """Whether stdin is a terminal that another job of the shell is using.

    Reading it would stop the whole process until it is brought to the foreground (SIGTTIN).
    """
    if sys.platform != "win32":
        with suppress(OSError):  # a terminal that is not the one we belong to
            return os.isatty(0) and os.tcgetpgrp(0) != os.getpgrp()
    return False


@contextmanager
def line_source(node: PromptNode, status: Callable[[], str]) -> Iterator[LineSource]:
    """The source that fits stdin and stdout; output goes above the prompt while it is in use.

    Args:
        node: whose contacts' names are completed.
        status: one line to show below the prompt of a terminal.
    """
    if sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty():
        # Only here, because importing prompt_toolkit takes longer than everything else together.
        from p4.cli.terminal import terminal_lines

        with terminal_lines(node, status) as lines:
            yield lines
    else:
        # Not simply 0: in a process started without stdin that number is some other file's.
        yield PlainLines(None if sys.stdin is None else sys.stdin.fileno())
