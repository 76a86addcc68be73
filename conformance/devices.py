"""Two real daemons on this machine that find each other without Tor: `p4 up` in direct mode."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import DEVNULL, STDOUT, Process
from pathlib import Path
from typing import Any, Self

__all__ = ["Device", "DevicePair"]

START_SECONDS = 60.0
_POLL_SECONDS = 0.02
_OPTIONS = (
    *("--plain", "--mode", "direct", "--stun-server", "", "--no-lan"),
    *("--no-direct-signaling", "--retry-seconds", "1"),
)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Device:
    """A state directory, and the daemon that runs on it now and then.

    Args:
        home: directory of its own.
        port: of its signaling. The same after each restart: if both moved, neither would find the other.
    """

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.state_dir = home / ".p4"
        self._port = port
        self._process: Process | None = None

    @property
    def endpoint(self) -> dict[str, Any]:
        """What the daemon wrote down about where it listens; empty before it has."""
        try:
            found: dict[str, Any] = json.loads((self.state_dir / "daemon" / "endpoint.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return found

    async def start(self) -> None:
        """Start the daemon, and wait until it listens. Raises RuntimeError with its log if it does not."""
        command = os.environ.get("P4_COMMAND", "").split() or [str(Path(sys.executable).parent / "p4")]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("P4_")}
        self.home.mkdir(exist_ok=True)
        before = self.endpoint
        with (self.home / "daemon.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                *("up", *_OPTIONS, "--state-dir", str(self.state_dir), "--signal-port", str(self._port)),
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                cwd=self.home,
                env={**environment, "HOME": str(self.home), "P4_ALLOW_LOOPBACK": "1"},
            )
        for _ in range(int(START_SECONDS / _POLL_SECONDS)):
            if self._process.returncode is not None:
                break
            if self.endpoint not in ({}, before):
                return
            await asyncio.sleep(_POLL_SECONDS)
        raise RuntimeError(f"the daemon did not start: {(self.home / 'daemon.log').read_text()[-3000:]}")

    async def kill(self) -> None:
        """kill -9, as a power failure."""
        process = self._process
        if process is not None and process.returncode is None:
            process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
            await process.wait()

    async def ensure(self) -> None:
        """Start the daemon if it does not run."""
        if self._process is None or self._process.returncode is not None:
            await self.start()


class DevicePair:
    """A laptop and a phone; both daemons run inside of the context."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="p4-conformance-"))
        laptop, phone = _free_ports(2)
        self.laptop = Device(self.directory / "laptop", laptop)
        self.phone = Device(self.directory / "phone", phone)

    async def __aenter__(self) -> Self:
        try:
            await asyncio.gather(self.laptop.start(), self.phone.start())
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(self.laptop.kill(), self.phone.kill())
        shutil.rmtree(self.directory, ignore_errors=True)
