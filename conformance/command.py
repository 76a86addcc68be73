"""The command of one language: a process that is told what to do, a line at a time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from conformance.protocol import unexpected_keys

__all__ = ["Answer", "Command", "CommandError", "Refusal"]

Answer = dict[str, Any]

LINE_BYTES = 8 * 1024 * 1024
"""Longest answer that is read."""
SILENCE_SECONDS = 40.0
"""An answer that takes longer than this, beyond the request's own time limit, does not come any more."""
ENDING_SECONDS = 5.0
"""So long a command may take to end when its input does."""
_STDERR_BYTES = 4000


class Refusal(Exception):  # noqa: N818 - an answer of the protocol, and often the one that is wanted
    """The SDK's error, as the command told it."""

    def __init__(self, operation: str, entry: Answer) -> None:
        super().__init__(f"{operation} was refused: {entry.get('code')}: {entry.get('message')}")
        self.entry = entry

    @property
    def code(self) -> str:
        """The error's code."""
        return str(self.entry.get("code"))


class CommandError(Exception):
    """The command did not do its part: unsupported, a bug of its own, a wrong answer, or none."""


class Command:
    """A running command.

    Args:
        words: what starts it.
        log: file for its standard error.
    """

    def __init__(self, words: Sequence[str], log: Path) -> None:
        self._words = words
        self._log = log
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._last = 0

    async def __aenter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._words, stdin=PIPE, stdout=PIPE, stderr=log, limit=LINE_BYTES, start_new_session=True
            )
        self._reading = asyncio.create_task(self._read(self._process))
        return self

    async def __aexit__(self, *_: object) -> None:
        process, reading = self._process, self._reading
        if process is None or reading is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), ENDING_SECONDS)
        except TimeoutError:
            self.kill()
            await process.wait()
        reading.cancel()
        await asyncio.wait({reading})

    def kill(self) -> None:
        """End it and what it started; for one that does not answer."""
        if self._process is not None and self._process.returncode is None:
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def begin(self, operation: str, **arguments: Any) -> asyncio.Task[Answer]:
        """Send a request now; await the task for its result. See `ask`."""
        process = self._process
        if process is None or process.stdin is None:
            raise CommandError("the command does not run")
        self._last += 1
        number = self._last
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        request = {"id": number, "operation": operation, "arguments": arguments}
        process.stdin.write(json.dumps(request, ensure_ascii=False).encode() + b"\n")
        if process.returncode is not None or (self._reading is not None and self._reading.done()):
            future.set_exception(CommandError(f"the command has ended{self._last_words()}"))
        patience = SILENCE_SECONDS + float(arguments.get("timeout_seconds", 0))
        task = asyncio.create_task(self._result(operation, future, patience), name=operation)
        # A case that fails elsewhere does not look at it any more.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def ask(self, operation: str, **arguments: Any) -> Answer:
        """Send a request and wait for its result.

        Raises:
            Refusal: the SDK's error. CommandError: anything else.
        """
        return await self.begin(operation, **arguments)

    async def _result(self, operation: str, future: asyncio.Future[Answer], patience: float) -> Answer:
        try:
            answer = await asyncio.wait_for(future, patience)
        except TimeoutError:
            self.kill()
            raise CommandError(f"no answer to {operation} within {patience:g} s") from None
        kinds = answer.keys() - {"id"}
        if len(kinds) != 1 or not kinds <= {"result", "error", "unsupported", "failed"}:
            raise CommandError(f"the answer to {operation} has the keys {sorted(answer)}")
        (kind,) = kinds
        content = answer[kind]
        if kind in {"unsupported", "failed"}:
            raise CommandError(f"{operation} {kind}: {content}")
        if not isinstance(content, dict):
            raise CommandError(f"the {kind} of {operation} is no object")
        if kind == "error":
            if not (isinstance(content.get("code"), str) and isinstance(content.get("message"), str)):
                raise CommandError(f"the error of {operation} has no code or no message: {content}")
            raise Refusal(operation, content)
        problem = unexpected_keys(operation, content)
        if problem:
            raise CommandError(problem)
        return content

    async def _read(self, process: Process) -> None:
        problem = "the command has ended"
        output = process.stdout or asyncio.StreamReader()  # a pipe, as `__aenter__` asks for
        try:
            while line := await output.readline():
                answer = json.loads(line)
                oldest = next(iter(self._waiting), None)
                if not isinstance(answer, dict) or oldest is None or answer.get("id") != oldest:
                    problem = f"an answer that nobody waits for: {line[:200]!r}"
                    break
                future = self._waiting.pop(oldest)
                if not future.done():
                    future.set_result(answer)
        except ValueError as error:
            problem = f"an answer is no line of JSON: {error}"
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(CommandError(problem + self._last_words()))
        self._waiting.clear()

    def _last_words(self) -> str:
        try:
            told = self._log.read_bytes()[-_STDERR_BYTES:].decode(errors="replace").strip()
        except OSError:
            return ""
        return f"; it said: {told[-600:]}" if told else ""
