"""A small internet on this machine: networks with every kind of NAT, computers, servers and bad lines.

    with Laboratory() as laboratory:
        home = laboratory.network("home", NatKind.PORT_RESTRICTED)
        office = laboratory.network("office", NatKind.SYMMETRIC)
        laptop = laboratory.host("laptop", home)
        laptop.roam(office)

                       laptop - router "home" -+
                      desktop - router "office"-+- internet - line (TUN) - internet
                                       server -+

Each box is a network namespace; nothing leaves the machine. A round trip between two networks, or to a
server, takes 40 ms unless their lines are switched (`Network.shape`). It needs root, iproute2, nftables and
conntrack. Several may run at once: names begin with ``p4nat-`` and an id; what a killed run left is removed
by the next one.
"""

from __future__ import annotations

import contextlib
import fcntl
import secrets
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.integration.nat import namespaces
from tests.integration.nat.line import Conditions, command_line
from tests.integration.nat.namespaces import LaboratoryError, Namespace, end_processes
from tests.integration.nat.networks import PUBLIC_LANS, Backbone, Host, Network
from tests.integration.nat.rules import Ipv6, NatKind

__all__ = ["Laboratory"]

_PREFIX = "p4nat-"
_ROOT = Path(__file__).parents[3]
_LINE_DEVICE = "line"
_LARGEST_INDEX = 250


class Laboratory(Backbone):
    """The laboratory; a context manager. Blocking: each call takes some milliseconds.

    Args:
        conditions: of all lines until they are switched.
    """

    def __init__(self, conditions: Conditions | None = None) -> None:
        self._conditions = conditions or Conditions()
        self.networks: list[Network] = []
        self.hosts: list[Host] = []
        self._index = 0
        self._names: Counter[str] = Counter()
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with _turn():
            _remove_leftovers()
            self.id = secrets.token_hex(3)
            self.directory = Path(tempfile.gettempdir(), f"{_PREFIX}{self.id}")
            self.directory.mkdir(mode=0o700)
            lock = _try_lock(self.directory)
            assert lock is not None
        self._closing.enter_context(lock)
        self._closing.callback(_remove, self.id)
        try:
            self.internet = self._namespace("internet")
            self.internet.create(forwards=True)
            self._start_line()
        except BaseException:
            self._closing.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            end_processes(process for host in self.hosts for process in host.processes)
            end_processes([self._line], seconds=1)
        finally:
            self._closing.close()

    def network(
        self,
        name: str,
        kind: NatKind = NatKind.PORT_RESTRICTED,
        *,
        behind: Network | None = None,
        lan: str | None = None,
        ipv6: Ipv6 = Ipv6.ABSENT,
        hairpin: bool = False,
        mapping_seconds: int | None = None,
    ) -> Network:
        """Build a network.

        Args:
            name: for people; several may have the same.
            kind: what its router does.
            behind: another network whose router stands before this one's: double NAT, or CGNAT.
            lan: the inner IPv4 network, /24; every network has another one if it is not given. Equal ones
                at several routers are possible, as in real homes.
            ipv6: what its router does to IPv6.
            hairpin: whether computers behind it reach each other at its external address.
            mapping_seconds: how long it keeps a UDP mapping that is not used (Linux: 30, then 120).
        """
        index = self._next_index()
        if lan is None:
            lan = f"{PUBLIC_LANS}.{index}.0/24" if kind.routed else f"192.168.{index}.0/24"
        network = Network(
            self,
            self._namespace(name),
            name,
            index,
            kind,
            behind=behind,
            lan=IPv4Network(lan),
            ipv6=ipv6,
            hairpin=hairpin,
        )
        if mapping_seconds is not None:
            network.namespace.set(
                {
                    "netfilter/nf_conntrack_udp_timeout": mapping_seconds,
                    "netfilter/nf_conntrack_udp_timeout_stream": mapping_seconds,
                }
            )
        self.networks.append(network)
        if behind is None:
            self.set_conditions(network, self._conditions, None)
        return network

    def host(self, name: str, network: Network | None = None) -> Host:
        """Make a computer, in this network if one is given."""
        host = Host(self._namespace(name), name)
        self.hosts.append(host)
        if network is not None:
            host.attach(network)
        return host

    def server(self, name: str, *, ipv6: bool = True) -> Host:
        """Make a computer with public addresses and a line of its own."""
        six = Ipv6.OPEN if ipv6 else Ipv6.ABSENT
        return self.host(name, self.network(f"{name}-net", NatKind.NONE, ipv6=six))

    def set_conditions(self, network: Network, outward: Conditions, inward: Conditions | None) -> None:
        """Switch a network's line; see `Network.shape`."""
        assert self._line.stdin is not None
        self._line.stdin.write(command_line(network.index, network.prefixes, outward, inward))
        self._line.stdin.flush()

    # --- inside -----------------------------------------------------------------------------------------

    def _namespace(self, name: str) -> Namespace:
        """A new one; of several with one name the later ones are numbered."""
        self._names[name] += 1
        number = f"-{self._names[name]}" if self._names[name] > 1 else ""
        return Namespace(f"{_PREFIX}{self.id}-{name}{number}")

    def _next_index(self) -> int:
        self._index += 1
        if self._index > _LARGEST_INDEX:
            raise LaboratoryError("no room for another network")
        return self._index

    def _start_line(self) -> None:
        """Everything that is forwarded goes through the line once, then its own way."""
        self.internet.ip(f"tuntap add dev {_LINE_DEVICE} mode tun", f"link set {_LINE_DEVICE} up")
        self._line = subprocess.Popen(
            [*self.internet.command, *namespaces.module_command("tests.integration.nat.line", _LINE_DEVICE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
        )
        self._closing.callback(end_processes, [self._line], seconds=1)
        assert self._line.stdout is not None
        if self._line.stdout.readline() != b"ready\n":
            raise LaboratoryError("the program that simulates the lines did not start")
        for family in ("-4", "-6"):
            for rule in (
                f"rule add pref 100 iif {_LINE_DEVICE} lookup main",
                # What the internet's own router sends (errors, neighbour discovery) goes directly.
                "rule add pref 110 iif lo lookup main",
                "rule add pref 120 lookup 1000",
                f"route add default dev {_LINE_DEVICE} table 1000",
            ):
                namespaces.run("ip", family, "-netns", self.internet.name, *rule.split())


@contextlib.contextmanager
def _turn() -> Iterator[None]:
    """Only one laboratory at a time begins, or looks for leftovers."""
    with Path(tempfile.gettempdir(), f"{_PREFIX}turn").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _try_lock(directory: Path) -> IO[bytes] | None:
    """Hold a laboratory's directory; None if somebody does."""
    file = (directory / "lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _remove_leftovers() -> None:
    """Remove what belongs to laboratories whose process is gone."""
    temporary = Path(tempfile.gettempdir())
    found = {path.name.removeprefix(_PREFIX) for path in temporary.glob(f"{_PREFIX}*") if path.is_dir()}
    found |= {
        name.removeprefix(_PREFIX).partition("-")[0]
        for name in namespaces.names()
        if name.startswith(_PREFIX)
    }
    for one in found:
        directory = temporary / f"{_PREFIX}{one}"
        directory.mkdir(exist_ok=True)
        held = _try_lock(directory)
        if held is not None:
            _remove(one)
            held.close()


def _remove(identifier: str) -> None:
    for name in namespaces.names():
        if name.startswith(f"{_PREFIX}{identifier}-"):
            Namespace(name).delete()
    shutil.rmtree(Path(tempfile.gettempdir(), f"{_PREFIX}{identifier}"), ignore_errors=True)
