"""A STUN and TURN server (coturn) of the simulated internet."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.integration.nat.namespaces import LaboratoryError, end_processes, run
from tests.integration.nat.networks import Host

import p4

__all__ = ["Turn", "run_turn"]

_PORTS = {"static": 3478, "rest": 3479}
_TLS_PORTS = {"static": 443, "rest": 5349}
_LOGIN = {
    "static": ("--lt-cred-mech", "--user=ann:pass-word"),
    "rest": ("--use-auth-secret", "--static-auth-secret=north"),
}
_READY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Turn:
    """Running servers: ``static`` asks for a password, ``rest`` for derived credentials that expire."""

    address: str
    second_address: str
    """Of the same computer and servers."""
    certificate: Path
    """Certifies the address; clients that ask OpenSSL trust it with SSL_CERT_FILE."""
    host: Host
    processes: dict[str, subprocess.Popen[bytes]]
    log: dict[str, Path]
    commands: dict[str, tuple[str, ...]]

    @property
    def stun(self) -> str:
        """The address of its STUN side."""
        return f"stun:{self.address}:{_PORTS['static']}"

    @property
    def stuns(self) -> tuple[str, ...]:
        """Two addresses, by which a node tells what its NAT does to different destinations."""
        return tuple(f"stun:{address}:{_PORTS['static']}" for address in (self.address, self.second_address))

    def server(self, way: str = "udp", login: str = "static", *, ttl_seconds: int = 3600) -> p4.TurnServer:
        """The settings of a node that uses it.

        Args:
            way: ``udp``, ``tcp``, ``tcp443`` (with a password only) or ``tls`` (port 443 with a password).
            login: ``static`` or ``rest``.
            ttl_seconds: how long derived credentials live.
        """
        url = {
            "udp": f"turn:{self.address}:{_PORTS[login]}",
            "tcp": f"turn:{self.address}:{_PORTS[login]}?transport=tcp",
            # coturn takes both on this port, as servers that want to pass firewalls do.
            "tcp443": f"turn:{self.address}:{_TLS_PORTS['static']}?transport=tcp",
            "tls": f"turns:{self.address}:{_TLS_PORTS[login]}",
        }[way]
        if login == "rest":
            return p4.TurnServer(url, secret="north", user="ann", ttl_seconds=ttl_seconds)
        return p4.TurnServer(url, username="ann", password="pass-word")

    def stop(self, login: str) -> float:
        """Kill one of them. Returns when, in seconds of `time.monotonic`."""
        begun = time.monotonic()
        self.processes[login].kill()
        self.processes[login].wait()
        return begun

    def start(self, login: str) -> None:
        """Start one of them, again after its end; it takes connections then."""
        self.processes[login] = process = self.host.start(*self.commands[login])
        for port in (_PORTS[login], _TLS_PORTS[login]):
            _wait_for(self.host, port, process, self.log[login])


@contextmanager
def run_turn(host: Host, directory: Path) -> Iterator[Turn]:
    """Run both kinds on a server of the laboratory until the end of the block."""
    directory.mkdir(parents=True, exist_ok=True)
    address, second_address = str(host.address), str(host.address + 50)
    host.namespace.ip(f"addr replace {second_address}/24 dev {host.attachment().device}")
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    new_key = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    naming = ("-subj", "/CN=P4 test", "-addext", f"subjectAltName=IP:{address}")
    run("openssl", "req", *new_key, *naming, "-keyout", str(key), "-out", str(certificate))
    turn = Turn(address, second_address, certificate, host, {}, {}, {})
    try:
        for number, login in enumerate(_LOGIN):
            turn.log[login] = log = directory / f"{login}.log"
            turn.commands[login] = (
                *("turnserver", "-n", "--verbose", f"--log-file={log}", "--simple-log", "--no-stdout-log"),
                *("--no-cli", "--no-dtls", "--fingerprint", "--realm=p4.test", "--relay-threads=1"),
                *(f"--listening-ip={address}", f"--listening-ip={second_address}"),
                f"--relay-ip={address}",
                *(f"--listening-port={_PORTS[login]}", f"--tls-listening-port={_TLS_PORTS[login]}"),
                *(f"--min-port={49152 + 6000 * number}", f"--max-port={55000 + 6000 * number}"),
                *(f"--cert={certificate}", f"--pkey={key}", *_LOGIN[login]),
                *(f"--pidfile={directory / login}.pid", f"--userdb={directory / login}.database"),
            )
            turn.start(login)
        yield turn
    finally:
        end_processes(turn.processes.values())


def _wait_for(host: Host, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            host.call(partial(socket.create_connection, (str(host.address), port), timeout=1)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise LaboratoryError(f"coturn did not come up:\n{log.read_text() if log.exists() else 'no log'}")
