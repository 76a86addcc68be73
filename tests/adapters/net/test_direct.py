"""Direct rendezvous over real TCP on this machine."""

from __future__ import annotations

import asyncio
import socket

import pytest
from tests.requirements import missing

from p4.adapters.net.direct import DirectRendezvous
from p4.core.address import RendezvousAddress, Transport
from p4.errors import InputError, RendezvousError
from p4.ports import RendezvousPhase, RendezvousStatus, SignalStream
from p4.testing.free_ports import free_ports


async def echo(stream: SignalStream) -> None:
    while (line := await stream.receive_line()) is not None:
        await stream.send_line(b"echo " + line)


def ignore(status: RendezvousStatus) -> None:
    pass


def direct(host: str, port: int) -> RendezvousAddress:
    return RendezvousAddress(Transport.DIRECT, host, port)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
async def test_a_line_goes_there_and_back(host: str) -> None:
    if host == "::1" and not _ipv6_loopback():
        missing("this machine has no IPv6 loopback")
    rendezvous = DirectRendezvous(host, 0)
    statuses: list[RendezvousStatus] = []
    address = await rendezvous.start(echo, statuses.append)
    try:
        assert address == direct(host, address.port)
        assert statuses[-1].phase is RendezvousPhase.READY
        assert statuses[-1].address == address
        stream = await rendezvous.dial(address, timeout=5)
        await stream.send_line(b"hello")
        assert await stream.receive_line() == b"echo hello"
        stream.close()
    finally:
        await rendezvous.close()
    assert rendezvous.status.phase is RendezvousPhase.STOPPED


async def test_localhost_means_both_families_on_one_port() -> None:
    if not _ipv6_loopback():
        missing("this machine has no IPv6 loopback")
    rendezvous = DirectRendezvous("localhost", 0)
    address = await rendezvous.start(echo, ignore)
    try:
        addresses = {entry[4][0] for entry in socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)}
        for host in addresses:
            stream = await rendezvous.dial(direct(str(host), address.port), timeout=5)
            await stream.send_line(b"hello")
            assert await stream.receive_line() == b"echo hello"
            stream.close()
    finally:
        await rendezvous.close()


async def test_closing_ends_inbound_streams() -> None:
    rendezvous = DirectRendezvous("127.0.0.1", 0)
    address = await rendezvous.start(echo, ignore)
    stream = await rendezvous.dial(address, timeout=5)
    await stream.send_line(b"hello")
    await stream.receive_line()
    await rendezvous.close()
    with pytest.raises(RendezvousError) as caught:
        await rendezvous.dial(address, timeout=5)
    assert caught.value.code == "refused"
    stream.close()


async def test_the_same_port_twice_is_one_clear_error() -> None:
    first, second = DirectRendezvous("127.0.0.1", 0), None
    address = await first.start(echo, ignore)
    second = DirectRendezvous("127.0.0.1", address.port)
    with pytest.raises(InputError) as caught:
        await second.start(echo, ignore)
    assert caught.value.code == "address-in-use"
    assert str(address.port) in caught.value.message
    await first.close()


@pytest.mark.parametrize(
    ("advertise", "host", "port"),
    [
        ("node.example", "node.example", None),
        ("node.example:7000", "node.example", 7000),
        ("203.0.113.9:7001", "203.0.113.9", 7001),
        ("2001:db8::7", "2001:db8::7", None),
        ("[2001:db8::7]", "2001:db8::7", None),
        ("[2001:db8::7]:7002", "2001:db8::7", 7002),
    ],
)
async def test_advertised_addresses(advertise: str, host: str, port: int | None) -> None:
    rendezvous = DirectRendezvous("127.0.0.1", 0, advertise)
    address = await rendezvous.start(echo, ignore)
    assert address.host == host
    listening = rendezvous._servers[0].sockets[0].getsockname()[1]
    assert address.port == (port or listening)
    await rendezvous.close()


@pytest.mark.parametrize(
    "advertise",
    [
        "",
        "0.0.0.0:1",
        "::",
        "[::]:80",
        "host:0",
        "host:65536",
        "host:port",
        "a b",
        "[::1",
        "::1]:80",
        "1.2.3",
    ],
)
async def test_unusable_advertised_addresses_are_refused_and_nothing_listens(advertise: str) -> None:
    port = free_ports(1)[0]
    rendezvous = DirectRendezvous("127.0.0.1", port, advertise)
    with pytest.raises(InputError):
        await rendezvous.start(echo, ignore)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_every_interface_is_advertised_as_an_address_that_can_be_dialled() -> None:
    rendezvous = DirectRendezvous("0.0.0.0", 0)  # noqa: S104 - what is tested
    try:
        address = await rendezvous.start(echo, ignore)
    except InputError:
        missing("this machine has no network address but loopback")
    try:
        assert address.host != "0.0.0.0"  # noqa: S104 - as above
        assert address.host in rendezvous.status.text
        assert "--advertise-host" in rendezvous.status.text
        stream = await rendezvous.dial(address, timeout=5)
        stream.close()
    finally:
        await rendezvous.close()


@pytest.mark.parametrize("host", ["nothing.invalid", "203.0.113.250"])
async def test_hosts_that_are_not_ours_cannot_be_listened_on(host: str) -> None:
    with pytest.raises(InputError) as caught:
        await DirectRendezvous(host, 0).start(echo, ignore)
    assert caught.value.code in {"bad-address", "cannot-listen"}


async def test_nobody_listens() -> None:
    with pytest.raises(RendezvousError) as caught:
        await DirectRendezvous("127.0.0.1", 0).dial(direct("127.0.0.1", free_ports(1)[0]), timeout=5)
    assert caught.value.code == "refused"


async def test_an_unknown_name() -> None:
    with pytest.raises(RendezvousError) as caught:
        await DirectRendezvous("127.0.0.1", 0).dial(direct("nothing.invalid", 80), timeout=10)
    assert caught.value.code in {"name-not-found", "timeout"}


async def test_a_peer_that_swallows_the_connection_costs_no_more_than_the_time_out() -> None:
    """A listener whose queue is full answers nothing, as a firewall does."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        queued = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(full.getsockname())
            queued.append(client)
        begun = asyncio.get_running_loop().time()
        with pytest.raises(RendezvousError) as caught:
            await DirectRendezvous("127.0.0.1", 0).dial(direct(*full.getsockname()), timeout=0.3)
        assert caught.value.code == "timeout"
        assert asyncio.get_running_loop().time() - begun < 1
        for client in queued:
            client.close()


def _ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
