"""Messages, streams and round trips beside the raw library."""

from __future__ import annotations

import asyncio
import statistics
from pathlib import Path
from typing import Any

from bench import pairs
from bench.session.remote import connected_pair
from bench.session.scale import Scale
from bench.worker import Settings

GROUP = 500
"""Messages handed over with one ``send_many``."""

Values = dict[str, dict[str, float]]


async def raw_messages(directory: Path, scale: Scale) -> Values:
    """Messages of 100 bytes on a channel of the raw library."""
    raw = await _raw(scale)
    return {
        "wrtc": {
            "messages": raw["small"],
            "sender's CPU": raw["small CPU sending"] * 1e6,
            "receiver's CPU": raw["small CPU receiving"] * 1e6,
        }
    }


async def messages(directory: Path, scale: Scale) -> Values:
    """Durable messages: in groups and singly, one way and both ways."""
    values: Values = {}
    async with connected_pair(directory) as (writer, reader):
        for how, arguments in (("send_in_groups", {"group": GROUP}), ("send_singly", {})):
            name = "send_many" if how == "send_in_groups" else "send"
            count = scale.messages
            for row, ways in (
                (f"{name}, one way", ((writer, reader),)),
                (f"{name}, both ways", ((writer, reader), (reader, writer))),
            ):
                receiving = [target.begin("receive", count=count) for _, target in ways]
                sending = [source.begin(how, count=count, **arguments) for source, _ in ways]
                received, sent = await asyncio.gather(*receiving), await asyncio.gather(*sending)
                values[row] = {
                    "messages": min(map(rate, sent, received, [count] * len(ways))),
                    "sender's CPU": sent[0]["cpu"] / count * 1e6,
                    "receiver's CPU": received[0]["cpu"] / count * 1e6,
                }
    return values


async def raw_bulk(directory: Path, scale: Scale) -> Values:
    """Large messages on a channel of the raw library, in two sizes."""
    values: Values = {}
    for size in (16 * 1024, 60 * 1024):
        raw = await _raw(scale, size)
        values[f"wrtc, {size // 1024} KiB"] = {
            "bytes": raw["bulk"],
            "writer's CPU": raw["bulk CPU sending"] / size * 1e9,
            "reader's CPU": raw["bulk CPU receiving"] / size * 1e9,
        }
    return values


async def stream(directory: Path, scale: Scale) -> Values:
    """One stream, one way."""
    async with connected_pair(directory) as (writer, reader):
        reading = reader.begin("read", name="bulk")
        written = await writer.ask("write", name="bulk", seconds=scale.bulk_seconds)
        read = await reading
        if read["bytes"] != written["bytes"]:
            raise ValueError(f"{written['bytes']} bytes were written, {read['bytes']} were read")
        size = written["bytes"]
        return {
            "P4 stream": {
                "bytes": rate(written, read, size) / 1e6,
                "writer's CPU": written["cpu"] / size * 1e9,
                "reader's CPU": read["cpu"] / size * 1e9,
            }
        }


async def raw_trips(directory: Path, scale: Scale) -> Values:
    """Round trips on the raw library."""
    raw = await _raw(scale)
    return {"wrtc": {"p50": raw["round trip p50"], "p99": raw["round trip p99"]}}


async def trips(directory: Path, scale: Scale) -> Values:
    """Round trips on an open stream, and of calls."""
    async with connected_pair(directory) as (writer, reader):
        echoing = reader.begin("echo_stream", name="echo")
        arguments = {"count": scale.trips, "seconds": scale.trip_seconds}
        on_stream = await writer.ask("stream_trips", name="echo", **arguments)
        await echoing
        await reader.ask("serve_calls")
        of_calls = await writer.ask("call_trips", **arguments)
    return {"P4 stream": _percentiles(on_stream), "P4 call": _percentiles(of_calls)}


async def _raw(scale: Scale, bulk_bytes: int = 16 * 1024) -> dict[str, float]:
    settings = Settings(
        bulk_seconds=scale.bulk_seconds,
        small_seconds=scale.bulk_seconds / 2,
        round_trips=scale.trips,
        round_trip_seconds=scale.trip_seconds,
        setups=1,
        bulk_bytes=bulk_bytes,
    )
    async with asyncio.timeout(pairs.RUN_SECONDS):
        return await pairs.run("wrtc", settings)


def rate(sent: dict[str, Any], received: dict[str, Any], amount: float) -> float:
    """From the first that was handed over to the news of the last at the slower of the two."""
    return float(amount / (max(sent["ended"], received["ended"]) - sent["began"]))


def _percentiles(trips: list[float]) -> dict[str, float]:
    trips = sorted(trips[50:] or trips)  # the first ones warm up
    return {"p50": statistics.median(trips) * 1e6, "p99": trips[int(len(trips) * 0.99)] * 1e6}
