"""One run of the Tor program: started, commanded, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from p4.adapters.tor.control import ControlConnection, Endpoint
from p4.adapters.tor.control_wire import Reply, parse_arguments
from p4.adapters.tor.reasons import startup_failure
from p4.adapters.tor.workspace import Workspace
from p4.errors import TorError

__all__ = ["TorProcess", "read_endpoint", "until_ended"]

_LISTEN_SECONDS = 30.0
"""From starting Tor to its control port: 0.1 s usually, long on a machine that scans new programs."""

_POLL_SECONDS = 0.01
"""Between looks for the file that Tor writes when it listens."""

_HALT_SECONDS = 0.6
"""Tor ends within milliseconds of SIGNAL HALT; afterwards it is killed."""

_NO_WINDOW: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)
"""Windows would open a console window for Tor; other systems know no such flag."""

_EVENTS = ("STATUS_CLIENT", "STATUS_GENERAL", "HS_DESC", "WARN", "ERR")


_WATCH_SECONDS, _WATCH_ANSWER_SECONDS = 20.0, 10.0
"""How often Tor is asked for a sign of life, and how long it may take. A frozen Tor closes nothing."""


class TorProcess:
    """A running Tor that we own. Make it with `launch`.

    Owned means: it ends when our control connection does, however this process ends.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        control: ControlConnection,
        socks: Endpoint,
        lost: asyncio.Event,
    ) -> None:
        self._process = process
        self._lost = lost
        self.control = control
        self.socks = socks

    @classmethod
    async def launch(
        cls, binary: Path, workspace: Workspace, on_event: Callable[[Reply], None]
    ) -> TorProcess:
        """Start Tor, connect to its control port, take ownership and subscribe to its events.

        Raises:
            TorError: ``tor-not-usable``, ``bad-torrc``, ``tor-exited``, ``tor-silent``, or one of
                `ControlConnection.connect`.
        """
        process = await _start(binary, workspace)
        lost = asyncio.Event()
        control: ControlConnection | None = None
        try:
            endpoint = await _wait_until_listening(process, workspace)
            control = await ControlConnection.connect(
                endpoint,
                cookie_file=workspace.cookie,
                on_event=on_event,
                on_lost=lost.set,
                private_socket=isinstance(endpoint, Path),
            )
            await control.command("TAKEOWNERSHIP")
            await control.command("SETEVENTS", *_EVENTS)
            socks = workspace.socks_endpoint or await _socks_port(control)
        except BaseException:
            if control is not None:
                control.close()
            _kill(process)
            await process.wait()
            raise
        return cls(process, control, socks, lost)

    @property
    def pid(self) -> int:
        """Process id of what was started: Tor, or the wrapper around it."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs and listens to us, as far as is known."""
        return self._process.returncode is None and not self._lost.is_set()

    async def ended(self) -> str:
        """Wait until the process or its control connection ends; returns what happened."""
        exited = asyncio.ensure_future(self._process.wait())
        lost = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait([exited, lost], return_when=asyncio.FIRST_COMPLETED)
            if not exited.done():  # the exit usually follows the lost connection at once
                await asyncio.wait([exited], timeout=0.2)
        finally:
            exited.cancel()
            lost.cancel()
        code = self._process.returncode
        if code is None:
            return "Tor closed its control connection."
        if code < 0:
            return f"Tor was ended by signal {signal.Signals(-code).name}."
        return f"Tor ended by itself with code {code}."

    async def halt(self) -> None:
        """End it and wait for that; takes at most a second."""
        try:
            async with asyncio.timeout(_HALT_SECONDS):
                with contextlib.suppress(TorError):
                    await self.control.command("SIGNAL", "HALT")
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            self.control.close()
            if self._process.returncode is None:
                _kill(self._process)
        await self._process.wait()


async def _start(binary: Path, workspace: Workspace) -> asyncio.subprocess.Process:
    for stale in (workspace.control_endpoint_file, workspace.cookie):
        stale.unlink(missing_ok=True)
    _write_private(workspace.torrc, workspace.torrc_text(os.getpid()))
    with workspace.startup_log.open("wb") as output:
        try:
            return await asyncio.create_subprocess_exec(
                str(binary),
                *workspace.arguments(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                cwd=workspace.directory,
                start_new_session=True,  # Ctrl-C in the terminal is for us; we end Tor in order
                creationflags=_NO_WINDOW,
            )
        except OSError as error:
            raise TorError(
                f"The Tor program {binary} cannot be started: {error.strerror}.", code="tor-not-usable"
            ) from error


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(os.fsencode(text))


async def _wait_until_listening(process: asyncio.subprocess.Process, workspace: Workspace) -> Endpoint:
    try:
        async with asyncio.timeout(_LISTEN_SECONDS):
            while True:
                endpoint = read_endpoint(workspace.control_endpoint_file)
                if endpoint is not None:
                    return endpoint
                if process.returncode is not None:
                    raise startup_failure(_read(workspace.startup_log), process.returncode)
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as error:
        raise TorError(
            f"Tor was started and did nothing for {_LISTEN_SECONDS:g} seconds. Its log is "
            f"{workspace.startup_log}.",
            code="tor-silent",
        ) from error


def read_endpoint(path: Path) -> Endpoint | None:
    """Where a Tor listens for control, from the file that it wrote; None if there is none.

    Tor writes ``PORT=127.0.0.1:41247`` or ``UNIX_PORT=/path``, through a rename.
    """
    for line in _read(path).splitlines():
        kind, _, value = line.partition("=")
        if kind == "UNIX_PORT":
            return Path(value)
        if kind == "PORT" and (port := re.fullmatch(r"127\.0\.0\.1:(\d+)", value)):
            return int(port[1])
    return None


async def _socks_port(control: ControlConnection) -> int:
    reply = await control.command("GETINFO", "net/listeners/socks")
    for listener in parse_arguments(reply.value("net/listeners/socks") or "").words:
        if found := re.fullmatch(r"127\.0\.0\.1:(\d+)", listener):
            return int(found[1])
    raise TorError("Tor opened no SOCKS port.", code="tor-exited")


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill it and, where process groups exist, what it started: a wrapper's Tor, pluggable transports."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


async def until_ended(tor: TorProcess) -> str:
    """Wait for Tor's end, or find that it hangs."""
    ended = asyncio.ensure_future(tor.ended())
    try:
        while True:
            done, _ = await asyncio.wait([ended], timeout=_WATCH_SECONDS)
            if done:
                return ended.result()
            try:
                await tor.control.command("GETINFO", "version", timeout=_WATCH_ANSWER_SECONDS)
            except TorError as error:
                if error.code == "control-silent":
                    return error.message
    finally:
        ended.cancel()
