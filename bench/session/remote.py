"""A worker process, as the side that measures sees it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil

from bench.pairs import ROOT

START_SECONDS = 30.0
"""Until two nodes of a fresh pair must have a link."""

CLOSE_SECONDS = 10.0
"""Until a worker that was told to end is killed."""

SAMPLE_SECONDS = 0.02
"""Between two looks at the memory of a process."""


class RemoteError(RuntimeError):
    """An action failed in the worker, or the worker ended."""


class Remote:
    """A worker process. Each action runs there as a task of its own, so that several can be under way.

    Args:
        directory: of its state; its log is beside it.
        name: says in failures which of the workers it was.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self.directory = directory
        self.name = name
        self._log = directory.with_name(f"{directory.name}.log")
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._number = 0

    async def start(self) -> None:
        """Start the process, again after `kill` or `close`."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bench.session.worker", str(self.directory), self.name),
                cwd=ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=2**24,
            )
        self._reading = asyncio.create_task(self._read(self._process))

    async def ask(self, action: str, **arguments: Any) -> Any:
        """Have an action done and return its result. Raises RemoteError."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._number += 1
        answer = self._asked[self._number] = asyncio.get_running_loop().create_future()
        if self._process.returncode is not None or self._reading is None or self._reading.done():
            raise RemoteError(f"{self.name} has ended: {self._last_words()}")
        line = json.dumps({"number": self._number, "do": action, "with": arguments})
        self._process.stdin.write(line.encode() + b"\n")
        return await answer

    def begin(self, action: str, **arguments: Any) -> asyncio.Task[Any]:
        """Have an action begun; the task gives its result."""
        task = asyncio.create_task(self.ask(action, **arguments))
        task.add_done_callback(_heard)
        return task

    @property
    def memory(self) -> float:
        """Resident memory in MB (10^6 bytes)."""
        return self._look(lambda process: float(process.memory_info().rss) / 1e6)

    @property
    def cpu_seconds(self) -> float:
        """CPU time used by all its threads so far."""
        return self._look(lambda process: float(sum(process.cpu_times()[:2])))

    def _look(self, at: Callable[[psutil.Process], float]) -> float:
        assert self._process is not None
        try:
            return at(psutil.Process(self._process.pid))
        except psutil.Error as error:
            raise RemoteError(f"{self.name} has ended: {self._last_words()}") from error

    async def peak_memory(self, until: asyncio.Future[Any]) -> float:
        """The highest resident memory in MB seen until something is done."""
        peak = self.memory
        while not until.done():
            peak = max(peak, self.memory)
            await asyncio.wait([until], timeout=SAMPLE_SECONDS)
        return peak

    async def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            await self._reading

    async def close(self) -> None:
        """End it in order, so that its profile is written; kill it if that takes long."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(RemoteError, TimeoutError, ConnectionError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self.ask("close")
                    await self._process.wait()
        await self.kill()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            answer = json.loads(line)
            future = self._asked.pop(answer["number"])
            if future.done():
                continue
            if "error" in answer:
                future.set_exception(RemoteError(f"{self.name}: {answer['error']}"))
            else:
                future.set_result(answer["result"])
        for future in self._asked.values():
            if not future.done():
                future.set_exception(RemoteError(f"{self.name} has ended: {self._last_words()}"))
                future.exception()  # some are not waited for any more
        self._asked.clear()

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "without a word"


def _heard(task: asyncio.Task[Any]) -> None:
    """A part that failed elsewhere does not ask how this one ended."""
    if not task.cancelled():
        task.exception()


@contextlib.asynccontextmanager
async def running(directory: Path, *names: str) -> AsyncIterator[tuple[Remote, ...]]:
    """Workers without nodes, ended in the end."""
    remotes = tuple(Remote(directory / name, name) for name in names)
    try:
        for remote in remotes:
            await remote.start()
        yield remotes
    finally:
        await asyncio.gather(*(remote.close() for remote in remotes))


@contextlib.asynccontextmanager
async def connected_pair(directory: Path, *, lanes: bool = False) -> AsyncIterator[tuple[Remote, Remote]]:
    """Two workers with a node each, a link between them, and everything granted to each other.

    Args:
        lanes: streams may have lanes beside the link.
    """
    async with running(directory, "writer", "reader") as (writer, reader):
        async with asyncio.timeout(START_SECONDS):
            # The lower id dials at once.
            invites = [
                await writer.ask("start", low=True, lanes=lanes),
                await reader.ask("start", low=False, lanes=lanes),
            ]
            for remote, invite in zip((reader, writer), invites, strict=True):
                await remote.ask("add", invite=invite["invite"])
            for remote in (writer, reader):
                await remote.ask("connected")
        yield writer, reader
