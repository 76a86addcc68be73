"""The data path of a bridge on real sockets of this machine."""

from __future__ import annotations

import asyncio
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from tests.adapters.net.stun.server import COOKIE, attribute

from p4.adapters.net.punch.forwarder import Forwarder
from p4.adapters.net.punch.sockets import open_socket
from p4.core.punch import PacketKind, Packets

HOST = "127.0.0.1"
UFRAG = "fark"
SECONDS = 5.0
"""Patience with one datagram on a busy machine."""


def check(ufrag: str, rest: bytes = b"") -> bytes:
    """An ICE check: a Binding request whose USERNAME begins with the other side's fragment."""
    body = attribute(0x0024, bytes(4)) + attribute(0x0006, f"{ufrag}:near".encode()) + rest
    return struct.pack("!HH", 1, len(body)) + COOKIE + bytes(12) + body


def plain_socket(host: str = HOST) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((host, 0))
    made.settimeout(SECONDS)
    return made


@dataclass
class Setting:
    """A forwarder between an agent and the far end of a pair."""

    agent: socket.socket = field(default_factory=plain_socket)
    far: socket.socket = field(default_factory=plain_socket)
    near: socket.socket = field(default_factory=lambda: open_socket(HOST))
    pair: socket.socket = field(default_factory=lambda: open_socket(HOST))
    packets: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.forwarder = Forwarder(self.near, UFRAG, self.packets.append)
        self.near_address = self.near.getsockname()
        self.pair_address = self.pair.getsockname()

    def open(self) -> None:
        self.forwarder.open(self.pair, self.far.getsockname())

    def close(self) -> None:
        self.forwarder.close()
        for each in (self.agent, self.far, self.pair):
            each.close()


@pytest.fixture
async def setting() -> Iterator[Setting]:  # type: ignore[misc]  # an async generator, for its loop
    made = Setting()
    yield made
    made.close()


async def admitted(setting: Setting) -> None:
    while setting.forwarder.agent is None:  # noqa: ASYNC110 - nobody but a test waits for it
        await asyncio.sleep(0)
    await asyncio.sleep(0)


async def received(each: socket.socket) -> bytes:
    return await asyncio.to_thread(each.recv, 65_536)


async def silent(each: socket.socket) -> bool:
    each.settimeout(0.2)
    try:
        await received(each)
    except TimeoutError:
        return True
    finally:
        each.settimeout(SECONDS)
    return False


async def test_what_the_agent_sends_arrives_at_the_far_end_and_back(setting: Setting) -> None:
    setting.open()
    setting.agent.sendto(check(UFRAG), setting.near_address)
    assert await received(setting.far) == check(UFRAG)
    for size in (1, 18, 1200, 60_000):
        setting.agent.sendto(bytes(size), setting.near_address)
        assert await received(setting.far) == bytes(size)
        setting.far.sendto(b"\x80" * size, setting.pair_address)
        assert await received(setting.agent) == b"\x80" * size


async def test_the_last_check_before_the_meeting_is_not_lost(setting: Setting) -> None:
    for number in range(3):
        setting.agent.sendto(check(UFRAG, attribute(0x8000, bytes([number]))), setting.near_address)
    await admitted(setting)
    setting.open()
    assert await received(setting.far) == check(UFRAG, attribute(0x8000, b"\2"))
    assert await silent(setting.far)


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"hello",
        check("other"),
        check(UFRAG[:-1]),
        check(UFRAG)[:-1],
        b"\1\1" + check(UFRAG)[2:],
        check(UFRAG)[:20],
    ],
)
async def test_only_the_agent_with_the_right_name_is_let_in(setting: Setting, first: bytes) -> None:
    setting.open()
    setting.agent.sendto(first, setting.near_address)
    assert await silent(setting.far)
    assert setting.forwarder.agent is None


async def test_another_address_of_this_machine_is_not_the_agent(setting: Setting) -> None:
    setting.open()
    with plain_socket("127.0.0.2") as other:
        other.sendto(check(UFRAG), setting.near_address)
        assert await silent(setting.far)


async def test_once_it_knows_its_two_ends_nobody_else_is_heard(setting: Setting) -> None:
    with plain_socket() as stranger:
        setting.agent.sendto(check(UFRAG), setting.near_address)
        stranger.sendto(check(UFRAG), setting.near_address)
        stranger.sendto(b"to the pair, before it is one", setting.pair_address)
        await admitted(setting)
        setting.open()
        assert await received(setting.far) == check(UFRAG)
        stranger.sendto(b"to the far end", setting.near_address)
        stranger.sendto(b"to the agent", setting.pair_address)
        assert await silent(setting.far)
        assert await silent(setting.agent)


async def test_packets_of_the_bridge_end_there(setting: Setting) -> None:
    setting.open()
    setting.agent.sendto(check(UFRAG), setting.near_address)
    await received(setting.far)
    keep = Packets(bytes(32)).write(PacketKind.HARD_KEEP)
    setting.far.sendto(keep, setting.pair_address)
    assert await silent(setting.agent)
    assert setting.packets == [keep]
    assert setting.forwarder.inward == 1


async def test_an_end_that_is_gone_breaks_nothing(setting: Setting) -> None:
    """The system reports its ICMP messages at the next call on the socket."""
    setting.open()
    setting.agent.sendto(check(UFRAG), setting.near_address)
    await received(setting.far)
    address = setting.far.getsockname()
    setting.far.close()
    for _ in range(3):
        setting.agent.sendto(b"\x80lost", setting.near_address)
        await asyncio.sleep(0.02)
    setting.far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    setting.far.settimeout(SECONDS)
    setting.far.bind(address)
    setting.agent.sendto(b"\x80again", setting.near_address)
    assert await received(setting.far) == b"\x80again"


BLAST = """
import socket, sys, time
port, far, ufrag = int(sys.argv[1]), int(sys.argv[2]), bytes.fromhex(sys.argv[3])
agent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
agent.bind(("127.0.0.1", 0))
agent.connect(("127.0.0.1", port))
agent.send(ufrag)
end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end.bind(("127.0.0.1", far))
end.setblocking(False)
body, got, begun = b"\\x80" * 1200, 0, time.monotonic()
while (now := time.monotonic()) < begun + 2:
    for _ in range(16):
        try:
            agent.send(body)
        except OSError:
            pass
    try:
        while True:
            got += len(end.recv(2048))
    except BlockingIOError:
        pass
print(got * 8 / (now - begun) / 1e6)
"""


@pytest.mark.slow
async def test_it_carries_more_than_100_megabits(setting: Setting) -> None:
    """From another process to another socket, in datagrams as a link sends them.

    Counted by our own processor time: other programs of this machine do not make the bridge slower.
    """
    far = setting.far.getsockname()
    setting.far.close()
    setting.forwarder.open(setting.pair, far)
    arguments = [str(setting.near_address[1]), str(far[1]), check(UFRAG).hex()]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BLAST, *arguments, stdout=subprocess.PIPE
    )
    used = time.process_time()
    output, _ = await process.communicate()
    used = time.process_time() - used
    seconds, bits = 2.0, setting.forwarder.outward * 1200 * 8
    assert float(output) > 0
    print(f"{bits / used / 1e6:.0f} Mbit/s of its own time, {bits / seconds / 1e6:.0f} beside all others")
    assert bits / used > 100e6
