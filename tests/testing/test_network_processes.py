"""Processes on the simulated network: what a crash ends, and that every run can be repeated."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.adapters.store_calls import append, queued
from tests.testing.endpoints import linked, on_network, pair

from p4.core.identity import PeerId
from p4.errors import RendezvousError
from p4.testing.network import CrashedError, SimulatedHost, SimulatedNetwork, simulate


def test_a_crash_ends_every_task_of_the_host_and_no_other() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        steps: list[str] = []

        async def work(name: str) -> None:
            async def child() -> None:
                while True:
                    await asyncio.sleep(1)
                    steps.append(name)

            async with asyncio.TaskGroup() as group:
                group.create_task(child())
                group.create_task(child())

        alice, bob = network.host("alice"), network.host("bob")
        alice.spawn(work("alice"))
        bob.spawn(work("bob"))
        await asyncio.sleep(5.5)
        alice.crash()
        steps.clear()
        await asyncio.sleep(5)
        assert set(steps) == {"bob"}

    on_network(scenario)()


def test_waiting_for_a_process_that_dies_says_so() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice = network.host("alice")
        asyncio.get_running_loop().call_later(1, alice.crash)
        with pytest.raises(CrashedError):
            await alice.run(asyncio.sleep(10))

    on_network(scenario)()


def test_dying_code_can_do_no_harm() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await pair(network)
        store = alice.host.store()

        async def process() -> None:
            await store.open()
            stream = await alice.rendezvous.dial(bob.host.address(), timeout=9)
            try:
                await asyncio.sleep(1000)
            finally:
                with pytest.raises(asyncio.CancelledError):
                    await stream.send_line(b"from the grave")
                with pytest.raises(asyncio.CancelledError):
                    await store.forget_peer("a" * 24)  # type: ignore[arg-type]

        task = alice.host.spawn(process())
        await asyncio.sleep(5)
        alice.host.crash()
        await asyncio.wait([task])
        assert task.cancelled()

    on_network(scenario)()


def test_the_disk_outlives_the_host() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        store = network.host("alice").store()
        await store.open()
        appended = await append(store, "text")
        network.host("alice").crash()
        store = network.host("alice").store()
        await store.open()
        assert await queued(store) == [(appended.first, "text")]

    on_network(scenario)()


def test_the_same_seed_gives_the_same_run() -> None:
    async def scenario(network: SimulatedNetwork) -> list[str]:
        alice, bob, near, _ = await linked(network)
        network.conditions = replace(network.conditions, dial_refused=0.5, line_breaks_stream=0.2)
        for _ in range(20):
            try:
                stream = await alice.dial(bob)
                await stream.send_line(b"x")
                await stream.receive_line()
            except RendezvousError:
                pass
        near.close()
        await asyncio.sleep(1)
        return [*network.trace, str(asyncio.get_running_loop().time())]

    assert simulate(scenario, seed=5) == simulate(scenario, seed=5) != simulate(scenario, seed=6)


def test_a_failure_shows_seed_and_trace() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, _ = await pair(network)
        alice.host.crash()
        raise AssertionError("the scenario failed")

    with pytest.raises(AssertionError) as failure:
        simulate(scenario, seed="some seed")
    (note,) = failure.value.__notes__
    assert "some seed" in note
    assert "alice#1 is killed" in note


def test_only_a_power_failure_takes_what_was_not_synchronised() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        kept = {}
        for name, end in (("alice", SimulatedHost.crash), ("bob", SimulatedHost.lose_power)):
            host = network.host(name)
            store = host.store()
            await store.open()
            spool = store.spool(PeerId("ab" * 12), 1)
            await spool.append(b"synced")
            await spool.sync()
            await spool.append(b", not synced")
            end(host)
            [spooled] = network.host(name).disk.spools.values()
            kept[name] = bytes(spooled.data)
        assert kept == {"alice": b"synced, not synced", "bob": b"synced"}

    on_network(scenario)()
