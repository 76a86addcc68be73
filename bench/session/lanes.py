"""A stream over a lane of TLS and TCP beside asyncio's TLS, which carries the same without being durable."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bench import pairs
from bench.session.remote import connected_pair
from bench.session.scale import Scale
from bench.session.traffic import Values, rate
from bench.worker import Settings

LANE_SECONDS = 20.0
"""Until there must be a lane: streams have to wait for the link for a while before."""


async def raw_tls(directory: Path, scale: Scale) -> Values:
    """Messages over asyncio's TLS, in two sizes."""
    values: Values = {}
    for size in (64 * 1024, 256 * 1024):
        settings = Settings(
            bulk_seconds=scale.bulk_seconds, small_seconds=0.2, round_trips=50, setups=1, bulk_bytes=size
        )
        async with asyncio.timeout(pairs.RUN_SECONDS):
            raw = await pairs.run("TLS", settings)
        values[f"asyncio TLS, {size // 1024} KiB"] = {
            "bytes": raw["bulk"],
            "writer's CPU": raw["bulk CPU sending"] / size * 1e9,
            "reader's CPU": raw["bulk CPU receiving"] / size * 1e9,
        }
    return values


async def lane(directory: Path, scale: Scale) -> Values:
    """One stream, one way, over the lane that it has got."""
    async with connected_pair(directory, lanes=True) as (writer, reader):
        reading = reader.begin("read", name="first")
        async with asyncio.timeout(LANE_SECONDS):
            await writer.ask("write_until_lane", name="first")
            await reading
        reading = reader.begin("read", name="bulk")
        written = await writer.ask("write", name="bulk", seconds=scale.bulk_seconds)
        read = await reading
        size = written["bytes"]
        if read["bytes"] != size:
            raise ValueError(f"{size} bytes were written, {read['bytes']} were read")
        return {
            "P4 stream": {
                "bytes": rate(written, read, size) / 1e6,
                "writer's CPU": written["cpu"] / size * 1e9,
                "reader's CPU": read["cpu"] / size * 1e9,
            }
        }
