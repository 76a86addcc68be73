"""Hours of random events: nothing is lost, and nothing grows in a node that comes back again and again.

P4_SOAK_SECONDS=300 P4_SOAK_SEED=7 python -m pytest -m soak tests/integration/nat/test_soak.py -rP
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import time

import pytest
from tests.integration.nat.events import EVENTS, HARMLESS, scene
from tests.integration.nat.world import World

from p4.testing.tor_network import PrivateTorNetwork

SOAK_SECONDS = float(os.environ.get("P4_SOAK_SECONDS", 2 * 3600))
SEED = int(os.environ.get("P4_SOAK_SEED", random.randrange(2**32)))
LOOSE_SECONDS = 120.0

RESTARTS = ("one restarts", "the other restarts")
"""A new process has nothing that could have grown."""

ROOM = {"memory": 8 * 2**20, "descriptors": 6, "threads": 4, "tasks": 6}
"""By so much the last third of the samples may exceed the first one, in the median."""


@pytest.mark.soak
@pytest.mark.timeout(0)
async def test_random_events(world: World, simulated_tor: PrivateTorNetwork) -> None:
    """With Tor alone, as most people have it; restarts only in the first tenth."""
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    events = {**EVENTS, **HARMLESS}
    acted = scene(world, lambda host: world.onion(simulated_tor))
    samples: dict[str, list[dict[str, int]]] = {"ann": [], "bob": []}
    async with acted.meeting as meeting:
        await meeting.connected(LOOSE_SECONDS)
        meeting.talk()
        await meeting.flowing()
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < SOAK_SECONDS:
            await asyncio.sleep(chance.uniform(0.2, 5.0))
            early = passed < SOAK_SECONDS / 10
            name = chance.choice([name for name in events if early or name not in RESTARTS])
            acted.silent_seconds = chance.uniform(1.0, 15.0)
            at = await events[name](acted)
            # Sometimes the next event comes before all is well again.
            if chance.random() < 0.2:
                print(f"{passed:7.1f} s {name}, and at once", flush=True)
                continue
            recovery = await meeting.recovered(
                name, at, seconds=LOOSE_SECONDS, watch=time.monotonic() - at + 1.0
            )
            print(f"{passed:7.1f} s {recovery}", flush=True)
            if not early:
                for node in (meeting.one, meeting.other):
                    samples[node.name].append(await node.usage())
        tally = await meeting.finish(seconds=LOOSE_SECONDS)
    print(tally)
    for name, found in samples.items():
        print(name, *found, sep="\n  ")
    assert tally.clean, tally
    for name, found in samples.items():
        third = max(1, len(found) // 3)
        for what, room in ROOM.items():
            first = statistics.median(one[what] for one in found[:third])
            last = statistics.median(one[what] for one in found[-third:])
            assert last <= first + room, f"{name}: {what} grew from {first} to {last}"
