"""A router that maps ports when it is asked to: UPnP-IGD, NAT-PMP and PCP by miniupnpd."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

from tests.integration.nat.namespaces import LaboratoryError, end_processes
from tests.integration.nat.networks import Network

__all__ = ["REPORTED_ADDRESS", "ask_nat_pmp", "run_port_mapping"]

REPORTED_ADDRESS = IPv4Address("203.0.114.9")
"""What the router says its external address is: miniupnpd refuses to work with a reserved one, as the
laboratory's are. The mappings themselves are right, at `Network.external`. Real routers are wrong as well
when they stand behind another NAT."""

_NAT_PMP_PORT = 5351
_READY_SECONDS = 10


@contextmanager
def run_port_mapping(network: Network, directory: Path) -> Iterator[None]:
    """Let a network's router map ports for its computers until the end of the block."""
    directory.mkdir(parents=True, exist_ok=True)
    configuration = directory / f"{network.name}.conf"
    configuration.write_text(
        "ext_ifname=wan\nlistening_ip=lan\nenable_natpmp=yes\nenable_upnp=yes\nport=5000\nsecure_mode=yes\n"
        f"uuid=00000000-0000-0000-0000-{network.index:012d}\next_ip={REPORTED_ADDRESS}\n"
        f"lease_file={directory / network.name}.leases\n"
        "allow 1024-65535 0.0.0.0/0 1024-65535\n"
        "upnp_table_name=mapper\nupnp_nat_table_name=mapper\nupnp_forward_chain=forward\n"
        "upnp_nat_chain=prerouting\nupnp_nat_postrouting_chain=postrouting\n",
        encoding="utf-8",
    )
    network.namespace.nft(
        "table inet mapper {\n"
        "chain forward { type filter hook forward priority -10;\n}\n"
        "chain prerouting { type nat hook prerouting priority -101;\n}\n"
        "chain postrouting { type nat hook postrouting priority 99;\n}\n}\n"
    )
    with (directory / f"{network.name}.log").open("wb") as log:
        process = network.namespace.start(
            *("miniupnpd", "-d", "-f", str(configuration), "-P", f"{directory / network.name}.pid"),
            output=log,
        )
    try:
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            if process.poll() is not None or time.monotonic() > deadline:
                said = (directory / f"{network.name}.log").read_text()
                raise LaboratoryError(f"miniupnpd did not come up: {said}")
            if network.namespace.call(partial(_answers, str(network.gateway))):
                break
            time.sleep(0.05)
        yield
    finally:
        end_processes([process])
        network.namespace.nft("delete table inet mapper\n")


def ask_nat_pmp(gateway: str, port: int, *, seconds: int = 60) -> int:
    """Ask for a UDP mapping of a port (RFC 6886 section 3.3); call it on the host.

    Returns:
        The external port.
    """
    with socket.socket(type=socket.SOCK_DGRAM) as asking:
        asking.settimeout(2)
        asking.sendto(struct.pack("!BBHHHI", 0, 1, 0, port, port, seconds), (gateway, _NAT_PMP_PORT))
        answer = asking.recv(64)
    code, external = struct.unpack("!H", answer[2:4])[0], struct.unpack("!H", answer[10:12])[0]
    if code:
        raise LaboratoryError(f"the router refused the mapping with code {code}")
    return int(external)


def _answers(gateway: str) -> bool:
    with socket.socket(type=socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.2)
        asking.sendto(b"\0\0", (gateway, _NAT_PMP_PORT))
        try:
            return len(asking.recv(64)) == 12
        except OSError:
            return False
