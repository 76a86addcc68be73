"""Devices on a real local network: a bridge between network namespaces, real multicast, processes."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.lan.local_network import LocalNetwork
from tests.adapters.lan.member import identity
from tests.adapters.net.namespaces import NetworkNamespace

HERE = Path(__file__).parent
PATIENCE_SECONDS = 20.0
HOST_NAME = "hostname-of-a-person"
ROOT = HERE.parents[2]


class Member:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def told(self, key: str) -> dict[str, Any]:
        """The next line with this key; lines with others before it are passed over."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                line: dict[str, Any] = json.loads(await self._process.stdout.readline())
                if key in line:
                    return line

    async def found(self, name: str) -> list[str]:
        line = await self.told("found")
        assert line["found"] == identity(name).peer_id
        addresses: list[str] = line["addresses"]
        return addresses

    async def found_at(self, name: str, likeliest: str) -> None:
        """Wait until it is found there in the first place; other addresses may become known before."""
        while (await self.found(name))[0] != likeliest:
            pass

    async def gone(self, name: str) -> None:
        assert (await self.told("gone"))["gone"] == identity(name).peer_id

    async def command(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode() + b"\n")
        await self._process.stdin.drain()

    async def close(self) -> dict[str, Any]:
        await self.command("close")
        return await self.told("closed")

    async def kill(self) -> None:
        self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def member(
    machine: NetworkNamespace, name: str, *contacts: str, port: int = 4433
) -> AsyncIterator[Member]:
    program = [sys.executable, str(HERE / "member.py"), name, str(port), *contacts]
    rename = f'hostname {HOST_NAME} && exec "$@"'
    process = await asyncio.create_subprocess_exec(
        *machine.command("unshare", "--uts", "sh", "-c", rename, "sh", *program),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": f"{ROOT}/src:{ROOT}", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    assert process.stdin is not None
    assert process.stderr is not None
    said = asyncio.create_task(process.stderr.read())
    one = Member(process)
    try:
        await one.told("started")
        yield one
        process.stdin.close()  # it closes itself
        await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
        log = (await said).decode()
        assert "Traceback" not in log, log


class Stranger:
    """Hears every UDP packet at the switch."""

    def __init__(self) -> None:
        self.packets: list[tuple[str, bytes]] = []

    @property
    def everything(self) -> bytes:
        return b"\n".join(packet for _, packet in self.packets)

    async def listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            sender, packet = line.decode().split()
            self.packets.append((sender, bytes.fromhex(packet)))


@asynccontextmanager
async def stranger(lan: LocalNetwork) -> AsyncIterator[Stranger]:
    process = await asyncio.create_subprocess_exec(
        *lan.switch.command(sys.executable, str(HERE / "stranger.py"), "listen"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"listening\n"
    one = Stranger()
    listening = asyncio.create_task(one.listen(process))
    try:
        yield one
    finally:
        process.kill()
        await process.wait()
        await listening


def hardware_address(machine: NetworkNamespace) -> str:
    return machine.run("cat", "/sys/class/net/eth0/address").strip().replace(":", "")


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "expected"),
    [
        (True, True, ["192.168.77.2 4433", "fd77::2 4433"]),
        (True, False, ["192.168.77.2 4433"]),
        (False, True, ["fd77::2 4433"]),
    ],
)
async def test_contacts_find_each_other_and_lose_who_leaves(
    lan: LocalNetwork, ipv4: bool, ipv6: bool, expected: list[str]
) -> None:
    one, two = lan.machine(ipv4=ipv4, ipv6=ipv6), lan.machine(ipv4=ipv4, ipv6=ipv6)
    async with member(one, "alice", "bob") as alice, member(two, "bob", "alice", "carol") as bob:
        addresses = await alice.found("bob")
        await bob.found("alice")
        assert [address for address in addresses if not address.startswith("fe80:")] == expected
        link_local = [address for address in addresses if address.startswith("fe80:")]
        if not ipv4:  # what came by IPv4 does not tell the interface of an IPv6 address
            assert len(link_local) == 1
        assert all("%" in address for address in link_local)

        closed = await bob.close()
        assert closed["tasks"] == []
        assert closed["descriptors"] <= 0
        await alice.gone("bob")


async def test_a_stranger_learns_neither_ids_nor_names(lan: LocalNetwork) -> None:
    one, two = lan.machine(), lan.machine()
    async with (
        stranger(lan) as ears,
        member(one, "alice", "bob") as alice,
        member(two, "bob", "alice", "carol") as bob,
    ):
        await alice.found("bob")
        await bob.found("alice")
        await alice.command("contacts bob carol")  # announced anew
        await bob.close()
        await alice.gone("bob")
    heard = ears.everything
    assert b"_p4" in heard
    assert heard.count(b"v=1") >= 3
    secrets = [HOST_NAME.encode(), b"alice", b"bob", b"carol", b"hostname"]
    for name in ("alice", "bob", "carol"):
        who = identity(name)
        secrets += [who.peer_id.encode(), bytes.fromhex(who.peer_id), who.public_key]
        secrets.append(base64.b64encode(who.public_key))
    for secret in secrets:
        assert secret not in heard
        assert secret.upper() not in heard


async def test_without_contacts_not_a_packet_is_sent(lan: LocalNetwork) -> None:
    quiet, one, two = lan.machine(), lan.machine(), lan.machine()
    async with stranger(lan) as ears, member(quiet, "mute") as mute:
        async with member(one, "alice", "bob") as alice, member(two, "bob", "alice") as bob:
            await alice.found("bob")
            await bob.found("alice")
        assert ears.packets
        assert hardware_address(quiet) not in {sender for sender, _ in ears.packets}
        # Silence was no mistake of the test: with a contact it speaks.
        await mute.command("contacts alice")
        async with member(one, "alice", "mute") as alice:
            await alice.found("mute")
        assert hardware_address(quiet) in {sender for sender, _ in ears.packets}


@pytest.mark.slow
async def test_it_begins_when_there_is_a_network(lan: LocalNetwork) -> None:
    one, two = lan.machine(ipv4=False, ipv6=False), lan.machine()
    async with member(one, "alice", "bob") as alice, member(two, "bob", "alice") as bob:
        one.ip("address", "add", "192.168.77.1/24", "dev", "eth0")
        await alice.command("changed")
        await alice.found("bob")
        await bob.found_at("alice", "192.168.77.1 4433")

        one.ip("address", "flush", "dev", "eth0")  # renumbered
        one.ip("address", "add", "192.168.77.200/24", "dev", "eth0")
        await alice.command("changed")
        await bob.found_at("alice", "192.168.77.200 4433")


@pytest.mark.slow
async def test_who_was_killed_is_found_again_first_where_it_is_now(lan: LocalNetwork) -> None:
    one, two = lan.machine(), lan.machine()
    async with member(one, "alice", "bob") as alice:
        async with member(two, "bob", "alice") as bob:
            await alice.found("bob")
            await bob.kill()
        async with member(two, "bob", "alice", port=5544):
            await alice.found_at("bob", "192.168.77.2 5544")


@pytest.mark.slow
async def test_a_flood_of_lies_neither_ends_nor_misleads_it(lan: LocalNetwork) -> None:
    one, two, three = lan.machine(), lan.machine(), lan.machine()
    async with member(one, "alice", "bob") as alice, member(two, "bob", "alice") as bob:
        await alice.found("bob")
        await bob.found("alice")
        flood = [sys.executable, str(HERE / "stranger.py"), "flood", "192.168.77.3", "2"]
        assert int(await asyncio.to_thread(three.run, *flood)) > 100
        await bob.kill()
        async with member(two, "bob", "alice", port=5544):
            await alice.found_at("bob", "192.168.77.2 5544")


@pytest.mark.slow
async def test_a_port_that_another_program_holds_is_waited_for(lan: LocalNetwork) -> None:
    one, two = lan.machine(), lan.machine()
    hold = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
    hold += "; s.bind(('', 5353)); print('held', flush=True); input()"
    holder = await asyncio.create_subprocess_exec(
        *one.command(sys.executable, "-c", hold),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    async with member(one, "alice", "bob") as alice, member(two, "bob", "alice") as bob:
        await alice.command("changed")
        holder.stdin.write(b"\n")
        await holder.wait()
        await alice.command("changed")
        await alice.found("bob")
        await bob.found("alice")
