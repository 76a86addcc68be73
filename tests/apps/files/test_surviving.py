"""Transfers while devices die and the network fails: on a simulated network, onto real disks."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.apps.files.simulated_devices import Device, content_of

from p4.apps.files.transfer import TransferState
from p4.testing import Chaos, SimulatedNetwork, simulate

Scenario = Callable[[SimulatedNetwork], Coroutine[Any, Any, None]]


def plant(home: Path, seed: int) -> Path:
    """Some files of every size, also larger than what is made safe at a time."""
    chance = random.Random(seed)
    folder = home / "Things"
    for number in range(20):
        below = folder / f"{number % 4}"
        below.mkdir(parents=True, exist_ok=True)
        (below / f"file {number}").write_bytes(chance.randbytes(chance.choice([0, 10, 3000, 70_000])))
    (folder / "large").write_bytes(chance.randbytes(1_200_000))
    return folder


async def all_there(sender: Device, receiver: Device, there: Path, expected: Mapping[str, object]) -> None:
    """Wait until the sender's transfer is done, over all its lives."""
    while True:
        transfers = sender.app.transfers()
        if transfers and transfers[-1].state is not TransferState.RUNNING:
            break
        await asyncio.sleep(0.5)
    assert transfers[-1].state is TransferState.DONE, transfers[-1].text
    assert content_of(there) == expected, "whole, and nothing half beside it"


@pytest.mark.parametrize("who", ["laptop", "phone", "both"])
@pytest.mark.parametrize("fetching", [False, True])
def test_a_crash_at_every_point(who: str, fetching: bool, tmp_path: Path) -> None:
    """The moment moves through the transfer; each time it is complete in the end, with nothing double."""

    def scenario_for(moment: float, directory: Path, *, power: bool) -> Scenario:
        async def scenario(network: SimulatedNetwork) -> None:
            laptop = Device(network, "laptop", "phone", directory)
            phone = Device(network, "phone", "laptop", directory)
            await laptop.start()
            await phone.start("files")
            source = plant(phone.share if fetching else laptop.home, 7)
            expected = content_of(source)
            await laptop.node.peer("phone").wait_connected()
            if fetching:
                await laptop.fetch("Things", target=str(laptop.home / "Things"), recursive=True)
                there = laptop.home / "Things"
            else:
                await laptop.send(source, target="Things", recursive=True)
                there = phone.share / "Things"
            await asyncio.sleep(moment)
            for device in (laptop, phone):
                if who in (device.name, "both"):
                    await device.crash(power=power)
            await asyncio.sleep(0.3)
            for device in (laptop, phone):
                if who in (device.name, "both"):
                    await device.start()
            await all_there(laptop, phone, there, expected)

        return scenario

    for step in range(6):
        moment, directory = 0.02 + step * 0.08, tmp_path / str(step)
        simulate(scenario_for(moment, directory, power=step % 2 == 0), seed=step)


@pytest.mark.parametrize("seed", range(4))
def test_chaos(seed: int, tmp_path: Path) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = Device(network, "laptop", "phone", tmp_path)
        phone = Device(network, "phone", "laptop", tmp_path)
        devices = {"laptop": laptop, "phone": phone}
        await laptop.start("files")
        await phone.start("files")
        source = plant(laptop.home, seed)
        expected = content_of(source)

        async def restart(name: str) -> None:
            await devices[name].start()

        async with asyncio.timeout(1800):
            chaos = Chaos(network, ["laptop", "phone"], restart=restart, pause=(0.05, 0.6), outage=(0.1, 3.0))
            running = asyncio.ensure_future(chaos.run(30))
            await laptop.send(source, target="Things", recursive=True)
            await running
            await all_there(laptop, phone, phone.share / "Things", expected)

    simulate(scenario, seed=seed)


def test_a_file_that_changes_while_it_is_sent(tmp_path: Path) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = Device(network, "laptop", "phone", tmp_path)
        phone = Device(network, "phone", "laptop", tmp_path)
        await laptop.start()
        await phone.start("files")
        film = laptop.home / "film"
        film.write_bytes(os.urandom(3_000_000))
        await laptop.node.peer("phone").wait_connected()
        transfer = await laptop.send(film, target="film")
        while transfer.progress.phase != "copying":  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)
        film.write_bytes(new := os.urandom(2_000_000))
        await laptop.app.wait_ended(transfer)
        assert transfer.state is TransferState.DONE
        assert content_of(phone.share) == {"film": new}

    simulate(scenario)


@pytest.mark.parametrize("fetching", [False, True])
@pytest.mark.parametrize("name", ["Things", "Others"])
def test_where_it_goes_does_not_change_because_a_first_attempt_made_a_folder(
    name: str, fetching: bool, tmp_path: Path
) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = Device(network, "laptop", "phone", tmp_path)
        phone = Device(network, "phone", "laptop", tmp_path)
        await laptop.start()
        await phone.start("files")
        source = plant(phone.share if fetching else laptop.home, 3)
        expected = content_of(source)
        there = (laptop.home if fetching else phone.share) / name
        if fetching and name == "Things":
            there = there.with_name("back")
        await laptop.node.peer("phone").wait_connected()
        if fetching:
            await laptop.fetch("Things", target=str(there), recursive=True)
        else:
            await laptop.send(source, target=name, recursive=True)
        while not there.exists():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)
        await laptop.crash()
        await laptop.start()
        await all_there(laptop, phone, there, expected)

    simulate(scenario)
