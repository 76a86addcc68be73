"""Whole transfers between two simulated devices, onto real disks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.apps.files.simulated_devices import Device, content_of, done

from p4.apps.files.transfer import TransferState
from p4.testing import SimulatedNetwork, simulate

Scenario = Callable[[Device, Device], Awaitable[None]]


def between(tmp_path: Path, scenario: Scenario, *grants: str, seed: int = 0) -> None:
    """Run a scenario with a laptop that may use these services of a phone."""

    async def whole(network: SimulatedNetwork) -> None:
        laptop = Device(network, "laptop", "phone", tmp_path)
        phone = Device(network, "phone", "laptop", tmp_path)
        await laptop.start()
        await phone.start(*grants)
        await scenario(laptop, phone)

    simulate(whole, seed=seed)


def plant(home: Path) -> None:
    """A folder with everything that can be in one."""
    photos = home / "Photos"
    (photos / "empty").mkdir(parents=True)
    (photos / "2024" / "Åre").mkdir(parents=True)
    (photos / "2024" / "Åre" / "ski 🎿.jpg").write_bytes(os.urandom(300_000))
    (photos / "2024" / "none").write_bytes(b"")
    (photos / "run.sh").write_bytes(b"#!/bin/sh\n")
    (photos / "run.sh").chmod(0o4755)
    (photos / "link").symlink_to("2024/Åre/ski 🎿.jpg")
    (photos / "2024" / "up").symlink_to("../run.sh")
    (photos / "out").symlink_to("../../secret")
    (photos / "absolute").symlink_to("/etc/passwd")
    os.mkfifo(photos / "pipe")
    for path in [*photos.rglob("*"), photos]:
        if not path.is_symlink():
            os.utime(path, ns=(1_600_000_000_123_456_789, 1_600_000_000_123_456_789))


def test_a_folder_arrives_whole(tmp_path: Path) -> None:
    async def scenario(laptop: Device, phone: Device) -> None:
        plant(laptop.home)
        transfer = await done(laptop, await laptop.send(laptop.home / "Photos", recursive=True))
        there = phone.share / "laptop" / "Photos"
        expected = content_of(laptop.home / "Photos")
        left_out = {"out", "absolute", "pipe"}
        assert content_of(there) == {name: value for name, value in expected.items() if name not in left_out}
        assert {note["code"] for note in transfer.progress.notes} == {"bad-link", "bad-name"}
        assert transfer.progress.omitted == 3
        assert (there / "run.sh").stat().st_mode & 0o7777 == 0o755
        for path in [there, *there.rglob("*")]:
            if not path.is_symlink():
                assert path.stat().st_mtime_ns == 1_600_000_000_123_456_789, path
        assert transfer.progress.bytes_done == transfer.progress.bytes == 300_010

    between(tmp_path, scenario, "files.write")


def test_what_is_there_is_not_sent_again(tmp_path: Path) -> None:
    async def scenario(laptop: Device, phone: Device) -> None:
        plant(laptop.home)
        await done(laptop, await laptop.send(laptop.home / "Photos", target="Photos", recursive=True))
        before = content_of(phone.share)
        link = phone.node.peer("laptop")
        again = await done(laptop, await laptop.send(laptop.home / "Photos", target="Photos", recursive=True))
        assert content_of(phone.share) == before
        assert again.progress.files_done == again.progress.files == 3
        assert link.connected

    between(tmp_path, scenario, "files.write")


@pytest.mark.parametrize(
    ("overwrite", "expected"), [(False, {"a.txt": b"old", "a (2).txt": b"new"}), (True, {"a.txt": b"new"})]
)
def test_a_file_that_is_there_and_differs(
    overwrite: bool, expected: dict[str, bytes], tmp_path: Path
) -> None:
    async def scenario(laptop: Device, phone: Device) -> None:
        (laptop.home / "a.txt").write_bytes(b"new")
        phone.share.mkdir()
        (phone.share / "a.txt").write_bytes(b"old")
        for _ in range(2):  # the second time there is nothing to do
            await done(laptop, await laptop.send(laptop.home / "a.txt", target="/", overwrite=overwrite))
            assert content_of(phone.share) == expected

    between(tmp_path, scenario, "files.write")


def test_fetching(tmp_path: Path) -> None:
    async def scenario(laptop: Device, phone: Device) -> None:
        plant(phone.share)
        await done(laptop, await laptop.fetch("Photos", target=f"{laptop.home}/", recursive=True))
        assert content_of(laptop.home)["Photos/2024/none"] == b""
        one = await done(laptop, await laptop.fetch("Photos/run.sh", target=str(laptop.home / "mine.sh")))
        assert one.progress.notes == []
        assert (laptop.home / "mine.sh").read_bytes() == b"#!/bin/sh\n"
        everything = await done(laptop, await laptop.fetch("", target=f"{laptop.home}/all/", recursive=True))
        assert everything.progress.files == 3
        assert (laptop.home / "all" / "phone" / "Photos" / "run.sh").exists()

    between(tmp_path, scenario, "files.read")


@pytest.mark.parametrize(
    "path", ["../secret", "/../secret", "Photos/out", "Photos/absolute", "Photos/pipe", "none"]
)
def test_nothing_outside_the_share_is_served(path: str, tmp_path: Path) -> None:
    async def scenario(laptop: Device, phone: Device) -> None:
        plant(phone.share)
        (tmp_path / "phone" / "secret").write_text("secret")
        (tmp_path / "secret").write_text("secret")
        transfer = await laptop.fetch(path, target=f"{laptop.home}/", recursive=True)
        await laptop.app.wait_ended(transfer)
        assert transfer.state is TransferState.FAILED
        assert transfer.code in {"bad-path", "not-found"}
        assert content_of(laptop.home) == {}

    between(tmp_path, scenario, "files.read")


def test_without_a_grant_the_sender_is_told_what_to_run(tmp_path: Path) -> None:
    async def scenario(laptop: Device, phone: Device) -> None:
        (laptop.home / "a").write_bytes(b"a")
        transfer = await laptop.app.wait_ended(await laptop.send(laptop.home / "a"))
        assert (transfer.state, transfer.code) == (TransferState.FAILED, "not-granted")
        assert "p4 grant" in transfer.text
        await phone.node.peer("laptop").grant("files")
        await asyncio.sleep(1)  # until the laptop has heard of it
        same = await laptop.send(laptop.home / "a")
        assert same is transfer
        await done(laptop, same)

    between(tmp_path, scenario, "files.read")


def test_a_read_only_share(tmp_path: Path) -> None:
    async def scenario(laptop: Device, phone: Device) -> None:
        await phone.app.set_share(phone.share, read_only=True)
        (laptop.home / "a").write_bytes(b"a")
        transfer = await laptop.app.wait_ended(await laptop.send(laptop.home / "a"))
        assert (transfer.state, transfer.code) == (TransferState.FAILED, "read-only")
        assert not phone.share.exists()

    between(tmp_path, scenario, "files")


def test_listing(tmp_path: Path) -> None:
    async def scenario(laptop: Device, phone: Device) -> None:
        plant(phone.share)
        listing = await laptop.app.listing("phone", "Photos")
        kinds = {entry["name"]: entry["kind"] for entry in listing["entries"]}
        assert kinds == {
            "2024": "folder",
            "absolute": "link",
            "empty": "folder",
            "link": "link",
            "out": "link",
            "run.sh": "file",
        }

    between(tmp_path, scenario, "files")
