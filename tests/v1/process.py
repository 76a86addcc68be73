"""`tests.v1.peer` as a process of its own, so that a test can kill it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent.parent


class V1Process:
    """Starts the peer, reads what it prints, types what a user would.

    Args:
        state: its state directory; a second process on it continues the first.
        contacts: invites it shall know.
        options: further arguments of ``python -m tests.v1``.
    """

    def __init__(self, state: Path, contacts: list[dict[str, Any]], *options: str) -> None:
        self._arguments = ["--state", str(state), *options]
        for number, invite in enumerate(contacts):
            path = state.with_name(f"{state.name}-contact-{number}.json")
            path.write_text(json.dumps(invite))
            self._arguments += ["--contact", str(path)]
        self.lines: list[str] = []
        self._changed = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.v1",
            *self._arguments,
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.lines.append(line.decode().rstrip("\n"))
            self._changed.set()

    async def heard(self, text: str, *, count: int = 1, timeout: float = 150.0) -> str:
        """Wait until ``count`` lines contain the text; the last of them."""
        async with asyncio.timeout(timeout):
            while len(found := [line for line in self.lines if text in line]) < count:
                self._changed.clear()
                await self._changed.wait()
        return found[-1]

    async def invite(self) -> dict[str, Any]:
        """Its invite, as soon as it listens."""
        invite: dict[str, Any] = json.loads((await self.heard("Invite: ")).split("Invite: ", 1)[1])
        return invite

    async def type(self, line: str) -> None:
        """Type a line at its stdin."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()

    async def kill(self) -> None:
        """Kill -9, and wait until it is gone."""
        if self._process is None or self._reading is None:
            return
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading
        if self._process.stdin is not None:
            self._process.stdin.close()
