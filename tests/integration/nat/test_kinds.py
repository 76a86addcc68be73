"""The laboratory does what it says: every NAT is measured from behind it, by probes of our own."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from functools import partial

import pytest
from tests.integration.nat.laboratory import Laboratory
from tests.integration.nat.line import Conditions
from tests.integration.nat.networks import Host
from tests.integration.nat.probe import (
    Behaviour,
    Filtering,
    Mapping,
    Reflector,
    observe,
    reflector,
    round_trip_seconds,
)
from tests.integration.nat.rules import Ipv6, NatKind
from tests.patience import patience

EXPECTED = {
    NatKind.NONE: Behaviour(Mapping.NONE, Filtering.INDEPENDENT),
    NatKind.FIREWALL: Behaviour(Mapping.NONE, Filtering.ADDRESS_AND_PORT),
    NatKind.FULL_CONE: Behaviour(Mapping.INDEPENDENT, Filtering.INDEPENDENT),
    NatKind.ADDRESS_RESTRICTED: Behaviour(Mapping.INDEPENDENT, Filtering.ADDRESS),
    NatKind.PORT_RESTRICTED: Behaviour(Mapping.INDEPENDENT, Filtering.ADDRESS_AND_PORT),
    NatKind.SYMMETRIC: Behaviour(Mapping.ADDRESS_AND_PORT, Filtering.ADDRESS_AND_PORT),
    NatKind.UDP_BLOCKED: Behaviour(Mapping.BLOCKED, Filtering.BLOCKED),
    NatKind.ONLY_443: Behaviour(Mapping.BLOCKED, Filtering.BLOCKED),
}


@pytest.fixture
def at(laboratory: Laboratory) -> Iterator[Reflector]:
    """A reflector on a server."""
    with reflector(laboratory.server("server")) as made:
        yield made


@pytest.mark.parametrize("kind", NatKind)
def test_each_kind_maps_and_filters_as_its_name_says(
    laboratory: Laboratory, at: Reflector, kind: NatKind
) -> None:
    home = laboratory.network("home", kind)
    assert observe(laboratory.host("laptop", home), at) == EXPECTED[kind]
    if kind not in {NatKind.NONE, NatKind.FIREWALL, NatKind.UDP_BLOCKED, NatKind.ONLY_443}:
        home.reboot()
        second = laboratory.host("telephone", home)
        assert observe(second, at) == EXPECTED[kind]


def test_a_round_trip_takes_40_ms_until_the_line_is_switched(laboratory: Laboratory, at: Reflector) -> None:
    home = laboratory.network("home", ipv6=Ipv6.FIREWALL)
    laptop = laboratory.host("laptop", home)
    assert 0.04 <= min(round_trip_seconds(laptop, at[0, 0])) < patience(0.06)
    server = laboratory.hosts[0].attachment()
    with laboratory.hosts[0].call(partial(socket.socket, socket.AF_INET6, socket.SOCK_DGRAM)) as six:
        six.bind(("::", 6009))
        with laptop.call(partial(socket.socket, socket.AF_INET6, socket.SOCK_DGRAM)) as asking:
            begun = time.monotonic()
            asking.sendto(b"hello", (str(server.six), 6009))
            six.settimeout(patience(1))
            six.recv(100)
            assert 0.02 <= time.monotonic() - begun < patience(0.05)
    home.shape(Conditions(delay_ms=100))
    assert 0.22 <= min(round_trip_seconds(laptop, at[0, 0])) < patience(0.25)
    home.shape(Conditions(delay_ms=0, loss=1.0))
    assert not round_trip_seconds(laptop, at[0, 0], 1)


def test_only_443_lets_tcp_to_443_out_and_nothing_else(laboratory: Laboratory) -> None:
    server = laboratory.server("server")
    laptop = laboratory.host("laptop", laboratory.network("hotel", NatKind.ONLY_443))
    place = str(server.address)
    with (
        server.call(partial(socket.create_server, ("", 443))),
        server.call(partial(socket.create_server, ("", 80))),
    ):
        laptop.call(partial(socket.create_connection, (place, 443), timeout=patience(2))).close()
        with pytest.raises(TimeoutError):
            laptop.call(partial(socket.create_connection, (place, 80), timeout=0.5))


def reaches(sender: Host, receiver: Host, place: tuple[str, int], own_port: int) -> bool:
    """Whether UDP sent to a place arrives at the socket on the receiver's port."""
    with receiver.call(partial(bound, own_port)) as listening, sender.call(partial(bound, 0)) as sending:
        listening.settimeout(0.3)
        sending.sendto(b"hello", place)
        try:
            return listening.recv(100) == b"hello"
        except TimeoutError:
            return False


def bound(port: int, family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("", port))
    return made


def punch(one: Host, one_place: tuple[str, int], other: Host, other_place: tuple[str, int]) -> bool:
    """Whether two hosts that send to each other from port 5000 hear each other."""
    with one.call(partial(bound, 5000)) as first, other.call(partial(bound, 5000)) as second:
        for _ in range(3):
            first.sendto(b"hello", other_place)
            second.sendto(b"hello", one_place)
            time.sleep(patience(0.08))
        heard = []
        for each in (first, second):
            each.settimeout(patience(0.05))
            try:
                heard.append(each.recv(100) == b"hello")
            except TimeoutError:
                heard.append(False)
        return all(heard)


