"""The other end of `node_program`: starts it on a host, keeps what it says, stops and kills it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import psutil
from tests.integration.nat.namespaces import LaboratoryError
from tests.integration.nat.networks import Host
from tests.integration.nat.node_program import Settings

import p4

__all__ = ["NodeProcess", "node_settings"]

_ROOT = Path(__file__).parents[3]
_START_SECONDS = 150.0
_LOOK_SECONDS = 0.1


def node_settings(
    *,
    turn: tuple[p4.TurnServer, ...] = (),
    **fields: Any,
) -> Settings:
    """Settings without a state directory yet; see `Settings` for the fields."""
    return Settings(state="", turn=tuple(dataclasses.asdict(one) for one in turn), **fields)


class ProgramSettings(Protocol):
    """A dataclass that travels as JSON and takes the state directory."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def state(self) -> str:
        """The state directory."""


class NodeProcess:
    """A node on a computer of the laboratory.

    Args:
        host: where it runs; it goes wherever the host goes.
        directory: its state, settings and log.
        settings: how it is set up; the state directory is filled in here.
        environment: further environment variables.
        program: the command line to which the file of settings is added; another program has to take the
            same commands and say the same.
    """

    def __init__(
        self,
        host: Host,
        directory: Path,
        settings: ProgramSettings,
        environment: Mapping[str, str] | None = None,
        *,
        program: Sequence[str] = (sys.executable, "-m", "tests.integration.nat.node_program"),
    ) -> None:
        self.host = host
        self.name = host.name
        self.directory = directory
        self.settings: ProgramSettings = dataclasses.replace(settings, state=str(directory / "state"))
        self.said: list[dict[str, Any]] = []
        """Everything it said, of all its processes, in order."""
        self.heard: Callable[[dict[str, Any]], None] = lambda one: None
        """Called with each of these."""
        self._program = program
        self._environment = {**os.environ, **(environment or {})}
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    async def start(self) -> str:
        """Start it, again after an end; gives the text of its invite."""
        self.directory.mkdir(parents=True, exist_ok=True)
        file = self.directory / "settings.json"
        file.write_text(json.dumps(dataclasses.asdict(self.settings)), encoding="utf-8")
        before = len(self.said)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.host.namespace.command,
                *(*self._program, str(file)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=_ROOT,
                env=self._environment,
            )
        self._reader = asyncio.create_task(self._read(self._process), name=f"what {self.name} says")
        started = await self.says("started", after=before, seconds=_START_SECONDS)
        return str(started["invite"])

    @property
    def log(self) -> Path:
        """What it logs and its errors."""
        return self.directory / "log"

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    async def says(self, *events: str, after: int = 0, seconds: float = 120.0) -> dict[str, Any]:
        """Wait for the first of these events after the first ``after`` ones.

        Raises:
            LaboratoryError: it did not say it in time, or ended.
        """
        found: dict[str, Any] | None = None

        def look() -> bool:
            nonlocal found
            found = next((one for one in self.said[after:] if one["event"] in events), None)
            return found is not None or self._ended

        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(look)
        except TimeoutError:
            pass
        if found is None:
            why = "ended and" if self._ended else f"within {seconds:g} s"
            raise LaboratoryError(
                f"{self.name} {why} did not say {' or '.join(events)}; it said "
                f"{self.said[-5:]}, its log ends with:\n{self._log_end()}"
            )
        return found

    def tell(self, **command: object) -> None:
        """Give it a command (see `node_program`)."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def connected_to(self, name: str, *, seconds: float = 150.0) -> None:
        """Wait until it has a link to this contact.

        Raises:
            LaboratoryError: it has none in time.
        """
        deadline = time.monotonic() + seconds
        while True:
            before = len(self.said)
            self.tell(status=name)
            status = await self.says("status", after=before)
            if status["connected"]:
                return
            if time.monotonic() > deadline:
                raise LaboratoryError(f"{self.name} has no link to {name}: {status}")
            await asyncio.sleep(_LOOK_SECONDS)

    async def usage(self) -> dict[str, int]:
        """What its process holds now; see `node_program`."""
        before = len(self.said)
        self.tell(usage=True)
        said = await self.says("usage", after=before)
        return {name: said[name] for name in ("memory", "descriptors", "threads", "tasks")}

    def children(self, name: str) -> list[psutil.Process]:
        """The programs of this name that it started, for example its Tor."""
        return [one for one in psutil.Process(self.pid).children(recursive=True) if one.name() == name]

    def suspend(self) -> float:
        """Stop it and its Tor, as a computer that sleeps. Returns when, in seconds of `time.monotonic`."""
        begun = time.monotonic()
        self._signal_all(signal.SIGSTOP)
        return begun

    def resume(self) -> float:
        """Let it go on. Returns when."""
        begun = time.monotonic()
        self._signal_all(signal.SIGCONT)
        return begun

    async def kill(self) -> float:
        """End it as a crash would, with its Tor. Returns when."""
        begun = time.monotonic()
        if self._process is not None and self._process.returncode is None:
            self._signal_all(signal.SIGKILL)
            await self._process.wait()
        if self._reader is not None:
            await self._reader
        return begun

    async def stop(self, *, seconds: float = 10.0) -> None:
        """End it politely, and otherwise after so long."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(seconds):
                await process.wait()
        except TimeoutError:
            pass
        await self.kill()

    # --- inside -----------------------------------------------------------------------------------------

    @property
    def _ended(self) -> bool:
        return self._process is None or self._process.returncode is not None

    def _signal_all(self, number: signal.Signals) -> None:
        """To it and to all that it started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(self.pid)
            for process in [root, *root.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(number)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            one = json.loads(line)
            self.heard(one)
            async with self._changed:
                self.said.append(one)
                self._changed.notify_all()
        await process.wait()
        async with self._changed:
            self._changed.notify_all()

    def _log_end(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:]) if self.log.exists() else ""
