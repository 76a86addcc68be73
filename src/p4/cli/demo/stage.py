"""Sets the demonstration up, plays it, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from rich.console import Console

from p4.cli.demo.display import Display, Result, Verdict, make_display, show_verdict
from p4.cli.demo.film_scene import NEEDED_BYTES, FilmScene
from p4.cli.demo.process import NodeProcess
from p4.cli.demo.scenario import Scenario, Targets
from p4.cli.demo.steps import StepFailedError, Steps
from p4.cli.exit_codes import ExitCode
from p4.errors import LocalError, P4Error

__all__ = ["Stage", "Way"]

SHOWN_LOG_LINES = 15


class Way(Enum):
    """How the demonstration's nodes find each other."""

    PRIVATE = "a private Tor network on this machine; nothing leaves it"
    PUBLIC = "the public Tor network"
    DIRECT = "addresses on this machine, without Tor"


@dataclass(frozen=True, slots=True)
class Stage:
    """One performance.

    Args:
        way: how the nodes find each other.
        console: where it is shown.
        keep: a directory to keep everything in, or None for a temporary one.
        pause_seconds: time to read, after steps.
        onionrelay_bin: the nodes' Tor program, or None for the usual search.
        limit_seconds: after this the whole demonstration counts as failed.
    """

    way: Way
    console: Console
    keep: Path | None
    pause_seconds: float
    onionrelay_bin: Path | None
    limit_seconds: float

    async def play(self) -> ExitCode:
        """The whole demonstration; everything it started is gone when this returns or is cancelled.

        Raises:
            LocalError: ``disk-space``: there is too little of it; nothing was begun.
        """
        directory = self._directory()
        kept = self.keep is not None
        began = time.monotonic()
        try:
            failed, results = await self._play_in(directory)
            show_verdict(self.console, results, failed=failed, seconds=time.monotonic() - began)
            if failed or kept:
                kept = True
                self.console.print(f"The full logs are kept in {directory}", markup=False, soft_wrap=True)
            return ExitCode.FAILED if failed else ExitCode.OK
        finally:
            if not kept:
                shutil.rmtree(directory, ignore_errors=True)
            elif self.keep is None:
                # Logs are what a report needs; keys and Tor's caches are not.
                for part in directory.iterdir():
                    if part.is_dir():
                        shutil.rmtree(part, ignore_errors=True)

    def _directory(self) -> Path:
        if self.keep is not None:
            self.keep.mkdir(parents=True, exist_ok=True)
        parent = self.keep or Path(tempfile.gettempdir())
        if (free := shutil.disk_usage(parent).free) < NEEDED_BYTES:
            elsewhere = "give --keep another directory" if self.keep else "let TMPDIR name another directory"
            raise LocalError(
                f"The demonstration needs {NEEDED_BYTES // 10**6} MB of free space, and {parent} has "
                f"{free // 10**6} MB. Nothing was begun. Free some, or {elsewhere}.",
                code="disk-space",
            )
        if self.keep is None:
            # Short, because unix sockets in it must have a path of at most about 100 bytes.
            return Path(tempfile.mkdtemp(prefix="p4-demo-"))
        return Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=self.keep))

    async def _play_in(self, directory: Path) -> tuple[bool, list[Result]]:
        devices = tuple(
            NodeProcess(name, directory / name, directory / f"{name}.log") for name in ("laptop", "phone")
        )
        results: list[Result] = []
        display = make_display(self.console)
        try:
            async with AsyncExitStack() as stack:
                for device in devices:
                    stack.push_async_callback(device.clean_up)
                display.tell(f"Two nodes, each a process of its own, meet over {self.way.value}.")
                async with asyncio.timeout(self.limit_seconds):
                    lines = await stack.enter_async_context(self._network(directory, display, results))
                    # The nodes go before the network does.
                    for device in devices:
                        stack.push_async_callback(device.clean_up)
                    await self._perform(
                        devices, directory, lines, Steps(display, results, pause_seconds=self.pause_seconds)
                    )
                display.begin("Everything is shut down and removed")
        except StepFailedError:
            self._show_logs(devices, display)
            return True, results
        except TimeoutError:
            limit = f"The whole demonstration was not over after {self.limit_seconds:g} s."
            display.end(Result("In time", Verdict.FAILED, detail=limit))
            self._show_logs(devices, display)
            return True, results
        finally:
            display.close()
        return False, results

    @asynccontextmanager
    async def _network(
        self, directory: Path, display: Display, results: list[Result]
    ) -> AsyncIterator[tuple[str, ...]]:
        """The private Tor network, if this way needs it; gives the torrc lines of its clients."""
        if self.way is not Way.PRIVATE:
            yield ()
            return
        from p4.testing.tor_network import PrivateTorNetwork

        title = "A private Tor network starts on this machine"
        display.begin(title)
        began = time.monotonic()
        network = PrivateTorNetwork(directory / "tor", progress=lambda text, _fraction: display.note(text))
        try:
            await network.start()
        except P4Error as error:
            result = Result(title, Verdict.FAILED, detail=error.message)
            results.append(result)
            display.end(result)
            raise StepFailedError(error.message) from error
        result = Result(title, Verdict.OK, time.monotonic() - began)
        results.append(result)
        display.end(result)
        try:
            yield network.client_torrc_lines
        finally:
            await network.stop()

    async def _perform(
        self, devices: Sequence[NodeProcess], directory: Path, torrc_lines: Sequence[str], steps: Steps
    ) -> None:
        laptop, phone = devices
        tor = [word for line in torrc_lines for word in ("--torrc-line", line)]
        if self.onionrelay_bin is not None:
            tor += ["--onionrelay-bin", str(self.onionrelay_bin)]
        # Both are on this machine: no STUN server needs to be asked for their address, no router for a port,
        # and the networks around need not know of them.
        run = ["--stun-server", "", "--no-lan", "--no-direct-signaling", *tor]
        invite = {laptop: tor, phone: tor}
        options = {laptop: run, phone: run}
        if self.way is Way.DIRECT:
            from p4.testing.free_ports import free_ports

            for device, port in zip(devices, free_ports(2), strict=True):
                invite[device] = ["--mode", "direct", "--advertise", f"127.0.0.1:{port}"]
                options[device] = [*run, "--mode", "direct", "--signal-port", str(port)]
        scenario = Scenario(
            devices=(laptop, phone),
            steps=steps,
            greeting="" if self.way is Way.DIRECT else "Tor only carried the greeting.",
            options=options.__getitem__,
            invite_options=invite.__getitem__,
            targets=Targets(cold_limit=180.0) if self.way is Way.PUBLIC else Targets(),
        )
        await scenario.run()
        await FilmScene(laptop, phone, steps, options.__getitem__, directory / "films").play()

    def _show_logs(self, devices: Sequence[NodeProcess], display: Display) -> None:
        """The end of both nodes' logs, for a first look."""
        display.close()
        for device in devices:
            if device.log.exists():
                lines = device.log.read_text("utf-8", "replace").splitlines()[-SHOWN_LOG_LINES:]
                self.console.print(f"\nThe last lines of {device.name}'s log:", style="bold")
                for line in lines:
                    self.console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
