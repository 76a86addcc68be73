"""Which way a link goes: guessed ports, relays only as long as they must be, TURN where UDP is blocked.

What is measured is printed (``pytest -s``).
"""

from __future__ import annotations

import asyncio
import re
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.integration.nat.laboratory import Laboratory
from tests.integration.nat.meeting import Meeting
from tests.integration.nat.namespaces import end_processes
from tests.integration.nat.networks import Host, Network
from tests.integration.nat.node_process import NodeProcess
from tests.integration.nat.rules import NatKind
from tests.integration.nat.turn import Turn
from tests.integration.nat.world import World
from tests.patience import patience

from p4.core import limits

SECONDS = 120.0
OFTEN = pytest.mark.parametrize(
    "runs", [2, pytest.param(9, marks=pytest.mark.soak)], ids=lambda runs: f"{runs}-times"
)
STUN_PORT = 3478
STUN_PROGRAM = """
import socket, struct, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
while True:
    data, (host, port) = server.recvfrom(2048)
    if len(data) >= 20 and data[:2] == b"\\0\\1":
        plain, mask = struct.pack("!H", port) + socket.inet_aton(host), data[4:6] + data[4:8]
        mapped = bytes(a ^ b for a, b in zip(plain, mask))
        body = struct.pack("!HHBB", 0x20, 8, 0, 1) + mapped
        server.sendto(b"\\1\\1" + struct.pack("!H", len(body)) + data[4:20] + body, (host, port))
"""
"""Answers Binding requests (RFC 8489): a second server is what it takes to tell the kind of a NAT."""


@pytest.fixture(scope="session")
def second(shared: tuple[Laboratory, Turn]) -> Iterator[str]:
    """A second STUN server of the laboratory."""
    host = shared[0].server("second-stun", ipv6=False)
    process = host.start("python3", "-c", STUN_PROGRAM, str(host.address), str(STUN_PORT))
    try:
        yield f"stun:{host.address}:{STUN_PORT}"
    finally:
        end_processes([process])


def homes(world: World, one: NatKind, other: NatKind) -> tuple[Network, Network]:
    return world.laboratory.network("ann-home", one), world.laboratory.network("bob-home", other)


def met(
    world: World, second: str, networks: tuple[Network, Network], **fields: Any
) -> tuple[Meeting, Host, Host]:
    """A meeting whose nodes know two STUN servers, as all do by default."""
    ann, bob = (
        world.laboratory.host(name, network) for name, network in zip(("ann", "bob"), networks, strict=True)
    )
    fields = {"stun": (world.turn.stun, second), **fields}
    meeting = world.meeting((ann, world.direct(ann, **fields)), (bob, world.direct(bob, **fields)))
    return meeting, ann, bob


async def path_of(meeting: Meeting, node: NodeProcess) -> str:
    """The way that this node sees its link go; empty without one."""
    before = len(node.said)
    node.tell(status=meeting.peer_of(node).name)
    return str((await node.says("status", after=before, seconds=patience(5)))["path"])


async def paths(meeting: Meeting) -> set[str]:
    return {await path_of(meeting, node) for node in (meeting.one, meeting.other)}


