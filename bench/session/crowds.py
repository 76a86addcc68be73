"""Many contacts, many links, many messages that wait."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bench.session.remote import Remote, running
from bench.session.scale import Scale
from bench.session.traffic import GROUP, Values

CROWDS = 2
"""Processes that share the other ends of many links."""

CONNECT_SECONDS = 120.0

QUEUE_STEP = 100_000


async def contacts(directory: Path, scale: Scale) -> Values:
    """Start a node with many contacts of which none can be reached."""
    async with running(directory, "empty", "full") as (empty, full):
        await full.ask("prepare_contacts", count=scale.contacts)
        await full.close()
        await full.start()
        # Two processes in the same condition: one with a node on a new state, one with it on the full one.
        await empty.ask("start")
        none = empty.memory
        started = await full.ask("start")
        at_start, cpu = full.memory, full.cpu_seconds
        await asyncio.sleep(scale.contacts_settle_seconds)
        return {
            _thousands(scale.contacts): {
                "start": started["seconds"],
                "memory at start": (at_start - none) / scale.contacts * 1e3,
                "memory later": (full.memory - empty.memory) / scale.contacts * 1e3,
                "CPU later": (full.cpu_seconds - cpu) / scale.contacts_settle_seconds * 100,
            }
        }


async def connected(directory: Path, scale: Scale) -> Values:
    """Many links of one process, the other ends in a few others."""
    crowds = [f"crowd-{number}" for number in range(1, CROWDS + 1)]
    async with running(directory, "hub", *crowds) as (hub, *others):
        invite = (await hub.ask("start"))["invite"]
        before = hub.memory
        share = scale.peers // CROWDS
        shares = await asyncio.gather(
            *(other.ask("start_crowd", count=share, invite=invite) for other in others)
        )
        began = time.monotonic()
        for invites in shares:
            for known in invites:
                await hub.ask("add", invite=known)
        async with asyncio.timeout(CONNECT_SECONDS):
            await hub.ask("all_connected")
        seconds = time.monotonic() - began
        await asyncio.sleep(scale.settle_seconds)
        idle = await _idle(hub, scale.idle_seconds)
        count = share * CROWDS
        return {
            _thousands(count): {
                "memory": (hub.memory - before) / count,
                "idle CPU": idle,
                "until all are connected": seconds,
            }
        }


async def queue(directory: Path, scale: Scale) -> Values:
    """Queue messages for a contact that is away, then start again with them."""
    async with running(directory, "sender") as (sender,):
        await sender.ask("start")
        await sender.ask("add_absent")
        before = sender.memory
        steps, peak = [], before
        for _ in range(scale.queued // QUEUE_STEP):
            queueing = sender.begin("queue", count=QUEUE_STEP, group=GROUP)
            peak = max(peak, await sender.peak_memory(queueing))
            steps.append((await queueing)["seconds"])
        await sender.close()
        await sender.start()
        started = await sender.ask("start")
        return {
            _thousands(scale.queued): {
                "queueing": sum(steps) / len(steps),
                "slowest 100 000": max(steps),
                "growth": peak - before,
                "start": started["seconds"],
                "growth after start": sender.memory - before,
            }
        }


async def _idle(remote: Remote, seconds: float) -> float:
    """CPU of a process in percent of a core."""
    began, cpu = time.monotonic(), remote.cpu_seconds
    await asyncio.sleep(seconds)
    return (remote.cpu_seconds - cpu) / (time.monotonic() - began) * 100


def _thousands(count: int) -> str:
    return f"{count:,}".replace(",", " ")