@pytest.mark.parametrize("hairpin", [False, True])
def test_two_homes_behind_one_carrier_meet_at_its_address_only_with_hairpin(
    laboratory: Laboratory, hairpin: bool
) -> None:
    carrier = laboratory.network("carrier", lan="100.64.7.0/24", hairpin=hairpin)
    hosts = [
        laboratory.host(name, laboratory.network(f"{name}-home", behind=carrier)) for name in ("ann", "bob")
    ]
    # Two ports, or the carrier would have to give one of them another.
    with hosts[0].call(partial(bound, 5001)) as ann, hosts[1].call(partial(bound, 5002)) as bob:
        for _ in range(3):
            ann.sendto(b"hello", (str(carrier.external), 5002))
            bob.sendto(b"hello", (str(carrier.external), 5001))
            time.sleep(0.05)
        ann.settimeout(patience(0.1))
        try:
            heard = ann.recv(100) == b"hello"
        except TimeoutError:
            heard = False
    assert heard == hairpin


def test_double_nat_and_equal_prefixes(laboratory: Laboratory, at: Reflector) -> None:
    outer = laboratory.network("outer", lan="192.168.1.0/24")
    inner = laboratory.network("inner", behind=outer, lan="192.168.0.0/24")
    other = laboratory.network("other", lan="192.168.0.0/24")
    ann, bob = laboratory.host("ann", inner), laboratory.host("bob", other)
    assert ann.address == bob.address
    assert observe(ann, at) == EXPECTED[NatKind.PORT_RESTRICTED]
    assert punch(ann, (str(outer.external), 5000), bob, (str(other.external), 5000))


def test_port_restricted_homes_can_punch_and_symmetric_ones_cannot(laboratory: Laboratory) -> None:
    homes = [laboratory.network(f"home{number}") for number in range(2)]
    mobile = laboratory.network("mobile", NatKind.SYMMETRIC)
    ann, bob, eve = (laboratory.host("x", network) for network in (*homes, mobile))
    places = [(str(network.external), 5000) for network in (*homes, mobile)]
    assert punch(ann, places[0], bob, places[1])
    assert not punch(ann, places[0], eve, places[2])


def test_an_early_packet_does_not_spoil_the_port(laboratory: Laboratory) -> None:
    """Linux would give the home another port if its router had answered, or kept, the other's packet."""
    ann_home, bob_home = laboratory.network("ann-home"), laboratory.network("bob-home")
    ann, bob = laboratory.host("ann", ann_home), laboratory.host("bob", bob_home)
    for _ in range(3):
        assert not reaches(bob, ann, (str(ann_home.external), 5000), 5000)
    with bob.call(partial(bound, 5000)) as early:
        early.sendto(b"early", (str(ann_home.external), 5000))
        time.sleep(0.05)
    assert punch(ann, (str(ann_home.external), 5000), bob, (str(bob_home.external), 5000))


def test_ipv6_firewalls_let_in_what_was_asked_for(laboratory: Laboratory) -> None:
    hosts = [
        laboratory.host("x", laboratory.network(f"home{number}", NatKind.SYMMETRIC, ipv6=Ipv6.FIREWALL))
        for number in range(2)
    ]
    with (
        hosts[0].call(partial(bound, 5000, socket.AF_INET6)) as ann,
        hosts[1].call(partial(bound, 5000, socket.AF_INET6)) as bob,
    ):
        places = [(str(host.attachment().six), 5000) for host in hosts]
        bob.settimeout(0.2)
        ann.sendto(b"early", places[1])
        with pytest.raises(TimeoutError):
            bob.recv(100)
        bob.sendto(b"open", places[0])
        ann.settimeout(patience(1))
        assert ann.recv(100) == b"open"
        ann.sendto(b"hello", places[1])
        assert bob.recv(100) == b"hello"


def test_a_forwarded_port_leads_to_its_host(laboratory: Laboratory) -> None:
    home = laboratory.network("home")
    ann = laboratory.host("ann", home)
    eve = laboratory.server("eve")
    home.forward_port(9000, ann, inner_port=9001)
    with ann.call(partial(socket.create_server, ("", 9001))) as listening:
        eve.call(partial(socket.create_connection, (str(home.external), 9000), timeout=patience(2))).close()
        listening.accept()[0].close()


def test_an_unused_mapping_ends(laboratory: Laboratory, at: Reflector) -> None:
    home = laboratory.network("home", mapping_seconds=1)
    ann, server = laboratory.host("ann", home), laboratory.hosts[0]
    heard = []
    with ann.call(partial(bound, 5000)) as own, server.call(partial(bound, 5005)) as remote:
        own.settimeout(patience(0.3))
        for wait in (0.1, 1.6):
            own.sendto(b"open", (str(server.address), 5005))
            place = remote.recvfrom(100)[1]
            time.sleep(wait)
            remote.sendto(b"answer", place)
            try:
                heard.append(own.recv(100))
            except TimeoutError:
                heard.append(b"")
    assert heard == [b"answer", b""]
