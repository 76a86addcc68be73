"""`p4` as people run it: two daemons, and commands beside them, each a process that may be killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from tests.cli.conftest import environment
from tests.integration.direct.node_program import direct

import p4
from p4.client import connect
from p4.errors import LocalError
from p4.testing.free_ports import free_ports

__all__ = ["SECONDS", "Device", "two_devices"]

SECONDS = 150.0


class Device:
    """A state directory, the daemon on it, and the commands that a person runs there."""

    def __init__(self, place: Path, name: str, port: int) -> None:
        self.state = place / name
        self.name = name
        self._port = port
        self._daemon: subprocess.Popen[bytes] | None = None
        self._commands: list[subprocess.Popen[bytes]] = []

    async def start(self) -> None:
        """Start the daemon, and wait until it answers."""
        options = ["--mode", "direct", "--signal-port", str(self._port), "--stun-server", ""]
        self._daemon = self._spawn(
            ["up", "--plain", *options, "--no-lan", "--no-direct-signaling", "--retry-seconds", "2"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        async with asyncio.timeout(SECONDS):
            while True:
                assert self._daemon.poll() is None, self.said()
                try:
                    async with connect(self.state, restart_seconds=0.0):
                        return
                except LocalError:
                    await asyncio.sleep(0.1)

    def kill(self) -> None:
        """kill -9 of the daemon."""
        assert self._daemon is not None
        self._daemon.kill()
        self._daemon.wait()

    def run(
        self,
        *words: str,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Begin a command; it never starts a daemon of its own."""
        command = self._spawn([*words, "--no-start"], stdin=stdin, stdout=stdout)
        self._commands.append(command)
        return command

    def said(self) -> str:
        """What the daemon and the commands said on stderr."""
        return (self.state.parent / f"{self.name}.log").read_text("utf-8", "replace")

    def end(self) -> None:
        """End everything, as a crash would."""
        for process in (*self._commands, *([self._daemon] if self._daemon else [])):
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):  # of what was not flushed
                        pipe.close()

    def _spawn(
        self, words: list[str], *, stdin: int | IO[bytes], stdout: int | IO[bytes]
    ) -> subprocess.Popen[bytes]:
        command, *rest = words
        with (self.state.parent / f"{self.name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "p4.cli", command, "--state-dir", str(self.state), *rest],
                stdin=stdin,
                stdout=stdout,
                stderr=log,
                env=environment(HOME=str(self.state.parent)),
            )


async def two_devices(place: Path) -> tuple[Device, Device]:
    """The laptop and the phone, which know each other; their daemons run."""
    ports = free_ports(2)
    nodes = [p4.Node(place / name, direct(port=ports[n])) for n, name in enumerate(("laptop", "phone"))]
    async with nodes[0] as laptop, nodes[1] as phone:
        laptop.add_contact(phone.invite(), "phone")
        phone.add_contact(laptop.invite(), "laptop")
    devices = Device(place, "laptop", ports[0]), Device(place, "phone", ports[1])
    await asyncio.gather(*(device.start() for device in devices))
    return devices
