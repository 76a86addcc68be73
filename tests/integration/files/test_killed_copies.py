"""kill -9 of daemons and of `p4 cp` while files are copied, in both directions."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from tests.integration.tunnels.programs import SECONDS, Device, two_devices

from p4.client import connect
from p4.client.transfers import Transfers
from p4.core import limits

FILM = os.urandom(60_000_000)
SMALL = {f"{number % 7}/file {number}": os.urandom(number * 10) for number in range(400)}


def plant(folder: Path) -> None:
    """A large file among many small ones."""
    for name, content in {**SMALL, "film.mkv": FILM}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def assert_whole(folder: Path) -> None:
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert found.keys() == {*SMALL, "film.mkv"}, "nothing is missing, nothing half beside it"
    for name, content in SMALL.items():
        assert found[name].read_bytes() == content, name
    assert found["film.mkv"].read_bytes() == FILM


async def reached(device: Device, share: float) -> str:
    """Wait until so much of the only transfer is safe at the receiver; gives its id."""
    async with asyncio.timeout(SECONDS), connect(device.state) as client:
        while True:
            for record in await Transfers(client).list():
                if record["progress"]["bytes_done"] >= share * len(FILM):
                    return str(record["id"])
            await asyncio.sleep(0.02)


async def ended(device: Device) -> list[str]:
    """The states of all transfers when none runs any more."""
    async with connect(device.state) as client:
        while True:
            states = [str(record["state"]) for record in await Transfers(client).list()]
            if "running" not in states:
                return states
            await asyncio.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("fetching", [False, True])
async def test_every_program_is_killed_in_turn(fetching: bool, tmp_path: Path) -> None:
    laptop, phone = await two_devices(tmp_path)
    try:
        share = tmp_path / "phone share"
        async with connect(phone.state) as client:
            await Transfers(client).choose_share(str(share))
            await client.request("POST", "/v1/contacts/laptop/grants", {"services": ["files"]})
        if fetching:
            plant(share / "Things")
            words, there = ["cp", "-r", "phone:Things", f"{tmp_path}/back"], tmp_path / "back"
        else:
            plant(tmp_path / "Things")
            words, there = ["cp", "-r", str(tmp_path / "Things"), "phone:"], share / "laptop" / "Things"

        first = laptop.run(*words)
        await reached(laptop, 0.1)
        first.kill()  # the command: its transfer goes on without it
        first.wait()
        watching = laptop.run(*words)  # the same words show the same transfer
        for victim, moment in ((phone, 0.3), (laptop, 0.5), (phone, 0.7)):
            await reached(laptop, moment)
            victim.kill()
            await asyncio.sleep(0.3)
            await victim.start()
        async with asyncio.timeout(2 * SECONDS):
            assert await ended(laptop) == ["done"], laptop.said()
            await asyncio.to_thread(watching.wait)  # with 0, unless a daemon took long to come back
        assert_whole(there)
    finally:
        for device in (laptop, phone):
            device.end()


@pytest.mark.slow
async def test_what_is_safe_is_not_sent_again(tmp_path: Path) -> None:
    laptop, phone = await two_devices(tmp_path)
    try:
        share = tmp_path / "phone share"
        async with connect(phone.state) as client:
            await Transfers(client).choose_share(str(share))
            await client.request("POST", "/v1/contacts/laptop/grants", {"services": ["files"]})
        (tmp_path / "film.mkv").write_bytes(FILM)
        laptop.run("cp", str(tmp_path / "film.mkv"), "phone:")
        await reached(laptop, 0.6)
        for device in (phone, laptop):
            device.kill()
        (half,) = (share / "laptop").iterdir()
        size = half.stat().st_size
        assert size >= 0.6 * len(FILM) - limits.FILE_SYNC_BYTES
        identity = half.stat().st_ino
        for device in (phone, laptop):
            await device.start()
        async with asyncio.timeout(SECONDS):
            assert await ended(laptop) == ["done"], laptop.said()
        whole = share / "laptop" / "film.mkv"
        assert whole.stat().st_ino == identity, "it went on with the same file"
        assert whole.read_bytes() == FILM
    finally:
        for device in (laptop, phone):
            device.end()