async def until_direct(meeting: Meeting, seconds: float) -> float:
    """Wait until both see a direct path; gives the seconds it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while await paths(meeting) != {"direct"}:
        assert loop.time() < began + patience(seconds), "stuck on a relay"
        await asyncio.sleep(0.2)
    return loop.time() - began


@contextmanager
def apart(one: Network, other: Network) -> Iterator[None]:
    """No UDP between two networks; each still reaches everybody else."""
    rules = (
        "table inet apart {{\nchain forward {{\ntype filter hook forward priority -180;\n"
        "meta l4proto udp ip daddr {0} drop\nmeta l4proto udp ip saddr {0} drop\n}}\n}}\n"
    )
    one.namespace.nft(rules.format(other.external))
    try:
        yield
    finally:
        one.namespace.nft("delete table inet apart\n")


def datagrams(host: Host) -> int:
    """UDP datagrams that arrived at the programs of a computer so far."""
    names, counts = re.findall(r"^Udp: (.*)$", host.namespace.run("cat", "/proc/net/snmp"), re.MULTILINE)
    return int(dict(zip(names.split(), counts.split(), strict=True))["InDatagrams"])


@pytest.mark.slow
@OFTEN
@pytest.mark.parametrize("other", [NatKind.PORT_RESTRICTED, NatKind.FIREWALL])
async def test_guessed_ports_connect_where_ice_alone_finds_nothing(
    world: World, second: str, other: NatKind, runs: int
) -> None:
    took = []
    for run in range(runs):
        # Either side dials, so that either kind of NAT makes the offer. Nobody can dial through a firewall:
        # where the other one should, it takes the 4 to 8 s until the higher id dials a new contact itself.
        kinds = (NatKind.SYMMETRIC, other) if run % 2 else (other, NatKind.SYMMETRIC)
        meeting, _, _ = met(world, second, homes(world, *kinds))
        async with meeting:
            took.append(await meeting.connected(SECONDS))
            assert await paths(meeting) == {"direct"}
            meeting.talk()
            await meeting.flowing(seconds=60)
            tally = await meeting.finish()
            assert tally.clean, tally
    print(f"symmetric x {other.value} without TURN: {', '.join(f'{each:.2f}' for each in took)} s")


async def test_without_guessing_the_same_pair_stays_apart(world: World, second: str) -> None:
    networks = homes(world, NatKind.SYMMETRIC, NatKind.PORT_RESTRICTED)
    meeting, _, _ = met(world, second, networks, extra={"port_guessing": False})
    async with meeting:
        with pytest.raises(AssertionError):
            await meeting.connected(10.0)


async def test_with_turn_the_guessed_path_takes_over_from_the_relay(world: World, second: str) -> None:
    networks = homes(world, NatKind.SYMMETRIC, NatKind.PORT_RESTRICTED)
    meeting, _, _ = met(world, second, networks, turn=(world.turn.server("udp"),))
    async with meeting:
        connected = await meeting.connected(SECONDS)
        meeting.talk()
        direct = await until_direct(meeting, 30.0)
        print(f"symmetric x port-restricted, TURN: {connected:.2f} s, direct {direct:.2f} s later")
        tally = await meeting.finish()
        assert tally.clean, tally


async def test_a_link_over_a_relay_becomes_direct_when_the_way_opens(world: World, second: str) -> None:
    networks = homes(world, NatKind.PORT_RESTRICTED, NatKind.PORT_RESTRICTED)
    meeting, _, _ = met(world, second, networks, turn=(world.turn.server("udp"),))
    async with meeting:
        with apart(*networks):
            connected = await meeting.connected(SECONDS)
            assert await paths(meeting) == {"relay"}
            meeting.talk()
            await asyncio.sleep(limits.IMPROVE_SECONDS[0] + 2)
            assert await paths(meeting) == {"relay"}
        direct = await until_direct(meeting, 40.0)
        print(f"relay after {connected:.2f} s; direct {direct:.2f} s after the way opened")
        tally = await meeting.finish()
        assert tally.clean, tally


@pytest.mark.parametrize("backend", ["wrtc", "aiortc"])
@pytest.mark.parametrize("kinds", [(NatKind.NONE, NatKind.PORT_RESTRICTED), (NatKind.PORT_RESTRICTED,) * 2])
async def test_nothing_goes_over_the_relay_while_there_is_a_direct_path(
    world: World, second: str, kinds: tuple[NatKind, NatKind], backend: str
) -> None:
    meeting, _, _ = met(
        world, second, homes(world, *kinds), turn=(world.turn.server("udp"),), link_backend=backend
    )
    async with meeting:
        await meeting.connected(SECONDS)
        direct = await until_direct(meeting, 20.0)
        await asyncio.sleep(3)
        before = datagrams(world.server)
        meeting.talk(rate=40)
        await asyncio.sleep(2.5)
        seen = datagrams(world.server) - before
        print(
            f"{kinds[0].value} x {kinds[1].value}, {backend}: direct after {direct:.2f} s, {seen} datagrams"
        )
        assert seen < 40, "200 messages went another way"
        assert (await meeting.finish()).clean


@pytest.mark.slow
@OFTEN
@pytest.mark.parametrize("blocked", ["one", "both"])
@pytest.mark.parametrize("way", ["tcp", "tcp443"])
async def test_where_udp_is_blocked_turn_over_tcp_opens_soon(
    world: World, second: str, way: str, blocked: str, runs: int
) -> None:
    took = []
    for _ in range(runs):
        far = NatKind.UDP_BLOCKED if blocked == "both" else NatKind.PORT_RESTRICTED
        turn = (world.turn.server("udp"), world.turn.server(way))
        meeting, _, _ = met(world, second, homes(world, NatKind.UDP_BLOCKED, far), turn=turn)
        async with meeting:
            took.append(await meeting.connected(SECONDS))
            assert await paths(meeting) == {"relay"}
    print(f"UDP blocked ({blocked}), TURN {way}: {', '.join(f'{each:.2f}' for each in took)} s")
    assert statistics.median_low(took) <= patience(2.0), (
        "also the first offer, which carries all candidates, waits for no silence"
    )
