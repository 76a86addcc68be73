"""Every kind of NAT as `p4 doctor` sees it, with coturn on two addresses as the server."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.nat.laboratory import Laboratory
from tests.integration.nat.namespaces import end_processes, unusable_reason
from tests.integration.nat.networks import Host
from tests.integration.nat.rules import Ipv6, NatKind
from tests.requirements import missing, require_program, require_root

from p4.adapters.net.stun.classify import Filtering, Mapping

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[3]
EXPECTED = {
    NatKind.NONE: (Mapping.UNTRANSLATED, Filtering.INDEPENDENT),
    NatKind.FIREWALL: (Mapping.UNTRANSLATED, Filtering.PORT_DEPENDENT),
    NatKind.FULL_CONE: (Mapping.INDEPENDENT, Filtering.INDEPENDENT),
    NatKind.ADDRESS_RESTRICTED: (Mapping.INDEPENDENT, Filtering.ADDRESS_DEPENDENT),
    NatKind.PORT_RESTRICTED: (Mapping.INDEPENDENT, Filtering.PORT_DEPENDENT),
    NatKind.SYMMETRIC: (Mapping.PORT_DEPENDENT, Filtering.PORT_DEPENDENT),
    NatKind.UDP_BLOCKED: (Mapping.BLOCKED, Filtering.UNKNOWN),
    NatKind.ONLY_443: (Mapping.BLOCKED, Filtering.UNKNOWN),
}


@pytest.fixture(scope="module")
def internet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Laboratory, str, str]]:
    """A laboratory with a STUN server: its addresses for IPv4 and IPv6."""
    require_root()
    require_program("turnserver")
    if reason := unusable_reason():
        missing(reason)
    directory = tmp_path_factory.mktemp("coturn")
    with Laboratory() as laboratory:
        server = laboratory.server("server")
        own = server.attachment()
        first, second = str(own.address), str(own.address + 1)
        server.namespace.ip(f"addr add {second}/24 dev {own.device}")
        process = server.start(
            *("turnserver", "-n", "--no-auth", "--no-cli", "--no-tls", "--no-dtls", "--simple-log"),
            *(f"--listening-ip={address}" for address in (first, second, str(own.six))),
            *(f"--relay-ip={first}", "--listening-port=3478", f"--log-file={directory / 'log'}"),
            *(f"--pidfile={directory / 'pid'}", f"--userdb={directory / 'database'}"),
        )
        try:
            until = time.monotonic() + 60
            while found(server, f"stun:{first}")["ipv4"]["mapping"] == Mapping.BLOCKED:
                assert time.monotonic() < until, (directory / "log").read_text()
            yield laboratory, f"stun:{first}", f"stun:[{own.six}]"
        finally:
            end_processes([process])


def found(host: Host, *servers: str) -> dict[str, Any]:
    command = ("sh", "-c", 'cd "$0" && exec "$@"', str(ROOT), sys.executable, "-m")
    text = host.namespace.run(*command, "tests.integration.punch.nat_program", *servers)
    read: dict[str, Any] = json.loads(text)
    return read


@pytest.mark.parametrize("kind", NatKind)
def test_each_kind_is_recognised(internet: tuple[Laboratory, str, str], kind: NatKind) -> None:
    laboratory, server, six_server = internet
    name = kind.value[:8]
    network = laboratory.network(f"{name}-n", kind, ipv6=Ipv6.FIREWALL)
    finding = found(laboratory.host(name, network), server, six_server)
    four, six = finding["ipv4"], finding["ipv6"]
    assert (four["mapping"], four["filtering"]) == EXPECTED[kind]
    if four["mapping"] == Mapping.BLOCKED:
        assert six["mapping"] == Mapping.BLOCKED
        assert "TURN server over TCP" in finding["sentence"]
        return
    assert four["answered"] == [server]
    assert four["port_preserved"] is {
        Mapping.UNTRANSLATED: None,
        Mapping.INDEPENDENT: True,
        Mapping.PORT_DEPENDENT: False,
    }.get(four["mapping"])
    assert four["port_step"] is None, "random ports have none"
    assert len(four["external"]) == (1 if four["mapping"] != Mapping.PORT_DEPENDENT else 4)
    assert six["mapping"] == Mapping.UNTRANSLATED
    assert six["external"][0] == six["local"]


def test_a_network_without_ipv6(internet: tuple[Laboratory, str, str]) -> None:
    laboratory, server, six_server = internet
    finding = found(laboratory.host("old", laboratory.network("old-n")), server, six_server)
    assert finding["ipv6"]["mapping"] == Mapping.ABSENT
    assert finding["ipv4"]["mapping"] == Mapping.INDEPENDENT
