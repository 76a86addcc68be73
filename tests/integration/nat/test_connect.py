"""Our nodes find a way wherever theory has one: real nodes, real Tor, real NATs."""

from __future__ import annotations

from itertools import product

import pytest
from tests.integration.nat.meeting import Meeting
from tests.integration.nat.networks import Network
from tests.integration.nat.rules import Ipv6, NatKind
from tests.integration.nat.world import World

from p4.testing.tor_network import PrivateTorNetwork

SECONDS = 120.0


def has_a_way(one: NatKind, other: NatKind) -> bool:
    """Whether theory lets these two meet over UDP without a relay and without guessing ports."""
    if {one, other} & {NatKind.UDP_BLOCKED, NatKind.ONLY_443}:
        return False
    if NatKind.SYMMETRIC in (one, other):
        # It sends from a port that nobody knows before: the other one must not ask for it.
        return bool({one, other} & {NatKind.NONE, NatKind.FULL_CONE, NatKind.ADDRESS_RESTRICTED})
    return True


QUICK = [
    (NatKind.PORT_RESTRICTED, NatKind.PORT_RESTRICTED),
    (NatKind.SYMMETRIC, NatKind.ADDRESS_RESTRICTED),
]
MATRIX = [pair for pair in product(NatKind, NatKind) if has_a_way(*pair) and pair not in QUICK]


async def connects(meeting: Meeting, what: str) -> None:
    """A link comes up and messages go both ways over it."""
    async with meeting:
        seconds = await meeting.connected(SECONDS)
        print(f"{what}: connected after {seconds:.2f} s")
        meeting.talk()
        await meeting.flowing(seconds=60)
        tally = await meeting.finish()
        assert tally.clean, tally


def homes(world: World, one: NatKind, other: NatKind, ipv6: Ipv6 = Ipv6.ABSENT) -> tuple[Network, Network]:
    """Two networks of these kinds."""
    return (
        world.laboratory.network("ann-home", one, ipv6=ipv6),
        world.laboratory.network("bob-home", other, ipv6=ipv6),
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [*QUICK, *(pytest.param(*pair, marks=pytest.mark.soak) for pair in MATRIX)],
)
async def test_without_a_relay(world: World, one: NatKind, other: NatKind) -> None:
    ann_home, bob_home = homes(world, one, other)
    ann, bob = world.laboratory.host("ann", ann_home), world.laboratory.host("bob", bob_home)
    await connects(
        world.meeting((ann, world.direct(ann)), (bob, world.direct(bob))), f"{one.value} x {other.value}"
    )


@pytest.mark.parametrize(
    ("one", "other", "way", "backend"),
    [
        (NatKind.SYMMETRIC, NatKind.PORT_RESTRICTED, "udp", "wrtc"),
        (NatKind.UDP_BLOCKED, NatKind.PORT_RESTRICTED, "tcp", "wrtc"),
        (NatKind.ONLY_443, NatKind.PORT_RESTRICTED, "tcp443", "wrtc"),
        # wrtc trusts public authorities only, and the laboratory has none.
        (NatKind.ONLY_443, NatKind.PORT_RESTRICTED, "tls", "aiortc"),
    ],
)
async def test_through_a_relay(world: World, one: NatKind, other: NatKind, way: str, backend: str) -> None:
    """The far side is dialled: a router that lets only 443 out forwards nothing."""
    ann_home, bob_home = homes(world, one, other)
    ann, bob = world.laboratory.host("ann", ann_home), world.laboratory.host("bob", bob_home)
    turn = (world.turn.server(way),)
    settings = [world.direct(host, turn=turn, link_backend=backend) for host in (ann, bob)]
    if one is NatKind.ONLY_443:
        bob_home.forward_port(443, bob, inner_port=settings[1].signal_port)
        settings[1] = world.at_port(settings[1], 443)
    trusting = {"SSL_CERT_FILE": str(world.turn.certificate)}
    meeting = Meeting(world.node(ann, settings[0], trusting), world.node(bob, settings[1], trusting))
    await connects(meeting, f"{one.value} x {other.value}, TURN {way}")


async def test_ipv6_through_firewalls_where_ipv4_has_no_way(world: World) -> None:
    hosts = [
        world.laboratory.host(
            "ann", world.laboratory.network("ann-home", NatKind.SYMMETRIC, ipv6=Ipv6.FIREWALL)
        ),
        world.laboratory.host(
            "bob", world.laboratory.network("bob-home", NatKind.SYMMETRIC, ipv6=Ipv6.FIREWALL)
        ),
    ]
    await connects(world.meeting(*((host, world.direct(host)) for host in hosts)), "IPv6 firewalls")


async def test_in_one_home_with_nobody_outside(world: World) -> None:
    home = world.laboratory.network("home")
    ann, bob = world.laboratory.host("ann", home), world.laboratory.host("bob", home)
    settings = [world.local(host) for host in (ann, bob)]
    home.blackhole()
    await connects(world.meeting((ann, settings[0]), (bob, settings[1])), "one home, no internet")


async def test_behind_two_routers_with_equal_prefixes(world: World) -> None:
    outer = world.laboratory.network("outer", lan="192.168.1.0/24")
    inner = world.laboratory.network("inner", behind=outer, lan="192.168.0.0/24")
    other = world.laboratory.network("other", lan="192.168.0.0/24")
    ann, bob = world.laboratory.host("ann", inner), world.laboratory.host("bob", other)
    # Nobody can dial ann; her own dialling serves both.
    await connects(world.meeting((ann, world.direct(ann)), (bob, world.direct(bob))), "double NAT")


@pytest.mark.soak  # every test of recovery with Tor alone begins so
async def test_over_tor_from_home_to_home(world: World, simulated_tor: PrivateTorNetwork) -> None:
    hosts = [
        world.laboratory.host(name, network)
        for name, network in zip(
            ("ann", "bob"), homes(world, NatKind.PORT_RESTRICTED, NatKind.PORT_RESTRICTED), strict=True
        )
    ]
    meeting = world.meeting(*((host, world.onion(simulated_tor)) for host in hosts))
    await connects(meeting, "port-restricted x port-restricted over Tor")


@pytest.mark.soak
async def test_over_tor_where_only_443_is_open(world: World, simulated_tor: PrivateTorNetwork) -> None:
    hosts = [
        world.laboratory.host(name, network)
        for name, network in zip(
            ("ann", "bob"), homes(world, NatKind.ONLY_443, NatKind.ONLY_443), strict=True
        )
    ]
    turn = (world.turn.server("tcp443"),)
    meeting = world.meeting(*((host, world.onion(simulated_tor, turn=turn)) for host in hosts))
    await connects(meeting, "only-443 x only-443 over Tor, TURN tcp443")
