"""The first group: each stack between two processes, round after round."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from pathlib import Path

from bench.raw_streams import make_certificate
from bench.results import Results
from bench.worker import Settings

ROOT = Path(__file__).resolve().parent.parent
STACKS = ("TCP", "TLS", "wrtc", "aiortc", "P4/wrtc", "P4/aiortc")
BASELINES = {"P4/wrtc": "wrtc", "P4/aiortc": "aiortc"}

RUN_SECONDS = 120.0
"""After this a run counts as failed."""


async def measure(names: list[str], rounds: int, settings: Settings, tell: Callable[[str], None]) -> Results:
    """Run every stack once a round, in turning order, so that a disturbance does not hit always the same."""
    results = Results()
    for name in names:
        _ = results.cells[name]  # fixes the order of the rows
    for round_number in range(rounds):
        turn = round_number % len(names)
        for name in names[turn:] + names[:turn]:
            tell(f"{name}, round {round_number + 1} of {rounds}")
            try:
                async with asyncio.timeout(RUN_SECONDS):
                    results.add(name, await run(name, settings))
            except (TimeoutError, RuntimeError, ValueError) as error:
                results.failures.append(f"{name}: {str(error) or f'no result after {RUN_SECONDS:g} s'}")
    return results


async def run(name: str, settings: Settings) -> dict[str, float]:
    """One run of a stack: values by column. Raises RuntimeError if a worker ends early."""
    with tempfile.TemporaryDirectory(prefix="p4-bench-") as directory:
        make_certificate(Path(directory))
        async with contextlib.AsyncExitStack() as stack:
            b = await stack.enter_async_context(_worker("b", name, directory))
            assert b.stdout is not None
            port = (await b.stdout.readline()).decode().strip()
            a = await stack.enter_async_context(
                _worker("a", name, directory, port, json.dumps(asdict(settings)))
            )
            assert a.stdout is not None
            line = await a.stdout.readline()
            if not line:
                raise RuntimeError(_last_words(directory))
            values: dict[str, float] = json.loads(line)
            await a.wait()
            return values


@contextlib.asynccontextmanager
async def _worker(
    role: str, name: str, directory: str, *arguments: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    with (Path(directory) / f"{role}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.worker", role, name, directory, *arguments),
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _last_words(directory: str) -> str:
    for role in ("a", "b"):
        lines = (Path(directory) / f"{role}.log").read_text("utf-8", "replace").strip().splitlines()
        if lines:
            return f"worker {role}: {lines[-1]}"
    return "a worker ended without a word"
