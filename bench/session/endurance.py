"""Streams whose reader is slow, or dies."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from bench.session.remote import START_SECONDS, connected_pair
from bench.session.scale import Scale
from bench.session.traffic import Values
from p4.core import limits

SLOWER = 100
RESTART_SECONDS = 0.5
"""From killing a process to starting it again, as a service manager would."""

FLOW_SECONDS = 60.0
"""Until a stream must have been read to its end after a kill."""


async def slow_reader(directory: Path, scale: Scale) -> Values:
    """Memory of both processes while one stream is read slowly, and what goes on beside it."""
    async with connected_pair(directory) as (writer, reader):
        pair = {"writer": writer, "reader": reader}
        before = {name: remote.memory for name, remote in pair.items()}
        reading = reader.begin("read", name="free")
        free = await writer.ask("write", name="free", seconds=1.0)
        rate = free["bytes"] / ((await reading)["ended"] - free["began"])

        async def peaks(until: asyncio.Future[Any]) -> dict[str, float]:
            found = await asyncio.gather(*(remote.peak_memory(until) for remote in pair.values()))
            return dict(zip(pair, found, strict=True))

        seconds = scale.slow_seconds
        slow = reader.begin("read_slowly", name="slow", rate=rate / SLOWER, seconds=2 * seconds)
        writing = writer.begin("write_on", name="slow", seconds=2 * seconds)
        alone = await peaks(asyncio.ensure_future(asyncio.sleep(seconds)))
        others = asyncio.gather(
            reader.ask("read", name="other"),
            writer.ask("write", name="other", seconds=seconds / 2),
            writer.ask("message_rate", seconds=seconds / 2, group=100),
            reader.ask("consume", seconds=seconds),
        )
        together = await peaks(others)
        read, written, messages, _ = await others
        slow_rate = await slow
        await writing
        others_rate = written["bytes"] / (read["ended"] - written["began"]) / 1e6
        return {
            name: {
                "growth": alone[name] - before[name],
                "growth with others": together[name] - before[name],
                "slow stream": slow_rate / 1e6,
                "another stream": others_rate,
                "messages beside it": messages,
            }
            for name in pair
        }


async def killed_reader(directory: Path, scale: Scale) -> Values:
    """A stream whose reader's process is killed half way and started again."""
    async with connected_pair(directory) as (writer, reader):
        await writer.ask("count_sent")
        size = scale.killed_bytes
        first = reader.begin("read", name="killed", verify=True)
        writing = writer.begin("write", name="killed", size=size)
        async with asyncio.timeout(FLOW_SECONDS):
            await reader.ask("position", through=size // 2)
            await reader.kill()
        await asyncio.wait([first])  # it has failed, of course
        first.exception()
        await asyncio.sleep(RESTART_SECONDS)
        began = time.monotonic()
        await reader.start()
        async with asyncio.timeout(START_SECONDS + FLOW_SECONDS):
            await reader.ask("start")
            read = await reader.ask("read", name="killed", verify=True)
            written = await writing
        if read["bytes"] != written["bytes"]:
            raise ValueError(f"{written['bytes']} bytes were written, {read['bytes']} were read")
        return {
            "the reader": {
                "sent again": (written["sent"] - written["bytes"]) / 1e6,
                "window": limits.STREAM_WINDOW_BYTES / 1e6,
                "to flow": read["first"] - began,
            }
        }
