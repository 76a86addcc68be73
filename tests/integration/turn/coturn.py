"""A real TURN server (coturn) on this machine, started and stopped by a test."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.adapters.webrtc.harness import own_address
from tests.requirements import require_program

__all__ = ["LOGIN", "Coturn", "run_coturn"]

LOGIN = {
    "static": ("--lt-cred-mech", "--user=ann:pass-word"),
    "rest": ("--use-auth-secret", "--static-auth-secret=north"),
    "none": ("--no-auth",),
}
"""coturn's options for each way to log in."""


@dataclass
class Coturn:
    """A running server."""

    address: str
    port: int
    tls_port: int
    certificate: Path
    log: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    def url(self, way: str) -> str:
        """The address for ``udp``, ``tcp`` or ``tls``."""
        return {
            "udp": f"turn:{self.address}:{self.port}",
            "tcp": f"turn:{self.address}:{self.port}?transport=tcp",
            "tls": f"turns:{self.address}:{self.tls_port}",
        }[way]

    def users(self) -> set[str]:
        """Everybody who logged in so far."""
        return set(re.findall(r"user <([^>]+)>", self.log.read_text()))


@contextmanager
def run_coturn(directory: Path, login: Sequence[str]) -> Iterator[Coturn]:
    """Run coturn with a certificate of its own until the end of the block."""
    program, openssl = require_program("turnserver"), require_program("openssl")
    address = own_address()
    key, certificate, log = directory / "key.pem", directory / "certificate.pem", directory / "coturn.log"
    new_key = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    naming = ["-subj", "/CN=P4 test", "-addext", f"subjectAltName=IP:{address}"]
    subprocess.run(
        [openssl, "req", *new_key, *naming, "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
        timeout=90,
    )
    port, tls_port = _free_ports(address, 2)
    quiet = [
        "-n",
        "--verbose",
        f"--log-file={log}",
        "--simple-log",
        "--no-stdout-log",
        "--no-cli",
        "--no-dtls",
        "--allow-loopback-peers",
    ]
    addresses = [f"--listening-ip={address}", f"--relay-ip={address}", f"--listening-port={port}"]
    tls = [f"--tls-listening-port={tls_port}", f"--cert={certificate}", f"--pkey={key}"]
    files = [f"--pidfile={directory / 'pid'}", f"--userdb={directory / 'database'}"]
    process = subprocess.Popen(
        [program, *quiet, *addresses, *tls, *files, "--realm=p4.test", *login],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=directory,
    )
    try:
        for wanted, answers in ((port, _by_tcp), (tls_port, _by_tcp), (port, _by_udp)):
            _wait_for(partial(answers, address, wanted), process, log)
        yield Coturn(address, port, tls_port, certificate, log, process)
    finally:
        process.kill()
        process.wait()


def _free_ports(address: str, count: int) -> list[int]:
    """Ports free for UDP and TCP at this moment."""
    sockets: list[socket.socket] = []
    try:
        while len(sockets) < 2 * count:
            udp, tcp = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
            sockets += [udp, tcp]
            tcp.bind((address, 0))
            udp.bind(tcp.getsockname())
        return [tcp.getsockname()[1] for tcp in sockets[1::2]]
    finally:
        for each in sockets:
            each.close()


def _by_tcp(address: str, port: int) -> None:
    socket.create_connection((address, port), timeout=1).close()


def _by_udp(address: str, port: int) -> None:
    """Raises OSError unless a binding request is answered (RFC 8489)."""
    with socket.socket(type=socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.5)
        asking.connect((address, port))
        asking.send(b"\0\x01\0\0\x21\x12\xa4\x42" + bytes(12))
        asking.recv(2048)


def _wait_for(answered: Callable[[], None], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            answered()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"coturn did not come up:\n{log.read_text()}")
