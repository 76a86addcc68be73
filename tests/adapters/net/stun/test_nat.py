"""The kinds of NAT, as a real server on this machine would show them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.adapters.net.stun.server import PretendedServer, pretended_server

from p4.adapters.net.stun.classify import Filtering, Mapping, PathFinding, Seen, port_step, seen_mapping
from p4.adapters.net.stun.codec import Address
from p4.adapters.net.stun.nat import may_follow, probe_nat

TIMEOUT = 0.4
OUTER = "192.0.2.1"


async def examined(server: PretendedServer, *urls: str) -> PathFinding:
    return (await probe_nat(urls or (server.url(),), timeout=TIMEOUT)).ipv4


async def test_no_nat() -> None:
    async with pretended_server() as server:
        finding = await probe_nat([server.url()], timeout=TIMEOUT)
    path = finding.ipv4
    assert path.mapping is Mapping.UNTRANSLATED
    assert path.local == path.external[0]
    assert path.port_preserved is None
    assert path.filtering is Filtering.INDEPENDENT
    assert path.answered == (server.url(),)
    assert not finding.udp_blocked
    assert "no NAT" in finding.sentence


async def test_a_mapping_that_is_the_same_everywhere() -> None:
    async with pretended_server() as server:
        server.sees = lambda client, _: (OUTER, client[1])
        path = await examined(server)
        assert path.mapping is Mapping.INDEPENDENT
        assert not path.mapping.is_dependent
        assert path.port_preserved is True
        assert [host for host, _ in path.external] == [OUTER]
        server.sees = lambda client, _: (OUTER, client[1] ^ 1)
        assert (await examined(server)).port_preserved is False


async def test_one_address_is_not_enough() -> None:
    """Two ports of it neither: an address-dependent mapping would look the same."""
    async with pretended_server() as server:
        server.offers_other = False
        server.sees = lambda client, _: (OUTER, client[1])
        assert (await examined(server, server.url())).mapping is Mapping.UNKNOWN
        assert (await examined(server, server.url(), server.url(port=1))).mapping is Mapping.UNKNOWN
        path = await examined(server, server.url(), server.url(host=1))
        assert path.mapping is Mapping.INDEPENDENT
        assert path.filtering is Filtering.UNKNOWN


def numbered(step: int, key: Callable[[Address], object]) -> Callable[[Address, Address], Address]:
    """A NAT that gives ports in order, a new one for each new key."""
    given: dict[tuple[Address, object], int] = {}
    counter = itertools.count(40_000, step)
    return lambda client, server: (OUTER, given.setdefault((client, key(server)), next(counter)))


async def test_mappings_that_differ() -> None:
    async with pretended_server() as server:
        server.sees = numbered(1, lambda address: address[0])
        path = await examined(server)
        assert path.mapping is Mapping.ADDRESS_DEPENDENT
        server.sees = numbered(1, lambda address: address)
        path = await examined(server)
        assert path.mapping is Mapping.PORT_DEPENDENT
        assert path.mapping.is_dependent
        assert "symmetric" in path.sentence


def test_the_step_of_ports() -> None:
    assert port_step([7, 9, 11, 13]) == 2
    assert port_step([13, 11, 9]) == -2
    assert port_step([7, 9]) is None
    assert port_step([7, 9, 12]) is None
    assert port_step([7, 7, 7]) is None


def test_two_servers_that_see_different_ports_are_taken_for_the_worst() -> None:
    own = ("10.0.0.2", 5)
    seen = [Seen(("192.0.2.7", 1), own, (OUTER, 1)), Seen(("192.0.2.8", 1), own, (OUTER, 2))]
    assert seen_mapping(seen) is Mapping.PORT_DEPENDENT
    assert seen_mapping([]) is Mapping.BLOCKED


def test_a_machine_with_several_addresses_has_no_nat_for_that() -> None:
    seen = [Seen((f"192.0.2.{host}", 1), (f"10.0.{host}.2", 5), (f"10.0.{host}.2", 5)) for host in (1, 2)]
    assert seen_mapping(seen) is Mapping.UNTRANSLATED


async def test_filtering() -> None:
    async with pretended_server() as server:
        server.sees = lambda client, _: (OUTER, client[1])
        server.passes = lambda asked, answering: asked[0] == answering[0]
        assert (await examined(server)).filtering is Filtering.ADDRESS_DEPENDENT
        server.passes = lambda asked, answering: asked == answering
        assert (await examined(server)).filtering is Filtering.PORT_DEPENDENT


async def test_nobody_answers() -> None:
    async with pretended_server() as server:
        server.swallow = 10_000
        finding = await probe_nat([server.url(), "stun:nowhere.invalid"], timeout=TIMEOUT)
    assert finding.udp_blocked
    assert finding.ipv4.mapping is Mapping.BLOCKED
    assert finding.ipv4.silent == (server.url(), "stun:nowhere.invalid")
    assert "TURN server over TCP" in finding.sentence


async def test_a_silent_server_beside_one_that_answers() -> None:
    async with pretended_server() as server:
        server.offers_other = False
        path = await examined(server, "stun:127.0.0.3:9", server.url())
    assert path.answered == (server.url(),)
    assert path.silent == ("stun:127.0.0.3:9",)


async def test_no_server_at_all() -> None:
    finding = await probe_nat([])
    assert {finding.ipv4.mapping, finding.ipv6.mapping} <= {Mapping.ABSENT, Mapping.UNASKED}
    assert finding.udp_blocked


async def test_a_server_in_the_internet_does_not_point_us_into_our_own_network() -> None:
    assert not may_follow(("8.8.8.8", 1), ("192.168.1.1", 1))
    assert not may_follow(("8.8.8.8", 1), ("127.0.0.1", 1))
    assert may_follow(("8.8.8.8", 1), ("1.1.1.1", 1))
    assert not may_follow(("8.8.8.8", 1), ("2606:4700::1111", 1))
    assert may_follow(("192.168.1.1", 1), ("192.168.1.2", 1))


@pytest.mark.slow
async def test_coturn(tmp_path: Path) -> None:
    from tests.integration.turn.coturn import LOGIN, run_coturn

    second = "--listening-ip=127.0.0.1"
    with run_coturn(tmp_path, [*LOGIN["static"], second]) as coturn:
        path = (await probe_nat([f"stun:{coturn.address}:{coturn.port}"], timeout=1.0)).ipv4
        assert path.mapping is Mapping.UNTRANSLATED
        assert set(path.external) == {path.local, ("127.0.0.1", path.external[0][1])}
        assert path.filtering is Filtering.INDEPENDENT
