"""Devices for tests of whole programs: state directories, `p4` commands on them, and real daemon
processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from tests.cli.conftest import environment, run_here

from p4.testing.free_ports import free_ports

__all__ = ["Device", "Following", "make_pair"]

ALONE = ("--stun-server", "", "--no-lan", "--no-direct-signaling")


class Device:
    """One device: a home directory, its state in it, and a port on 127.0.0.1 where its daemon is reached."""

    def __init__(self, home: Path, port: int) -> None:
        home.mkdir()
        self.home = home
        self.port = port
        self.state = home / ".p4"

    @property
    def environment(self) -> dict[str, str]:
        """Of every process of the device; no colours."""
        return environment(HOME=str(self.home))

    def p4(self, *arguments: str | Path, stdin: str | bytes = "", code: int = 0) -> str:
        """Run one `p4` command as its user would; gives stdout, after making sure of the exit code."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done.stdout

    def run(
        self, *arguments: str | Path, stdin: str | bytes = "", **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one `p4` command, whatever comes of it.

        In this process where that can be: the daemon that it speaks with is another one anyway, and starting
        an interpreter for each command would take most of a test's time. A command has its own event loop and
        catches signals, so beside a running loop and in other threads it is a process.
        """
        surroundings = self.environment | more
        if _may_run_here():
            done = run_here(*arguments, stdin=stdin, directory=self.home, surroundings=surroundings)
        else:
            done = subprocess.run(
                self.command(*arguments),
                input=stdin if isinstance(stdin, str) else stdin.decode(),
                capture_output=True,
                text=True,
                timeout=120,
                cwd=self.home,
                env=surroundings,
                check=False,
            )
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def command(self, *arguments: str | Path) -> list[str]:
        """The words of a `p4` command."""
        return [sys.executable, "-m", "p4.cli", *map(str, arguments)]

    def json(self, *arguments: str | Path) -> Any:
        """What a command prints with ``--json``."""
        return json.loads(self.p4(*arguments, "--json"))

    # -- the daemon --------------------------------------------------------------------------------------

    def options(self) -> list[str]:
        """Of `p4 up`: direct mode, asking nobody around."""
        return ["--mode", "direct", "--signal-port", str(self.port), *ALONE]

    def up(self) -> int:
        """Start the daemon in the background; gives its process id."""
        pid = json.loads(self.p4("up", "--detach", "--json", *self.options()))["pid"]
        assert isinstance(pid, int)
        return pid

    @property
    def pid(self) -> int | None:
        """Of the daemon that runs, None if none does."""
        try:
            pid = json.loads((self.state / "daemon" / "endpoint.json").read_bytes())["pid"]
        except OSError:
            return None
        return pid if pid is not None and _lives(pid) else None

    def kill(self) -> None:
        """kill -9 of the daemon."""
        pid = self.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 120
        while _lives(pid):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def stop(self) -> None:
        """Make sure that no daemon runs."""
        if self.pid is not None:
            with contextlib.suppress(AssertionError, ProcessLookupError):
                self.kill()


class Following:
    """A `p4` command that goes on, and the lines that it has printed, in a file."""

    def __init__(self, device: Device, *arguments: str) -> None:
        self._path = device.home / f"following-{len(list(device.home.glob('following-*')))}"
        with self._path.open("wb") as output:
            self.process = subprocess.Popen(
                device.command(*arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=device.home,
                env=device.environment,
            )

    def lines(self) -> list[str]:
        """All whole lines so far, stdout and stderr."""
        return self._path.read_text("utf-8").split("\n")[:-1]

    def wait_for(self, count: int, *, timeout: float = 120) -> list[str]:
        """Wait until it has printed so many lines."""
        deadline = time.monotonic() + timeout
        while len(self.lines()) < count:
            assert time.monotonic() < deadline, self.lines()
            assert self.process.poll() is None, self.lines()
            time.sleep(0.02)
        return self.lines()

    def end(self) -> int:
        """Press Ctrl-C; gives the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=90)

    def stop(self) -> None:
        """Make sure that it is gone."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def make_pair(directory: Path) -> tuple[Device, Device]:
    """Two devices that know each other as ``anna`` and ``bob``; their daemons do not run yet."""
    ports = free_ports(2)
    anna, bob = (Device(directory / name, port) for name, port in zip(("anna", "bob"), ports, strict=True))
    for device in (anna, bob):
        device.p4("init")
    for device, other, name in ((anna, bob, "bob"), (bob, anna, "anna")):
        invite = other.p4("invite", "--mode", "direct", "--advertise", f"127.0.0.1:{other.port}")
        device.p4("add-contact", "--invite-json", invite, "--name", name)
    return anna, bob


def _may_run_here() -> bool:
    """Whether this is the main thread, without an event loop that runs."""
    if threading.current_thread() is not threading.main_thread():
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return True
    return False


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
