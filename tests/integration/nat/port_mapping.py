"""A router that maps ports when it is asked to: UPnP-IGD, NAT-PMP and PCP by miniupnpd."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.integration.nat.namespaces import LaboratoryError, end_processes
from tests.integration.nat.networks import Network

__all__ = ["ask_nat_pmp", "external_address", "run_port_mapping"]

_NAT_PMP_PORT = 5351
_READY_SECONDS = 60


@contextmanager
def run_port_mapping(network: Network, directory: Path) -> Iterator[None]:
    """Let a network's router map ports for its computers until the end of the block.

    Behind another router miniupnpd refuses to do so, as its external address is a private one.
    """
    directory.mkdir(parents=True, exist_ok=True)
    configuration = directory / f"{network.name}.conf"
    configuration.write_text(
        "ext_ifname=wan\nlistening_ip=lan\nenable_natpmp=yes\nenable_upnp=yes\nport=5000\nsecure_mode=yes\n"
        f"uuid=00000000-0000-0000-0000-{network.index:012d}\n"
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


def external_address(gateway: str) -> str:
    """The router's external address, as it says (RFC 6886 section 3.2); call it on the host."""
    return socket.inet_ntoa(_ask(gateway, b"\0\0")[8:12])


def ask_nat_pmp(gateway: str, port: int, *, seconds: int = 60) -> int:
    """Ask for a UDP mapping of a port (RFC 6886 section 3.3); call it on the host.

    Returns:
        The external port.
    """
    answer = _ask(gateway, struct.pack("!BBHHHI", 0, 1, 0, port, port, seconds))
    code, external = struct.unpack("!H", answer[2:4])[0], struct.unpack("!H", answer[10:12])[0]
    if code:
        raise LaboratoryError(f"the router refused the mapping with code {code}")
    return int(external)


def _answers(gateway: str) -> bool:
    try:
        return len(_ask(gateway, b"\0\0", seconds=0.2)) == 12
    except OSError:
        return False


def _ask(gateway: str, request: bytes, *, seconds: float = 2.0) -> bytes:
    with socket.socket(type=socket.SOCK_DGRAM) as asking:
        asking.settimeout(seconds)
        asking.sendto(request, (gateway, _NAT_PMP_PORT))
        return asking.recv(64)
