"""Meeting places on a real local network: a bridge between network namespaces, real multicast, processes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.lan.local_network import LocalNetwork
from tests.adapters.net.namespaces import NetworkNamespace

from p4.adapters.lan.meeting import LanMeetingPlaces
from p4.ports import SignalStream

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PATIENCE_SECONDS = 30.0


class Device:
    """A process of `meeting_guest.py`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def told(self, key: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                line: dict[str, Any] = json.loads(await self._process.stdout.readline())
                if key in line:
                    return line

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert (await self.told("tasks"))["tasks"] == []
        assert await self._process.wait() == 0


@asynccontextmanager
async def device(machine: NetworkNamespace, *arguments: str) -> AsyncIterator[Device]:
    process = await asyncio.create_subprocess_exec(
        *machine.command(sys.executable, str(HERE / "meeting_guest.py"), *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": f"{ROOT}/src:{ROOT}", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    try:
        yield Device(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_only_who_has_the_seed_finds_the_place(lan: LocalNetwork) -> None:
    async with (
        device(lan.machine(), "host", "secret", "ada") as ada,
        device(lan.machine(), "host", "other", "bob") as bob,
    ):
        await asyncio.gather(ada.told("open"), bob.told("open"))
        guest_machine = lan.machine()
        async with device(guest_machine, "visit", "secret", "2") as guest:
            for _ in range(2):
                answer = await guest.told("answer")
                assert answer["answer"] == "ada hello"
                print(f"found and answered in {answer['took']:.2f} s")
            await guest.end()
        async with device(guest_machine, "visit", "wrong", "1") as stranger:
            assert (await stranger.told("answer"))["answer"] == "not-found"
            await stranger.end()
        await asyncio.gather(ada.end(), bob.end())


async def test_two_places_of_one_seed_are_visited_in_turn(lan: LocalNetwork) -> None:
    async with (
        device(lan.machine(), "host", "shelf", "ada") as ada,
        device(lan.machine(ipv4=False), "host", "shelf", "bob") as bob,
        device(lan.machine(), "visit", "shelf", "2") as guest,
    ):
        answers = {(await guest.told("answer"))["answer"] for _ in range(2)}
        assert answers == {"ada hello", "bob hello"}
        await asyncio.gather(ada.end(), bob.end(), guest.end())


async def test_a_guest_that_is_first_finds_a_host_that_comes_later(lan: LocalNetwork) -> None:
    async with device(lan.machine(), "visit", "secret", "1") as guest:
        await asyncio.sleep(1.5)  # it listens by then; nothing tells
        async with device(lan.machine(), "host", "secret", "ada") as ada:
            assert (await guest.told("answer"))["answer"] == "ada hello"
            await asyncio.gather(ada.end(), guest.end())


async def test_connections_from_other_networks_are_closed_without_a_byte(lan: LocalNetwork) -> None:
    host, far = lan.machine(ipv6=False), lan.machine(ipv4=False, ipv6=False)
    far.ip("address", "add", "10.9.9.9/24", "dev", "eth0")
    far.ip("route", "add", "192.168.77.1", "dev", "eth0")
    host.ip("route", "add", "10.9.9.9", "dev", "eth0")
    near = lan.machine()
    async with device(host, "host", "secret", "ada") as ada:
        await ada.told("open")
        listening = host.run("ss", "-Hltn").split("\n")[0].split()[3]
        port = listening.rpartition(":")[2]
        ask = f"import socket; s = socket.create_connection(('192.168.77.1', {port}), 5); s.sendall(b'x\\n')"
        ask += "; s.settimeout(5); print(s.recv(9))"
        assert near.run(sys.executable, "-c", ask).strip() == "b'ada x\\n'"
        refused = far.run("sh", "-c", '"$0" -c "$1" 2>&1 || true', sys.executable, ask)
        assert "ada" not in refused
        assert "Reset" in refused or "b''" in refused, refused
        await ada.end()


async def test_a_place_takes_no_more_visitors_than_it_should_and_ends_cleanly() -> None:
    """On this machine alone: the addresses of a host are on its own networks."""
    places = LanMeetingPlaces()
    seen: list[SignalStream] = []

    async def accept(stream: SignalStream) -> None:
        seen.append(stream)
        await stream.receive_line()

    place = await places.host(bytes(32), accept)
    await place.close()
    await place.close()
    await places.close()
    assert seen == []


@pytest.mark.parametrize("peer", [("8.8.8.8", 4711), ("2001:4860::1", 4711, 0, 0), ("fe80::1", 1, 0, 999)])
def test_far_addresses_are_no_neighbours(peer: tuple[object, ...]) -> None:
    from p4.adapters.lan.meeting import _is_nearby

    assert not _is_nearby(peer)
