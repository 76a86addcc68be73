"""The second group: how long two nodes take to find each other, and again after losses, over a private Tor
network on this machine. Loopback has no delay, so seconds do not transfer to the public network; what Tor,
the node and the process themselves cost does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.pairs import ROOT
from bench.results import Results
from p4.adapters.store.state_dir import StateDirectory
from p4.core.identity import Identity
from p4.testing.tor_network import PrivateTorNetwork

STEP_SECONDS = 90.0
"""After this a step counts as failed."""

SETTLE_SECONDS = 2.0
"""Between two steps, so that each begins with an established link and warm rendezvous."""

RESTART_SECONDS = 0.5
"""From killing a process to starting it again, as a service manager would."""


class NodeProcess:
    """One node process and what it has told."""

    def __init__(self, directory: Path, torrc_lines: tuple[str, ...]) -> None:
        self._directory = directory
        self._torrc_lines = torrc_lines
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._ended: asyncio.subprocess.Process | None = None
        self._events: list[dict[str, Any]] = []
        self._news = asyncio.Condition()
        self.started_at = 0.0

    async def start(self) -> None:
        """Start the process. `started_at` is the moment before."""
        with self._directory.with_suffix(".log").open("ab") as log:
            self.started_at = time.monotonic()
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bench.node_process"),
                *(str(self._directory), json.dumps(self._torrc_lines)),
                cwd=ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        self._reading = asyncio.create_task(self._read(self._process))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            async with self._news:
                self._events.append(json.loads(line))
                self._news.notify_all()
        async with self._news:
            self._ended = process
            self._news.notify_all()

    def tell(self, **command: Any) -> None:
        """Give the process a command."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def event(self, *names: str, after: float) -> dict[str, Any]:
        """The first event of these names later than ``after``; waits for it."""
        async with self._news:
            while True:
                for event in self._events:
                    if event["event"] in names and event["at"] > after:
                        return event
                if self._ended is self._process:
                    raise RuntimeError(f"a node ended: {self._last_words()}")
                await self._news.wait()

    def _last_words(self) -> str:
        lines = self._directory.with_suffix(".log").read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "without a word"

    async def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            await self._reading

    async def close(self) -> None:
        """End the process in order."""
        self.tell(do="close")
        assert self._process is not None
        await self._process.wait()


class Recovery:
    """The pair of nodes under measurement."""

    def __init__(self, directory: Path, torrc_lines: tuple[str, ...]) -> None:
        self.nodes: dict[str, NodeProcess] = {}
        for role in ("initiator", "responder"):
            state = StateDirectory(directory / role)
            state.prepare()
            while (Identity(seed := secrets.token_bytes(32)).peer_id < "8") != (role == "initiator"):
                pass
            state.create_identity(seed)
            self.nodes[role] = NodeProcess(directory / role, torrc_lines)

    async def pair(self) -> None:
        """Introduce the nodes to each other, then stop them: their Tor directories are cached now."""
        invites = {}
        for role, node in self.nodes.items():
            await node.start()
            invites[role] = (await node.event("started", after=0))["invite"]
        self.nodes["responder"].tell(do="add", invite=invites["initiator"])
        self.nodes["initiator"].tell(do="add", invite=invites["responder"])
        await self._open(after=0)
        await asyncio.sleep(SETTLE_SECONDS)
        await self._stop()

    async def round(self) -> dict[str, dict[str, float]]:
        """Every step once: seconds by step and column."""
        measured: dict[str, dict[str, float]] = {}
        begun = time.monotonic()
        await asyncio.gather(*(node.start() for node in self.nodes.values()))
        measured["start of both"] = {"to open": await self._open(after=begun) - begun}
        for role, node in self.nodes.items():
            await asyncio.sleep(SETTLE_SECONDS)
            begun = time.monotonic()
            node.tell(do="drop")
            measured[f"drop by the {role}"] = {"to open": await self._open(after=begun) - begun}
        for role, node in self.nodes.items():
            await asyncio.sleep(SETTLE_SECONDS)
            survivor = next(other for other in self.nodes.values() if other is not node)
            killed = time.monotonic()
            await node.kill()
            await asyncio.sleep(RESTART_SECONDS)
            await node.start()
            opened = await self._open(after=node.started_at)
            # A survivor that is called before it missed anything learns of the death by that.
            noticed = (await survivor.event("down", "up", after=killed))["at"]
            measured[f"kill -9 of the {role}, restart"] = {
                "to open": opened - node.started_at,
                "noticed by the other": noticed - killed,
            }
        await asyncio.sleep(SETTLE_SECONDS)
        await self._stop()
        return measured

    async def _open(self, *, after: float) -> float:
        """The moment at which the later of the two had a link that came up after ``after``."""
        async with asyncio.timeout(STEP_SECONDS):
            events = await asyncio.gather(*(node.event("up", after=after) for node in self.nodes.values()))
        return float(max(event["at"] for event in events))

    async def _stop(self) -> None:
        async with asyncio.timeout(STEP_SECONDS):
            await asyncio.gather(*(node.close() for node in self.nodes.values()))

    async def kill(self) -> None:
        """Leave nothing running."""
        for node in self.nodes.values():
            await node.kill()


async def measure(rounds: int, tell: Callable[[str], None]) -> Results:
    """All steps, ``rounds`` times. After a failed round the next one begins with a new pair."""
    results = Results()
    tell("starting a private Tor network")
    async with PrivateTorNetwork() as network:
        with tempfile.TemporaryDirectory(prefix="p4-bench-") as directory:
            recovery: Recovery | None = None
            for number in range(1, rounds + 1):
                try:
                    if recovery is None:
                        recovery = Recovery(Path(directory) / f"pair-{number}", network.client_torrc_lines)
                        await recovery.pair()
                    tell(f"recovery, round {number} of {rounds}")
                    for step, values in (await recovery.round()).items():
                        results.add(step, values)
                except (TimeoutError, RuntimeError) as error:
                    reason = str(error) or f"no link after {STEP_SECONDS:g} s"
                    results.failures.append(f"recovery, round {number}: {reason}")
                    if recovery is not None:
                        await recovery.kill()
                    recovery = None
            if recovery is not None:
                await recovery.kill()
    return results
