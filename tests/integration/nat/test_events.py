"""What happens to networks and computers of the laboratory, seen by probes of our own; and its own end."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.integration.nat import namespaces
from tests.integration.nat.laboratory import Laboratory
from tests.integration.nat.namespaces import LaboratoryError
from tests.integration.nat.networks import Host, Network
from tests.integration.nat.port_mapping import ask_nat_pmp, external_address, run_port_mapping
from tests.integration.nat.probe import Reflector, reflector, round_trip_seconds, seen_from
from tests.integration.nat.rules import Ipv6, NatKind
from tests.patience import patience
from tests.requirements import require_program

ROOT = Path(__file__).parents[3]


@pytest.fixture
def at(laboratory: Laboratory) -> Iterator[Reflector]:
    """A reflector on a server."""
    with reflector(laboratory.server("server")) as made:
        yield made


@pytest.fixture
def home(laboratory: Laboratory) -> Network:
    return laboratory.network("home", ipv6=Ipv6.FIREWALL)


@pytest.fixture
def ann(laboratory: Laboratory, home: Network) -> Host:
    return laboratory.host("ann", home)


def answered(host: Host, at: Reflector) -> bool:
    try:
        return bool(round_trip_seconds(host, at[0, 0], 1))
    except OSError as error:
        if error.errno == errno.ENETUNREACH:
            return False
        raise


def test_roaming_gives_another_address(
    laboratory: Laboratory, at: Reflector, home: Network, ann: Host
) -> None:
    assert seen_from(ann, at[0, 0])[0] == str(home.external)
    cafe = laboratory.network("cafe", NatKind.SYMMETRIC)
    before = time.monotonic()
    when = ann.roam(cafe)
    assert before <= when < time.monotonic() < before + patience(1)
    assert seen_from(ann, at[0, 0])[0] == str(cafe.external)
    assert len(ann.attachments) == 1
    ann.roam(home)
    assert seen_from(ann, at[0, 0])[0] == str(home.external)


def test_what_belongs_to_an_older_network_can_still_go_over_it(
    laboratory: Laboratory, at: Reflector, home: Network, ann: Host
) -> None:
    old = str(ann.address)
    cafe = laboratory.network("cafe", ipv6=Ipv6.FIREWALL)
    ann.route_by_source()
    ann.attach(cafe)
    assert seen_from(ann, at[0, 0])[0] == str(cafe.external)
    assert seen_from(ann, at[0, 0], old)[0] == str(home.external)
    ann.route_by_source(False)
    # It leaves through the new router, which does not know to whom the answer belongs.
    with pytest.raises(LaboratoryError, match="reflector"):
        seen_from(ann, at[0, 0], old)


def test_a_second_network_is_preferred_while_the_first_one_lives(
    laboratory: Laboratory, at: Reflector, home: Network, ann: Host
) -> None:
    old_address = ann.address
    cafe = laboratory.network("cafe")
    ann.attach(cafe)
    assert seen_from(ann, at[0, 0])[0] == str(cafe.external)
    assert ann.call(partial(own_addresses, [str(old_address), str(ann.address)]))
    ann.detach(cafe)
    assert seen_from(ann, at[0, 0])[0] == str(home.external)


def own_addresses(addresses: list[str]) -> bool:
    """Whether sockets can be bound to all of them."""
    for address in addresses:
        with socket.socket(type=socket.SOCK_DGRAM) as made:
            made.bind((address, 0))
    return True


@pytest.mark.parametrize(
    ("happens", "ends"),
    [
        (lambda home, ann: home.blackhole(), lambda home, ann: home.blackhole(False)),
        (lambda home, ann: ann.unplug(), lambda home, ann: ann.plug()),
        (lambda home, ann: home.power_off(), lambda home, ann: home.power_on(new_address=False)),
        (lambda home, ann: home.blackhole(outgoing=False), lambda home, ann: home.blackhole(False)),
    ],
    ids=["blackhole", "unplug", "power-off", "blackhole-incoming"],
)
def test_nothing_comes_through_until_it_ends(
    at: Reflector,
    home: Network,
    ann: Host,
    happens: Callable[[Network, Host], float],
    ends: Callable[[Network, Host], float],
) -> None:
    six = ann.attachment().six
    assert answered(ann, at)
    happens(home, ann)
    assert not answered(ann, at)
    ends(home, ann)
    assert answered(ann, at)
    assert ann.call(partial(own_six, str(six)))


def own_six(address: str) -> bool:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as made:
        made.bind((address, 0))
    return True


def test_a_blackhole_for_udp_lets_tcp_through(
    laboratory: Laboratory, at: Reflector, home: Network, ann: Host
) -> None:
    home.blackhole(protocol="udp")
    assert not answered(ann, at)
    server = laboratory.hosts[0]
    with server.call(partial(socket.create_server, ("", 8000))):
        ann.call(partial(socket.create_connection, (str(server.address), 8000), timeout=patience(2))).close()


def test_a_reboot_forgets_mappings_and_changes_the_address(
    laboratory: Laboratory, at: Reflector, home: Network, ann: Host
) -> None:
    server, old = laboratory.hosts[0], home.external
    with (
        ann.call(partial(bound, 5000)) as own,
        server.call(partial(bound, 5005)) as remote,
    ):
        own.settimeout(0.3)
        own.sendto(b"open", (str(server.address), 5005))
        place = remote.recvfrom(100)[1]
        assert place == (str(old), 5000)
        home.reboot(new_address=False)
        remote.sendto(b"answer", place)
        with pytest.raises(TimeoutError):
            own.recv(100)
        home.reboot()
        own.sendto(b"open", (str(server.address), 5005))
        assert remote.recvfrom(100)[1] == (str(home.external), 5000)
    assert home.external != old


def bound(port: int) -> socket.socket:
    made = socket.socket(type=socket.SOCK_DGRAM)
    made.bind(("", port))
    return made


def test_renumbering_changes_the_inner_address_only(at: Reflector, home: Network, ann: Host) -> None:
    old = ann.address
    ann.renumber()
    assert ann.address != old
    assert seen_from(ann, at[0, 0])[0] == str(home.external)
    with pytest.raises(OSError, match="assign"):
        ann.call(partial(own_addresses, [str(old)]))


def test_a_router_maps_a_port_on_request(
    laboratory: Laboratory, home: Network, ann: Host, tmp_path: Path
) -> None:
    require_program("miniupnpd")
    eve = laboratory.server("eve")
    with run_port_mapping(home, tmp_path):
        assert ann.call(partial(external_address, str(home.gateway))) == str(home.external)
        port = ann.call(partial(ask_nat_pmp, str(home.gateway), 5000))
        with ann.call(partial(bound, 5000)) as own, eve.call(partial(bound, 0)) as sending:
            own.settimeout(patience(1))
            sending.sendto(b"hello", (str(home.external), port))
            assert own.recv(100) == b"hello"


# --- the laboratory itself -------------------------------------------------------------------------------


def ours(identifier: str) -> list[str]:
    return [name for name in namespaces.names() if identifier in name]


def test_several_at_once_and_nothing_left(usable: None) -> None:
    with Laboratory() as one, Laboratory() as other:
        process = one.host("ann", one.network("home")).start("sleep", "600")
        other.host("ann", other.network("home"))
        assert one.id != other.id
        assert len(ours(one.id)) == len(ours(other.id)) == 3
    assert process.poll() is not None
    assert not ours(one.id)
    assert not ours(other.id)
    assert not one.directory.exists()


LEAVING = """
import time
from tests.integration.nat.laboratory import Laboratory
with Laboratory() as one:
    process = one.host("ann", one.network("home")).start("sleep", "600")
    print(one.id, process.pid, flush=True)
    time.sleep(600)
"""


def test_what_a_killed_run_left_is_removed_by_the_next_one(usable: None) -> None:
    command = [sys.executable, "-c", LEAVING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ}) as run:
        assert run.stdout is not None
        identifier, pid = run.stdout.readline().decode().split()
        with Laboratory():
            assert len(ours(identifier)) == 3  # it lives: nobody touches it
        run.send_signal(signal.SIGKILL)
    assert len(ours(identifier)) == 3
    assert Path("/proc", pid).exists()
    with Laboratory():
        assert not ours(identifier)
        assert "sleep" not in command_of(pid)


def command_of(pid: str) -> str:
    try:
        return Path("/proc", pid, "cmdline").read_text()
    except FileNotFoundError:
        return ""
