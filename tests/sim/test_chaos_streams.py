"""Whole nodes with streams and calls, besides messages and values, through a month of faults in virtual time.

Every byte is at its offset, nothing that was accepted is lost, a call is executed at most once and ends once,
and nothing is left behind. Each seed is one run; a failure prints it with the network's trace.
"""

from __future__ import annotations

import asyncio
import os
from functools import partial

import pytest
from tests.counts import CHAOS_OF_STREAMS, explored
from tests.sim.stream_programs import StreamPrograms, small_limits
from tests.sim.test_chaos import ALICE, BOB, missing

from p4.testing import Chaos, Conditions, SimulatedNetwork, simulate
from p4.testing.chaos import FAULTS

CALM_SECONDS = 150.0
"""After all faults are over, everything must have arrived and be forgotten within this."""
CONDITIONS = Conditions(link_latency=(0.002, 0.15))
"""Bulk messages overtake each other by far."""


async def scenario(network: SimulatedNetwork, seed: int) -> StreamPrograms:
    power_fails = seed % 2 == 1
    weights = {**FAULTS, "crash": 5.0, "lose-power": 5.0 if power_fails else 0.0}
    programs = StreamPrograms(network, power_fails=power_fails)
    await asyncio.gather(programs.start(ALICE), programs.start(BOB))
    await Chaos(network, [ALICE, BOB], restart=programs.start, weights=weights).run(150.0)
    await settled(programs)
    for name in (ALICE, BOB):
        await network.host(name).run(programs.nodes[name].close())
    return programs


async def settled(programs: StreamPrograms) -> None:
    """Begin nothing new; then everything arrives, and is as it should be."""
    programs.sending = False
    programs.check()
    deadline = asyncio.get_running_loop().time() + CALM_SECONDS
    while programs.left() or not programs.complete():
        assert not programs.faults, programs.faults
        assert asyncio.get_running_loop().time() < deadline, programs.left() or missing(programs)
        await asyncio.sleep(1.0)
    programs.check()
    programs.check_streams()
    programs.check_calls()


def run_seeds(first: int, count: int) -> None:
    with small_limits():
        for seed in range(first, first + count):
            simulate(partial(scenario, seed=seed), seed=seed, conditions=CONDITIONS)


@pytest.mark.timeout(600)
def test_every_byte_is_in_its_place_whatever_happens() -> None:
    run_seeds(int(os.environ.get("P4_FIRST_SEED", "0")), int(os.environ.get("P4_SEEDS", "3")))


@explored(CHAOS_OF_STREAMS)
def test_every_byte_is_in_its_place_in_many_seeds(count: int) -> None:
    run_seeds(1000, count)
