"""Which way links go, on both libraries."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network

import pytest
from tests.adapters.webrtc.harness import COMBINATIONS, End, connected, two_ends

from p4.adapters.webrtc.path import host_and_port, own_networks, path_kind
from p4.ports import LinkPath, PathKind

combinations = pytest.mark.parametrize("names", COMBINATIONS, ids="-".join)


async def path_of(end: End) -> LinkPath:
    path = await end.link.path()
    assert path is not None
    return path


@combinations
async def test_two_ends_on_one_machine_see_each_other_on_the_local_network(names: tuple[str, str]) -> None:
    async with connected(names) as (offerer, answerer):
        ours, theirs = await path_of(offerer), await path_of(answerer)
        for path in (ours, theirs):
            assert path.kind is PathKind.LAN
            assert path.protocol == "udp"
        assert ours.local_address == theirs.remote_address
        assert ours.remote_address == theirs.local_address


@combinations
async def test_what_is_sent_is_counted(names: tuple[str, str]) -> None:
    async with connected(names) as (offerer, answerer):
        for _ in range(20):
            offerer.link.send("chat", bytes(10_000))
        for _ in range(20):
            await answerer.message()
        assert (await path_of(offerer)).bytes_sent > 200_000
        assert (await path_of(answerer)).bytes_received > 200_000
        assert (await path_of(answerer)).bytes_sent < 100_000


@combinations
async def test_the_round_trip_is_known_after_an_exchange_and_small_on_one_machine(
    names: tuple[str, str],
) -> None:
    async with connected(names) as (offerer, answerer):
        offerer.link.send("chat", "there")
        await answerer.message()
        answerer.link.send("chat", "and back")
        await offerer.message()
        # The library takes the measure with a packet of its own, in its own time.
        async with asyncio.timeout(10):
            while (round_trip := (await path_of(offerer)).round_trip) is None:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.02)
        assert 0 <= round_trip < 1


@pytest.mark.parametrize("name", ["wrtc", "aiortc"])
async def test_a_link_that_is_not_connected_or_over_has_no_path(name: str) -> None:
    async with two_ends((name, name)) as (offerer, _):
        assert await offerer.link.path() is None
        await offerer.link.offer("chat")
        assert await offerer.link.path() is None
    async with connected((name, name)) as (offerer, answerer):
        asking = asyncio.ensure_future(offerer.link.path())
        await asyncio.sleep(0)
        offerer.link.close()
        answerer.link.close()
        assert (await asking) is None or asking.result().kind is PathKind.LAN  # type: ignore[union-attr]
        assert await offerer.link.path() is None


HOME = [ip_network("198.51.100.0/24"), ip_network("2001:db8:1::/64")]

KINDS = [
    (("host", "192.168.1.2"), ("host", "192.168.1.3"), PathKind.LAN),
    (("host", "192.168.1.2"), ("prflx", "10.8.0.3"), PathKind.LAN),
    (("host", "fe80::1%eth0"), ("host", "fe80::2"), PathKind.LAN),
    (("host", "fd00::1"), ("host", "fd00::2"), PathKind.LAN),
    (("host", "127.0.0.1"), ("host", "127.0.0.1"), PathKind.LAN),
    (("host", "2001:db8:1::5"), ("host", "2001:db8:1::6"), PathKind.LAN),
    (("host", "198.51.100.5"), ("host", "198.51.100.6"), PathKind.LAN),
    (("host", "2001:db8:1::5"), ("host", "2001:db8:2::6"), PathKind.DIRECT),
    (("host", "192.168.1.2"), ("host", "203.0.113.9"), PathKind.DIRECT),
    (("host", "192.168.1.2"), ("srflx", "192.168.1.3"), PathKind.DIRECT),
    (("srflx", "198.51.100.5"), ("host", "198.51.100.6"), PathKind.DIRECT),
    (("host", "100.64.0.2"), ("host", "100.70.0.3"), PathKind.DIRECT),
    (("host", "192.168.1.2"), ("prflx", ""), PathKind.DIRECT),
    (("relay", "192.168.1.2"), ("host", "192.168.1.3"), PathKind.RELAY),
    (("host", "192.168.1.2"), ("relay", "192.168.1.3"), PathKind.RELAY),
]


@pytest.mark.parametrize(("local", "remote", "kind"), KINDS)
def test_kinds(local: tuple[str, str], remote: tuple[str, str], kind: PathKind) -> None:
    assert path_kind(local, remote, HOME) is kind


def test_the_networks_of_this_machine_hold_its_neighbours_and_not_the_world() -> None:
    networks = own_networks()
    assert networks
    for network in networks:
        assert network.prefixlen > 0
        assert network.num_addresses > 1


def test_addresses_are_written_as_people_do() -> None:
    assert host_and_port("192.0.2.1", 9) == "192.0.2.1:9"
    assert host_and_port("2001:db8::1", 9) == "[2001:db8::1]:9"
    assert host_and_port(None, 9) == ""
