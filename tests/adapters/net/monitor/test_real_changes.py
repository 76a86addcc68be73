"""Real changes of a real network (in a namespace) and a real stop of a real process."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest
from tests.adapters.net.namespaces import NetworkNamespace, network_namespace

CHILD = Path(__file__).parent / "watching_child.py"
PATIENCE_SECONDS = 15.0


@dataclass(frozen=True)
class Told:
    at: float
    addresses: tuple[str, ...]
    resumed: bool


class Watching:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def told(self) -> Told:
        assert self.process.stdout is not None
        line = json.loads(await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_SECONDS))
        return Told(line["at"], tuple(line["addresses"]), line["resumed"])

    async def silent(self, seconds: float) -> None:
        assert self.process.stdout is not None
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(self.process.stdout.readline(), seconds)


@asynccontextmanager
async def watching(*command: str) -> AsyncIterator[Watching]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    try:
        yield Watching(process)
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)


@pytest.fixture
def namespace() -> Iterator[NetworkNamespace]:
    with network_namespace() as made:
        made.ip("link", "add", "near", "type", "veth", "peer", "name", "far")
        for name in ("near", "far"):
            made.ip("link", "set", name, "up")
        yield made


async def test_addresses_and_default_routes_are_told_within_milliseconds(
    namespace: NetworkNamespace,
) -> None:
    delays = []

    async with watching(*namespace.command(sys.executable, str(CHILD))) as child:
        assert (await child.told()).addresses == ()

        async def after(*change: str) -> tuple[str, ...]:
            started = time.monotonic()
            namespace.ip(*change)
            told = await child.told()
            assert not told.resumed
            delays.append((told.at - started) * 1000)
            return told.addresses

        assert await after("addr", "add", "10.1.0.2/24", "dev", "near") == ("10.1.0.2",)
        assert await after("route", "add", "default", "via", "10.1.0.1") == ("10.1.0.2",)
        assert await after("route", "change", "default", "via", "10.1.0.9") == ("10.1.0.2",)
        both = ("10.1.0.2", "2001:db8::2")
        assert await after("addr", "add", "2001:db8::2/64", "dev", "near", "nodad") == both
        assert await after("-6", "route", "add", "default", "via", "2001:db8::1") == both
        # The carrier goes: what depends on it is of no use although the kernel still lists it.
        assert await after("link", "set", "far", "down") == ()
        assert await after("link", "set", "far", "up") == both
        assert await after("addr", "del", "10.1.0.2/24", "dev", "near") == ("2001:db8::2",)

        # Nothing of this changes how the machine is reached.
        namespace.ip("addr", "add", "127.0.0.9/8", "dev", "lo")
        namespace.ip("addr", "add", "169.254.7.7/16", "dev", "near")
        namespace.ip("route", "add", "198.51.100.0/24", "dev", "near")
        namespace.ip("link", "add", "idle", "type", "veth", "peer", "name", "other")
        await child.silent(0.3)

    print("milliseconds:", *(round(delay) for delay in delays))
    # With the 50 ms in which changes are gathered, and the start of the `ip` command.
    assert median(delays) < 250


async def test_changes_that_come_together_are_told_once(namespace: NetworkNamespace) -> None:
    namespace.ip("addr", "add", "10.1.0.2/24", "dev", "near")
    async with watching(*namespace.command(sys.executable, str(CHILD))) as child:
        assert (await child.told()).addresses == ("10.1.0.2",)
        renumber = (
            "addr del 10.1.0.2/24 dev near\naddr add 10.2.0.2/24 dev near\nroute add default via 10.2.0.1\n"
        )
        namespace.run("ip", "-batch", "-", text=renumber)
        assert (await child.told()).addresses == ("10.2.0.2",)
        # There and back within the moment: no change at all.
        nothing = "addr add 10.3.0.2/24 dev near\naddr del 10.3.0.2/24 dev near\n"
        namespace.run("ip", "-batch", "-", text=nothing)
        await child.silent(0.3)


async def test_without_announcements_changes_are_noticed_within_two_seconds(
    namespace: NetworkNamespace,
) -> None:
    async with watching(*namespace.command(sys.executable, str(CHILD), "poll")) as child:
        assert (await child.told()).addresses == ()
        started = time.monotonic()
        namespace.ip("addr", "add", "10.1.0.2/24", "dev", "near")
        told = await child.told()
        assert told.addresses == ("10.1.0.2",)
        assert told.at - started < 5.0  # one to two seconds, and a busy machine


async def test_a_process_that_was_stopped_is_told_at_once() -> None:
    async with watching(sys.executable, str(CHILD)) as child:
        before = await child.told()
        child.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(3.5)
        resumed = time.monotonic()
        child.process.send_signal(signal.SIGCONT)
        told = await child.told()
        assert told.resumed
        assert told.addresses == before.addresses
        assert told.at - resumed < 1.0
