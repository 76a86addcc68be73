"""Copied files beside the stream that carries them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bench.session.remote import Remote, connected_pair
from bench.session.scale import Scale
from bench.session.traffic import Values, rate

LANE_SECONDS = 20.0
"""Until there must be a lane."""


async def over_link(directory: Path, scale: Scale) -> Values:
    """Over the link alone."""
    async with connected_pair(directory) as (writer, reader):
        return await _both(writer, reader, scale, "")


async def over_lane(directory: Path, scale: Scale) -> Values:
    """Over a lane of TLS and TCP."""
    async with connected_pair(directory, lanes=True) as (writer, reader):
        reading = reader.begin("read", name="first")
        async with asyncio.timeout(LANE_SECONDS):
            await writer.ask("write_until_lane", name="first")
            await reading
        return await _both(writer, reader, scale, ", lane")


async def _both(writer: Remote, reader: Remote, scale: Scale, where: str) -> Values:
    """As many bytes by a plain stream as by a copy of one file, before and after; then many small files."""
    for side in (writer, reader):
        await side.ask("start_files")
    await asyncio.sleep(0.5)  # until both know what they may do
    large = await writer.ask("make_files", name="large", count=1, size=scale.file_bytes)
    small = await writer.ask("make_files", name="small", count=scale.small_files, size=1000)
    rates = [await _stream(writer, reader, f"before{where}", scale.file_bytes)]
    copied = await writer.ask("copy", path=large)
    rates.append(await _stream(writer, reader, f"after{where}", scale.file_bytes))
    many = await writer.ask("copy", path=small)
    return {
        f"stream{where}": {"bytes": sum(rates) / len(rates)},
        f"copy of one file{where}": {"bytes": _rate(copied, "bytes") / 1e6},
        f"copy of {scale.small_files} files of 1 kB{where}": {"files": _rate(many, "files")},
    }


async def _stream(writer: Remote, reader: Remote, name: str, size: int) -> float:
    reading = reader.begin("read", name=name)
    written = await writer.ask("write", name=name, size=size)
    return rate(written, await reading, written["bytes"]) / 1e6


def _rate(values: dict[str, float], what: str) -> float:
    return values[what] / (values["ended"] - values["began"])
