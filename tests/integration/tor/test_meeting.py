"""Meeting places as temporary onion services, over a private Tor network."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.tor.onion_node import OnionNode
from tests.patience import patience

from p4.adapters.tor.meeting import OnionMeetingPlaces
from p4.core import limits
from p4.errors import LocalError, RendezvousError
from p4.ports import RendezvousPhase, SignalStream
from p4.testing.tor_network import PrivateTorNetwork

pytestmark = pytest.mark.slow


def seed_of(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


@pytest.fixture
async def pair(tor_network: PrivateTorNetwork, tmp_path: Path) -> AsyncIterator[tuple[OnionNode, OnionNode]]:
    lines = tor_network.client_torrc_lines
    async with OnionNode(tmp_path / "a", lines) as one, OnionNode(tmp_path / "b", lines) as other:
        yield one, other


class Desk:
    """Answers each visitor with its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.visitors: list[SignalStream] = []

    async def accept(self, stream: SignalStream) -> None:
        self.visitors.append(stream)
        while (line := await stream.receive_line()) is not None:
            await stream.send_line(self.name.encode() + b" " + line)


async def ask(stream: SignalStream, text: bytes) -> bytes | None:
    await stream.send_line(text)
    async with asyncio.timeout(60):
        return await stream.receive_line()


async def test_several_places_while_tor_still_starts_each_by_itself(
    pair: tuple[OnionNode, OnionNode],
) -> None:
    """Host and visitor begin before either Tor knows its network, and the visitor before the host."""
    host, guest = pair
    places, visits = OnionMeetingPlaces(host.rendezvous), OnionMeetingPlaces(guest.rendezvous)
    begun = time.monotonic()
    early = asyncio.create_task(visits.visit(seed_of("one"), timeout=40))
    desks = [Desk("one"), Desk("two")]
    assert guest.rendezvous.status.phase is RendezvousPhase.STARTING
    one, two = [await places.host(seed_of(desk.name), desk.accept) for desk in desks]
    with pytest.raises(LocalError):
        await places.host(seed_of("one"), desks[0].accept)
    async with asyncio.timeout(120):
        await asyncio.gather(one.wait_open(), two.wait_open())
    print(f"two places open: {time.monotonic() - begun:.2f} s after the start of Tor")
    first = await early
    print(f"first visitor: {time.monotonic() - begun:.2f} s")
    second = await visits.visit(seed_of("two"), timeout=20)
    assert await ask(first, b"hello") == b"one hello"
    assert await ask(second, b"hello") == b"two hello"
    assert host.accepted == 0  # the node's own address has nothing to do with it

    await one.close()
    assert await ask(first, b"still") == b"one still"
    with pytest.raises(RendezvousError):
        await visits.visit(seed_of("one"), timeout=4)
    assert await ask(second, b"other") == b"two other"
    await asyncio.gather(places.close(), visits.close())
    assert await second.receive_line() is None
    for stream in (first, second):
        stream.close()
    await asyncio.sleep(0)  # the loop closes their sockets


async def test_a_place_outlives_tor_and_takes_no_more_visitors_than_it_should(
    pair: tuple[OnionNode, OnionNode],
) -> None:
    host, guest = pair
    places, visits = OnionMeetingPlaces(host.rendezvous), OnionMeetingPlaces(guest.rendezvous)
    desk = Desk("place")
    place = await places.host(seed_of("place"), desk.accept)
    await asyncio.wait_for(place.wait_open(), 120)
    streams = [await visits.visit(seed_of("place"), timeout=20) for _ in range(limits.MEETING_VISITORS + 1)]
    assert await ask(streams[-1], b"in") == b"place in"
    async with asyncio.timeout(60):
        assert await streams[0].receive_line() is None

    await host.reach(RendezvousPhase.READY)
    host.tor().kill()
    await host.failed()
    await asyncio.wait_for(place.wait_open(), 120)
    again = await visits.visit(seed_of("place"), timeout=40)
    assert await ask(again, b"again") == b"place again"
    for stream in (*streams, again):
        stream.close()


async def test_a_visit_in_vain_ends_in_time_and_a_cancelled_one_at_once(
    pair: tuple[OnionNode, OnionNode],
) -> None:
    guest = pair[0]
    await guest.reach(RendezvousPhase.READY)
    visits = OnionMeetingPlaces(guest.rendezvous)
    begun = time.monotonic()
    with pytest.raises(RendezvousError) as caught:
        await visits.visit(seed_of("nobody"), timeout=3)
    assert caught.value.code in {"no-descriptor", "timeout"}
    assert time.monotonic() - begun < patience(5)
    for _ in range(3):
        visit = asyncio.create_task(visits.visit(seed_of("nobody"), timeout=60))
        await asyncio.sleep(0.05)
        visit.cancel()
        await asyncio.wait([visit])
        assert visit.cancelled()
    lasting = asyncio.create_task(visits.visit(seed_of("nobody"), timeout=60))
    await asyncio.sleep(0.05)
    await visits.close()
    with pytest.raises(RendezvousError) as caught:
        await asyncio.wait_for(lasting, patience(2))
    assert caught.value.code == "closed"
