"""A private Tor network on this machine: real Tor, real onion services, nothing leaves the computer.

    async with PrivateTorNetwork() as network:
        rendezvous = TorRendezvous(directory, torrc_lines=network.client_torrc_lines, ...)

One directory authority and three relays, the smallest shape that carries onion services (Tor wants four
different relays), listening on 127.0.0.1 unless other places are given. It is up in about 15 seconds and
needs the programs ``tor`` and ``tor-gencert``, which are both in the ``tor`` package of most systems. Any
number may run side by side.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from p4.adapters.tor.binary import find_program
from p4.errors import TorError
from p4.testing.free_ports import free_ports
from p4.testing.tor_relay import (
    DISTRIBUTE_SECONDS,
    SETTLE_SECONDS,
    VOTE_SECONDS,
    Relay,
    RelayPlace,
    relay_torrc,
)

__all__ = ["NetworkUsage", "PrivateTorNetwork", "RelayPlace"]

_NUDGE_SECONDS = 2.0
"""Relays that asked for the consensus before there was one wait in a back-off; SIGHUP resets it."""

_ATTEMPT_SECONDS = 40.0
"""After this an attempt counts as failed. About one start in 15 needs a second one."""

_STOP_SECONDS = 3.0
"""From the polite signal to the final one."""

_USABLE = frozenset({"Running", "Guard", "HSDir", "Fast", "V2Dir"})
"""Flags that each relay must have before clients can use it for everything."""


@dataclass(frozen=True, slots=True)
class NetworkUsage:
    """What the running network costs this machine."""

    processes: int
    resident_mib: float
    """Memory of all relays together, in MiB; shared pages count once for each."""
    cpu_seconds: float
    """Processor time since they started."""

    def __str__(self) -> str:
        return f"{self.processes} processes, {self.resident_mib:.0f} MiB, {self.cpu_seconds:.1f} s CPU"


class PrivateTorNetwork:
    """A private Tor network; an async context manager.

    Args:
        directory: where its files go; it is created and kept. None takes a temporary one that is
            removed again.
        authorities: directory authorities, at least 1.
        relays: further relays. Authorities relay too; fewer than 4 in all carry no onion services.
        testing: clients get ``TestingTorNetwork 1``: shorter internal times than on the public
            network. All clients of one network must agree, so it is chosen here.
        tor: the Tor program; None takes ``tor`` from PATH (a client-only build cannot relay).
        progress: called with what happens now and which part of the start is done, 0 to 1.
        attempts: how often to start anew if the network does not come up.
        places: where they run, authorities first; taken again from the first one if there are fewer. A
            simulated internet (namespaces of Linux) gives each relay its own.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        authorities: int = 1,
        relays: int = 3,
        testing: bool = False,
        tor: Path | None = None,
        progress: Callable[[str, float], None] = lambda text, fraction: None,
        attempts: int = 3,
        places: Sequence[RelayPlace] = (RelayPlace(),),
    ) -> None:
        self._given_directory = directory
        self._authority_count = authorities
        self._relay_count = relays
        self._testing = testing
        self._tor_given = tor
        self._progress = progress
        self._attempts = attempts
        self._places = places
        self._directory: Path | None = None
        self._relays: list[Relay] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def client_torrc_lines(self) -> tuple[str, ...]:
        """torrc lines that make a Tor client use this network and no other. Known after `start`."""
        lines = [*self._authority_lines(), "UseDefaultFallbackDirs 0", "PathsNeededToBuildCircuits 0.25"]
        if self._testing:
            lines.append("TestingTorNetwork 1")
        else:
            lines += [
                "EnforceDistinctSubnets 0",
                "ExtendAllowPrivateAddresses 1",
                "ClientRejectInternalAddresses 0",
                "ClientDNSRejectInternalAddresses 0",
                "ClientBootstrapConsensusAuthorityDownloadInitialDelay 0",
                "ClientBootstrapConsensusFallbackDownloadInitialDelay 0",
                "ClientBootstrapConsensusAuthorityOnlyDownloadInitialDelay 0",
            ]
        return tuple(lines)

    async def start(self) -> None:
        """Start the network and return when clients can use it. After an error nothing is left running.

        Raises:
            TorError: ``tor-missing``, or ``network-failed`` with the last attempt's reason.
        """
        tor = str(self._tor_given or find_program("tor"))
        gencert = str(find_program("tor-gencert"))
        for attempt in range(1, self._attempts + 1):
            again = f" (attempt {attempt} of {self._attempts})" if attempt > 1 else ""
            try:
                async with asyncio.timeout(_ATTEMPT_SECONDS):
                    await self._start_once(tor, gencert, again)
            except (TimeoutError, TorError, subprocess.CalledProcessError) as error:
                reason = self._failure(error)
                await self.stop()
                if attempt == self._attempts:
                    raise TorError(
                        f"The private Tor network did not come up in {self._attempts} attempts. {reason}",
                        code="network-failed",
                    ) from error
            except BaseException:
                await self.stop()
                raise
            else:
                return

    async def stop(self) -> None:
        """End every process and remove the temporary directory. May be called again."""
        await asyncio.shield(asyncio.ensure_future(self._stop()))

    def usage(self) -> NetworkUsage:
        """Memory and processor time of the relays so far."""
        resident, cpu, count = 0, 0.0, 0
        for relay in self._relays:
            with contextlib.suppress(psutil.Error):
                if relay.process is not None:
                    process = psutil.Process(relay.process.pid)
                    times = process.cpu_times()
                    resident += process.memory_info().rss
                    cpu += times.user + times.system
                    count += 1
        return NetworkUsage(count, resident / 2**20, cpu)

    # --- inside -----------------------------------------------------------------------------------------

    async def _start_once(self, tor: str, gencert: str, again: str) -> None:
        self._directory = self._new_directory()
        total = self._authority_count + self._relay_count
        ports = free_ports(2 * total)
        for index in range(total):
            is_authority = index < self._authority_count
            nickname = f"authority{index}" if is_authority else f"relay{index}"
            place = self._places[index % len(self._places)]
            or_port, directory_port = place.or_port or ports[2 * index], ports[2 * index + 1] * is_authority
            self._relays.append(Relay(nickname, self._directory / nickname, or_port, directory_port, place))
        self._progress(f"Making the keys of a private Tor network{again}", 0.02)
        await asyncio.gather(*(self._make_keys(relay, tor, gencert) for relay in self._relays))
        # When every relay has published.
        first_vote = time.time() + SETTLE_SECONDS + VOTE_SECONDS + DISTRIBUTE_SECONDS + 1
        for relay in self._relays:
            await relay.launch(tor, relay_torrc(relay, self._authority_lines(), first_vote=first_vote))
        display = asyncio.create_task(self._show_waiting(again))
        try:
            await self._wait_for_consensus()
        finally:
            display.cancel()
        self._progress(f"Its relays know each other{again}", 0.8)
        await self._wait_for_bootstrap()
        self._progress("The private Tor network is up", 1.0)

    def _new_directory(self) -> Path:
        if self._given_directory is None:
            return Path(tempfile.mkdtemp(prefix="p4-tor-network-"))
        shutil.rmtree(self._given_directory, ignore_errors=True)
        self._given_directory.mkdir(mode=0o700, parents=True)
        return self._given_directory

    async def _make_keys(self, relay: Relay, tor: str, gencert: str) -> None:
        keys = relay.directory / "keys"
        keys.mkdir(mode=0o700, parents=True)
        relay.directory.chmod(0o700)
        if not relay.directory_port:
            return
        certificate = keys / "authority_certificate"
        await _run(
            [
                *(gencert, "--create-identity-key", "--passphrase-fd", "0", "-m", "12"),
                *("-a", f"{relay.place.address}:{relay.directory_port}"),
                *("-i", str(keys / "authority_identity_key")),
                *("-s", str(keys / "authority_signing_key")),
                *("-c", str(certificate)),
            ],
            # The key lives as long as this network, so its passphrase protects nothing; it may not be empty.
            stdin=b"private network\n",
        )
        nothing = str(relay.directory / "none")
        listed = await _run(
            [
                *(tor, "--list-fingerprint", "--quiet", "--ignore-missing-torrc", "-f", nothing),
                *("--defaults-torrc", nothing, "--DataDirectory", str(relay.directory)),
                *("--ORPort", "127.0.0.1:1", "--Nickname", relay.nickname),
                *("--DirAuthority", f"x 127.0.0.1:1 {'F' * 40}"),
            ]
        )
        found = re.search(r"^fingerprint (\w+)", certificate.read_text("utf-8"), re.MULTILINE)
        if found is None:
            raise TorError("tor-gencert wrote no fingerprint.", code="network-failed")
        relay.v3_identity = found[1]
        relay.fingerprint = listed.strip().splitlines()[-1].partition(" ")[2].replace(" ", "")

    def _authority_lines(self) -> list[str]:
        return [relay.authority_line for relay in self._relays if relay.directory_port]

    async def _show_waiting(self, again: str) -> None:
        """Most of the start is waiting for the vote; its time is known."""
        begun, seconds = time.monotonic(), SETTLE_SECONDS + VOTE_SECONDS + DISTRIBUTE_SECONDS + 3
        while (passed := time.monotonic() - begun) < seconds:
            self._progress(f"Its relays introduce themselves{again}", 0.1 + 0.65 * passed / seconds)
            await asyncio.sleep(0.25)

    async def _wait_for_consensus(self) -> None:
        authority = self._relays[0]
        while True:
            self._check_alive()
            flags = [
                set(line.split()[1:]) for line in authority.consensus.splitlines() if line.startswith("s ")
            ]
            if sum(flag_set >= _USABLE for flag_set in flags) >= len(self._relays):
                return
            await asyncio.sleep(0.1)

    async def _wait_for_bootstrap(self) -> None:
        """Wait until every relay has all descriptors: one without costs each client 10 seconds."""
        waiting, nudge_at = list(self._relays), 0.0
        while waiting:
            self._check_alive()
            if time.monotonic() >= nudge_at:
                nudge_at = time.monotonic() + _NUDGE_SECONDS
                for relay in waiting:
                    if relay.process is not None and sys.platform != "win32":
                        relay.process.send_signal(signal.SIGHUP)
            await asyncio.sleep(0.1)
            waiting = [relay for relay in waiting if not relay.bootstrapped]

    def _check_alive(self) -> None:
        for relay in self._relays:
            if relay.process is not None and relay.process.returncode is not None:
                raise TorError(
                    f"{relay.nickname} ended with code {relay.process.returncode}: {relay.last_words()}",
                    code="network-failed",
                )

    def _failure(self, error: BaseException) -> str:
        if isinstance(error, TorError):
            return error.message
        if isinstance(error, subprocess.CalledProcessError):
            return f"{error.cmd[0]} failed: {(error.stderr or b'').decode('utf-8', 'replace')[-500:]}"
        return f"It was not ready after {_ATTEMPT_SECONDS:g} s. " + " | ".join(
            f"{relay.nickname}: {relay.last_words()}" for relay in self._relays
        )

    async def _stop(self) -> None:
        processes = [relay.process for relay in self._relays if relay.process is not None]
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for process in processes:
            try:
                async with asyncio.timeout(_STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        self._relays.clear()
        if self._directory is not None and self._given_directory is None:
            shutil.rmtree(self._directory, ignore_errors=True)
        self._directory = None


async def _run(command: Iterable[str], stdin: bytes = b"") -> str:
    arguments = list(command)
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await process.communicate(stdin)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, arguments, output, errors)
    return output.decode("utf-8", "replace")
