"""One relay of a private Tor network: its configuration and its process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DISTRIBUTE_SECONDS", "SETTLE_SECONDS", "VOTE_SECONDS", "Relay", "RelayPlace", "relay_torrc"]

_INITIAL_INTERVAL = 10
"""Seconds between votes until the first consensus stands; Tor's smallest is 5."""

_INTERVAL = 300
"""Seconds between votes afterwards. Clients that are not in testing mode refuse anything shorter."""

SETTLE_SECONDS = 3
"""From starting the relays to the first vote. A relay that has not published by then is missing from
the consensus for a whole `_INTERVAL`."""

VOTE_SECONDS, DISTRIBUTE_SECONDS = 2, 2
"""Tor's smallest delays around the first vote."""

_STARTUP_LOG = "startup.log"
"""What Tor says before it has read its configuration, and all it says about a wrong one."""


@dataclass(frozen=True, slots=True)
class RelayPlace:
    """Where a relay runs: on loopback, or in a network namespace of a simulated internet."""

    address: str = "127.0.0.1"
    """The IPv4 address at which it listens."""
    command: tuple[str, ...] = ()
    """Put before Tor's command line, as in ``("ip", "netns", "exec", NAME)``. It has to become Tor: what it
    starts is taken for Tor's process."""
    or_port: int | None = None
    """Its port; None chooses one. 443 is reached from behind most firewalls."""


@dataclass(slots=True)
class Relay:
    """A relay, or directory authority, that is or will be running.

    Args:
        nickname: its name in the consensus.
        directory: its files, 0700.
        or_port: where it relays.
        directory_port: where an authority serves the consensus; 0 for a relay that is none.
        place: where it runs.
    """

    nickname: str
    directory: Path
    or_port: int
    directory_port: int
    place: RelayPlace = RelayPlace()
    v3_identity: str = ""
    """Fingerprint of an authority's voting key."""
    fingerprint: str = ""
    """Fingerprint of an authority's key as a relay."""
    process: asyncio.subprocess.Process | None = None

    @property
    def log(self) -> Path:
        """Its notices."""
        return self.directory / "notice.log"

    @property
    def torrc(self) -> Path:
        """Its configuration."""
        return self.directory / "torrc"

    @property
    def consensus(self) -> str:
        """The consensus as it has it, or nothing yet."""
        return _read(self.directory / "cached-microdesc-consensus")

    @property
    def bootstrapped(self) -> bool:
        """Whether it has all descriptors, by its own log."""
        return "Bootstrapped 100%" in _read(self.log)

    @property
    def authority_line(self) -> str:
        """The torrc line by which others know an authority."""
        return (
            f"DirAuthority {self.nickname} orport={self.or_port} no-v2 v3ident={self.v3_identity} "
            f"{self.place.address}:{self.directory_port} {self.fingerprint}"
        )

    def last_words(self) -> str:
        """The end of its log, for an error."""
        text = _read(self.log) or _read(self.directory / _STARTUP_LOG)
        return " / ".join(text.splitlines()[-3:])[-400:] or "its log is empty"

    async def launch(self, tor: str, torrc: Sequence[str]) -> None:
        """Write its configuration and start it."""
        self.torrc.write_text("\n".join(torrc) + "\n", "utf-8")
        with (self.directory / _STARTUP_LOG).open("wb") as output:
            self.process = await asyncio.create_subprocess_exec(
                *self.place.command,
                tor,
                *("-f", str(self.torrc), "--defaults-torrc", str(self.directory / "none")),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal is for us; we end the relays in order
            )


def relay_torrc(relay: Relay, authority_lines: Sequence[str], *, first_vote: float) -> list[str]:
    """The configuration of one relay.

    Args:
        relay: whose.
        authority_lines: ``DirAuthority`` lines of the network.
        first_vote: Unix time of the first consensus.
    """
    # Votes happen at multiples of the interval since midnight UTC, plus an offset.
    offset = int(first_vote) % _INITIAL_INTERVAL
    lines = [
        "TestingTorNetwork 1",
        *authority_lines,
        f"DataDirectory {relay.directory}",
        f"Log notice file {relay.log}",
        f"Nickname {relay.nickname}",
        f"Address {relay.place.address}",
        f"ORPort {relay.place.address}:{relay.or_port} IPv4Only",
        "SocksPort 0",
        "ExitRelay 0",
        "ExitPolicy reject *:*",
        "AssumeReachable 1",
        "ShutdownWaitLength 0",
        f"__OwningControllerProcess {os.getpid()}",  # the last resort against a killed test run
        "NumCPUs 1",
        f"GeoIPFile {os.devnull}",  # tables of countries: 0.2 s and 30 MB for each relay
        f"GeoIPv6File {os.devnull}",
        "MaxMemInQueues 512 MB",  # with less, Tor kills circuits: compressing a consensus takes 100 MB
        "AvoidDiskWrites 1",
        "ContactInfo nobody@localhost.invalid",
        "PublishHidServDescriptors 0",
        "PathsNeededToBuildCircuits 0.25",
        "FetchDirInfoEarly 1",
        "FetchDirInfoExtraEarly 1",
        "DormantCanceledByStartup 1",
    ]
    if relay.directory_port:
        later = max(2, min(_INTERVAL // 5, 20))
        lines += [
            "AuthoritativeDirectory 1",
            "V3AuthoritativeDirectory 1",
            f"DirPort {relay.place.address}:{relay.directory_port}",
            f"TestingV3AuthInitialVotingInterval {_INITIAL_INTERVAL}",
            f"TestingV3AuthVotingStartOffset {offset}",
            f"TestingV3AuthInitialVoteDelay {VOTE_SECONDS}",
            f"TestingV3AuthInitialDistDelay {DISTRIBUTE_SECONDS}",
            f"V3AuthVotingInterval {_INTERVAL}",
            f"V3AuthVoteDelay {later}",
            f"V3AuthDistDelay {later}",
            "V3AuthNIntervalsValid 60",
            "TestingDirAuthVoteExit *",
            "TestingDirAuthVoteGuard *",
            "TestingDirAuthVoteHSDir *",
            "TestingMinExitFlagThreshold 0",
            "MinUptimeHidServDirectoryV2 0",
            "AuthDirMaxServersPerAddr 0",
            "AuthDirTestReachability 0",
            "AuthDirSharedRandomness 0",  # the ring of onion directories then never turns
            "ConsensusParams cc_alg=2 bwweightscale=10000",
        ]
    return lines


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except FileNotFoundError:
        return ""
