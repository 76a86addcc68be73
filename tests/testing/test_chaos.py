"""The chaos driver causes every fault and leaves a perfect network behind."""

from __future__ import annotations

import asyncio

import pytest

from p4.testing.chaos import FAULTS, Chaos
from p4.testing.network import SimulatedNetwork, simulate


def test_it_ends_when_every_host_is_started() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        ready: set[str] = set()

        async def restart(place: str) -> None:
            ready.discard(place)
            network.host(place)
            await asyncio.sleep(5)
            ready.add(place)

        places = ["alice", "bob"]
        await asyncio.gather(*map(restart, places))
        crashes = {"crash": 1.0}
        await Chaos(network, places, restart=restart, pause=(1, 4), weights=crashes).run(60)
        assert ready == set(places)

    for seed in range(20):
        simulate(scenario, seed=seed)


def test_it_causes_every_fault_and_repairs_everything() -> None:
    async def scenario(network: SimulatedNetwork) -> set[str]:
        started: list[str] = []

        async def restart(place: str) -> None:
            started.append(network.host(place).name)

        for place in ("alice", "bob", "carol"):
            await restart(place)
        usual = network.conditions
        await Chaos(network, ["alice", "bob", "carol"], restart=restart).run(3000)
        assert network.conditions == usual
        for near in ("alice", "bob", "carol"):
            assert network.is_alive(near)
            assert not any(network.world.blocked(near, far) for far in ("alice", "bob", "carol"))
        assert len(started) == len(set(started)) > 3
        return {line.split("chaos: ")[1].split()[0] for line in network.trace if "chaos: " in line}

    seen = set().union(*(simulate(scenario, seed=seed, limit=4000) for seed in range(3)))
    assert seen == set(FAULTS)


def test_without_restart_nobody_crashes() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = network.host("alice"), network.host("bob")
        await Chaos(network, ["alice", "bob"]).run(1000)
        assert alice.alive
        assert bob.alive
        assert asyncio.get_running_loop().time() == pytest.approx(2000, abs=1)

    simulate(scenario, limit=2000)


def test_unknown_faults_are_refused() -> None:
    with pytest.raises(ValueError, match="meteor"):
        Chaos(SimulatedNetwork(), ["alice", "bob"], weights={"meteor": 1})
