"""A real miniupnpd on a router of namespaces: who is outside reaches the port that was mapped.

The addresses outside are of the real internet (the router's program refuses others) and are used inside
these namespaces only.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.adapters.net.namespaces import NetworkNamespace, network_namespace

pytestmark = pytest.mark.slow

CHILD = Path(__file__).parent / "mapping_child.py"
PATIENCE_SECONDS = 30.0
TCP, UDP = 4242, 4343
OUTSIDE = "11.1.1.1"
FIREWALL = """\
table inet nat {
chain out { type nat hook postrouting priority 100;
oifname "wan" meta nfproto ipv4 masquerade
}
}
table inet mapper {
chain forward { type filter hook forward priority 0; policy drop;
ct state established,related accept
iifname "lan" accept
ct status dnat accept
}
chain prerouting { type nat hook prerouting priority -101;
}
chain postrouting { type nat hook postrouting priority 99;
}
}
"""


@dataclass
class House:
    inside: NetworkNamespace
    router: NetworkNamespace
    outside: NetworkNamespace
    directory: Path
    process: subprocess.Popen[bytes] | None = None

    def start_router(self) -> None:
        settings = {
            "ext_ifname": "wan",
            "listening_ip": "lan",
            "enable_natpmp": "yes",
            "enable_upnp": "yes",
            "port": "5000",
            "secure_mode": "yes",
            "uuid": "00000000-0000-0000-0000-000000000001",
            "lease_file": str(self.directory / "leases"),
            "upnp_table_name": "mapper",
            "upnp_nat_table_name": "mapper",
            "upnp_forward_chain": "forward",
            "upnp_nat_chain": "prerouting",
            "upnp_nat_postrouting_chain": "postrouting",
        }
        lines = [f"{name}={value}" for name, value in settings.items()]
        lines.append("allow 1024-65535 0.0.0.0/0 1024-65535")
        (self.directory / "conf").write_text("\n".join(lines) + "\n", "utf-8")
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.router.command(
                    *("miniupnpd", "-d", "-f", str(self.directory / "conf")),
                    *("-P", str(self.directory / "pid")),
                ),
                stdout=log,
                stderr=log,
            )

    def wait_for_router(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            kinds = (f"/proc/net/{kind}" for kind in ("udp", "udp6", "tcp", "tcp6"))
            listening = self.router.run("cat", *kinds)
            if ":14E7 " in listening and ":1388 " in listening:  # 5351 for PCP, 5000 for UPnP
                return
            time.sleep(0.05)
        pytest.fail((self.directory / "log").read_text("utf-8"))

    def stop_router(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)  # as a power failure does it: nothing is told
            process.wait()

    def reboot_router(self) -> None:
        self.stop_router()
        self.router.run("nft", "-f", "-", text="flush ruleset\n" + FIREWALL)
        (self.directory / "leases").unlink(missing_ok=True)
        self.start_router()

    def reached(self, host: str, port: int, kind: str) -> bool:
        """Whether somebody outside gets an answer there."""
        program = (
            "import socket, sys\n"
            "host, port, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]\n"
            "family = socket.AF_INET6 if ':' in host else socket.AF_INET\n"
            "made = socket.socket(family, socket.SOCK_STREAM if kind == 'tcp' else socket.SOCK_DGRAM)\n"
            "made.settimeout(3)\n"
            "made.connect((host, port))\n"
            "made.send(b'?')\n"
            "print(made.recv(10).decode())\n"
        )
        try:
            return self.outside.run(sys.executable, "-c", program, host, str(port), kind).strip() == "here"
        except subprocess.CalledProcessError:
            return False


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    for program in ("miniupnpd", "nft"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    with network_namespace() as inside, network_namespace() as router, network_namespace() as outside:
        for near, name, far, far_name in (
            (inside, "home", router, "lan"),
            (router, "wan", outside, "net"),
        ):
            near.ip("link", "add", name, "type", "veth", "peer", "name", far_name, "netns", far.name)
        for namespace, name, addresses in (
            (inside, "home", ("192.168.7.2/24", "2600:7::2/64")),
            (router, "lan", ("192.168.7.1/24", "2600:7::1/64")),
            (router, "wan", ("11.1.1.2/24", "2600:1::2/64")),
            (outside, "net", (f"{OUTSIDE}/24", "2600:1::1/64")),
        ):
            for address in addresses:
                namespace.ip("addr", "add", address, "dev", name, *(["nodad"] if ":" in address else []))
            namespace.ip("link", "set", name, "up")
        inside.ip("route", "add", "default", "via", "192.168.7.1")
        inside.ip("-6", "route", "add", "default", "via", "2600:7::1")
        outside.ip("-6", "route", "add", "2600:7::/64", "via", "2600:1::2")
        router.ip("route", "add", "default", "via", OUTSIDE)
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        router.run("nft", "-f", "-", text=FIREWALL)
        made = House(inside, router, outside, tmp_path)
        made.start_router()
        try:
            made.wait_for_router()
            yield made
        finally:
            made.stop_router()


Told = list[tuple[str, str | None, int, str]]


class Computer:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def told(self, count: int) -> Told:
        """The mappings, as soon as there are so many."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                line = json.loads(await self.process.stdout.readline())
                print(line)
                if len(line["mappings"]) == count:
                    return [tuple(one) for one in line["mappings"]]


@asynccontextmanager
async def computer(house: House, *options: str) -> AsyncIterator[Computer]:
    process = await asyncio.create_subprocess_exec(
        *house.inside.command(sys.executable, str(CHILD), str(TCP), str(UDP), *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    try:
        yield Computer(process)
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)


async def reached(house: House, mapping: tuple[str, str | None, int, str]) -> bool:
    kind, host, port, _ = mapping
    assert host is not None
    return await asyncio.to_thread(house.reached, host, port, kind)


async def test_who_is_outside_gets_in_by_pcp(house: House) -> None:
    for address in ("11.1.1.2", "2600:7::2"):
        assert not await asyncio.to_thread(house.reached, address, TCP, "tcp")
    async with computer(house) as made:
        told = await made.told(4)
        assert {method for *_, method in told} == {"pcp"}
        # Ports of the router for IPv4, openings in its firewall for IPv6.
        assert {(kind, host) for kind, host, *_ in told} == {
            (kind, host) for kind in ("tcp", "udp") for host in ("11.1.1.2", "2600:7::2")
        }
        for mapping in told:
            assert await reached(house, mapping)

        # The router reboots: it says so, and everything is mapped anew.
        await asyncio.to_thread(house.reboot_router)
        async with asyncio.timeout(PATIENCE_SECONDS):
            started = time.monotonic()
            for mapping in told:
                while not await reached(house, mapping):  # noqa: ASYNC110 - asked from outside
                    await asyncio.sleep(0.1)
        print(f"mapped again {time.monotonic() - started:.1f} s after the reboot")
    for mapping in told:
        assert not await reached(house, mapping)


async def test_who_is_outside_gets_in_by_upnp(house: House) -> None:
    pytest.importorskip("miniupnpc")
    async with computer(house, "upnp") as made:
        told = await made.told(2)
        assert {method for *_, method in told} == {"upnp"}
        for mapping in told:
            assert await reached(house, mapping)
    assert not await reached(house, told[0])
