"""One of the demonstration's nodes: a process whose output is read and timed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from p4.errors import LocalError

__all__ = ["NodeProcess", "OutputLine", "run_command"]

COMMAND_SECONDS = 90.0
"""Longest time of `p4 init`, `invite` (which may start Tor) or `add-contact`."""

QUIT_SECONDS = 5.0
"""A node has 2 s to end; after this it is killed."""

OWN_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
"""Windows' counterpart of a new session: Ctrl-C is for the demonstration, which ends its nodes in order."""


@dataclass(frozen=True, slots=True)
class OutputLine:
    """A line that a node printed."""

    at: float
    """``time.monotonic()`` when it arrived here."""
    text: str


class NodeProcess:
    """A device of the demonstration: a state directory, and sometimes a process.

    Args:
        name: what the demonstration calls it.
        directory: its state directory.
        log: everything that its processes print, with times, is appended here.
    """

    def __init__(self, name: str, directory: Path, log: Path) -> None:
        self.name = name
        self.directory = directory
        self.log = log
        self.peer_id = ""
        self.lines: list[OutputLine] = []
        self.started_at = 0.0
        self.watch: Callable[[str], None] | None = None
        """Told every line as it arrives."""
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._arrived = asyncio.Condition()
        self._family: dict[int, psutil.Process] = {}

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.returncode is None

    async def start(self, options: Sequence[str]) -> None:
        """Start `p4 run` with these further options; returns when the process exists."""
        await self._start("p4 run", _p4("run", "--state-dir", str(self.directory), *options))

    async def start_film(self, options: Sequence[str], *words: str) -> None:
        """Start the example program `p4.cli.demo.film` on the state directory instead.

        Args:
            options: of the node, as for `start`.
            words: ``send PEER FILE`` or ``receive DIRECTORY``.
        """
        program = [sys.executable, "-m", "p4.cli.demo.film", *options, str(self.directory), *words]
        await self._start(f"film {' '.join(words)}", program)

    async def _start(self, title: str, program: Sequence[str]) -> None:
        self.note(f"--- {title} ---")
        self.started_at = time.monotonic()
        self._process = await asyncio.create_subprocess_exec(
            *program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=_environment(),
            start_new_session=True,
            creationflags=OWN_GROUP,
        )
        self._reading = asyncio.create_task(self._read(self._process))

    async def command(self, line: str) -> None:
        """Type a line at its prompt.

        Raises:
            LocalError: the process has ended.
        """
        process = self._process
        if process is None or process.stdin is None or process.returncode is not None:
            raise LocalError(f"The {self.name} is not running.")
        self.note(f"p4> {line}")
        process.stdin.write(line.encode() + b"\n")
        with contextlib.suppress(ConnectionError):
            await process.stdin.drain()

    async def wait_for(
        self,
        pattern: str,
        *,
        since: float,
        where: Callable[[re.Match[str]], bool] = lambda _match: True,
    ) -> OutputLine:
        """The first line that matches the regular expression and arrived at ``since`` or later.

        Args:
            where: what must be true of the match besides.

        Raises:
            LocalError: the process ended without printing it.
        """
        expression = re.compile(pattern)
        seen = 0
        async with self._arrived:
            while True:
                for line in self.lines[seen:]:
                    if line.at >= since and (match := expression.search(line.text)) and where(match):
                        return line
                seen = len(self.lines)
                if self._reading is None or self._reading.done():
                    raise LocalError(f"The {self.name}'s node ended by itself.")
                await self._arrived.wait()

    def said(self, beginning: str, *, since: float) -> list[str]:
        """The rests of all lines that begin like this and arrived at ``since`` or later."""
        return [
            line.text.removeprefix(beginning)
            for line in self.lines
            if line.at >= since and line.text.startswith(beginning)
        ]

    async def ended(self) -> None:
        """Wait until its process has ended by itself.

        Raises:
            LocalError: it ended with an error.
        """
        if self._process is None:
            return
        self._remember_family()
        await self._ended()
        if self._process.returncode:
            last = self.lines[-1].text if self.lines else "nothing"
            raise LocalError(f"The {self.name}'s program failed. It said: {last}")

    async def kill(self) -> float:
        """End the process as a power cut would (SIGKILL); gives the moment."""
        self._remember_family()
        at = time.monotonic()
        if self._process is not None and self.running:
            self._process.kill()
            await self._ended()
        self.note("--- killed ---")
        return at

    async def quit(self) -> None:
        """End it in an orderly way, or by force if that takes too long."""
        self._remember_family()
        if self._process is not None and self.running:
            if self._process.stdin is not None:
                self._process.stdin.close()
            if sys.platform != "win32":  # where it would be a kill; the end of its input ends it as well
                with contextlib.suppress(ProcessLookupError):
                    self._process.terminate()
            try:
                async with asyncio.timeout(QUIT_SECONDS):
                    await self._ended()
            except TimeoutError:
                self._process.kill()
                await self._ended()

    async def clean_up(self) -> None:
        """Leave no process of it behind, neither its own nor the Tor that it started."""
        await self.quit()
        left = [process for process in self._family.values() if process.is_running()]
        if left:
            _, left = await asyncio.to_thread(psutil.wait_procs, left, 1.0)
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()

    async def _ended(self) -> None:
        if self._process is not None:
            await self._process.wait()
        if self._reading is not None:
            await asyncio.wait([self._reading])

    def _remember_family(self) -> None:
        """Note what the process has started, before it is gone and they cannot be told any more."""
        if self._process is not None and self.running:
            with contextlib.suppress(psutil.Error):
                for child in psutil.Process(self._process.pid).children(recursive=True):
                    self._family[child.pid] = child

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it was started with a pipe
        try:
            while data := await process.stdout.readline():
                text = data.decode("utf-8", "replace").rstrip("\r\n")
                self.note(text)
                if self.watch is not None:
                    self.watch(text)
                async with self._arrived:
                    self.lines.append(OutputLine(time.monotonic(), text))
                    self._arrived.notify_all()
        except ValueError:
            # asyncio's limit on a line's length; ours are short, so this node is broken and must not hang us.
            process.kill()
        await process.wait()
        asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(self._wake()))

    async def _wake(self) -> None:
        async with self._arrived:
            self._arrived.notify_all()

    def note(self, text: str) -> None:
        """Add a line, with the time, to the log."""
        now = time.time()
        stamp = f"{time.strftime('%H:%M:%S', time.localtime(now))}.{int(now % 1 * 1000):03d}"
        with self.log.open("a", encoding="utf-8") as file:
            file.write(f"{stamp}  {text}\n")


async def run_command(*arguments: str, note: Callable[[str], None] = lambda _text: None) -> str:
    """Run a `p4` command to its end and give its output.

    Raises:
        LocalError: it failed; the message has its own words.
    """
    process = await asyncio.create_subprocess_exec(
        *_p4(*arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(),
        start_new_session=True,
        creationflags=OWN_GROUP,
    )
    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            output, errors = await process.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        raise
    said = errors.decode("utf-8", "replace").strip()
    note(f"$ p4 {' '.join(arguments)}\n{output.decode('utf-8', 'replace')}{said}")
    if process.returncode:
        raise LocalError(f"`p4 {arguments[0]}` failed: {said.removeprefix('p4: ')}")
    return output.decode("utf-8")


def _p4(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "p4.cli", *arguments]


def _environment() -> dict[str, str]:
    # The very package that runs now, also from a source tree; and a path for the data that stays inside.
    source = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8", "P4_ALLOW_LOOPBACK": "1"}
