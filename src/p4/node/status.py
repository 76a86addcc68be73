"""How a contact and the whole node are, in figures for a person; see `p4.Peer.status`."""

from __future__ import annotations

import asyncio
import importlib.metadata
import math
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from p4.core.identity import PeerId
from p4.core.invite import Invite
from p4.core.policy import Policy
from p4.core.session.lanes import LaneKind
from p4.ports import LinkPath, RendezvousPhase, RendezvousStatus
from p4.ports.mapping import Mapping

__all__ = [
    "LinkGauge",
    "NodeStatus",
    "PeerStatus",
    "PeerView",
    "PresenceView",
    "StatusSource",
    "as_sentence",
    "installed_versions",
    "lane_words",
    "node_status",
]

SMOOTHING_SECONDS = 3.0
"""What happened this long ago counts a third in a throughput."""

PATH_SECONDS = 0.5
"""A path younger than this is not asked for again: libraries take about a millisecond for it."""


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """One contact at one moment."""

    peer_id: PeerId
    name: str
    """As our user calls it, or empty."""
    connected: bool
    state: str
    """What is going on, in a word or a short phrase."""
    protocol: int
    """Highest protocol seen from the contact: 0 unknown, 1 or 2."""
    policy: Policy
    """Which paths to the contact may be used."""
    path: LinkPath | None
    """Which way the link goes; None without one, or where the library does not tell."""
    round_trip: float | None
    """Seconds, smoothed: what our heartbeat measured, else what the library did."""
    sending: float | None
    """Bytes a second that leave on the link, smoothed; None before there are two measurements."""
    receiving: float | None
    """Bytes a second that arrive, likewise."""
    queued_messages: int
    """Accepted and not confirmed by the contact."""
    queued_bytes: int | None
    """Of their bodies; None if the disk does not tell."""
    open_streams: int
    """Streams that are not over, also those of earlier runs, and those that the contact offers."""
    last_seen_ms: int
    """Unix milliseconds when a link was last up, which may be now; 0 for never."""
    why_not: str
    """A sentence on why there is no link, as far as is known; empty while one is up."""
    next_attempt_ms: int | None
    """Unix milliseconds when the contact will be dialled again, where that is planned."""
    lanes: str = ""
    """What carries bytes of streams beside the link, in words (spec/lanes.md); empty for nothing."""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The whole node at one moment."""

    peer_id: PeerId
    moment_ms: int
    """Unix milliseconds of this status."""
    started_ms: int
    """Unix milliseconds since when it runs."""
    reachable: bool
    """Whether others can reach us, as far as we know."""
    reachability: str
    """The same in a sentence."""
    checked_ms: int | None
    """Unix milliseconds when it was last tried out that others can reach us, with success; None for never."""
    addresses: tuple[str, ...]
    """Where we are reached for signaling by whoever has our invite."""
    port: int
    """TCP port at which contacts reach this machine itself for signaling; 0 if none is open."""
    local_addresses: tuple[str, ...]
    """Addresses of this machine, as far as they are watched."""
    mappings: tuple[str, ...]
    """Where a router passes connections on to that port: ``HOST:PORT (method)`` each."""
    lan: bool
    """Whether contacts on the same local network can find this device, and it them."""
    versions: dict[str, str]
    """Of P4, Python and the libraries for links, by name."""
    peers: tuple[PeerStatus, ...]
    """Every contact, in the order in which they were added."""


class LinkGauge:
    """Watches the path of one contact's links, and how much passes on it."""

    def __init__(self) -> None:
        self.path: LinkPath | None = None
        self.sending: float | None = None
        self.receiving: float | None = None
        self._moment = -math.inf

    def stale(self, now: float) -> bool:
        """Whether it is time to look at the path again."""
        return now - self._moment >= PATH_SECONDS

    def measured(self, path: LinkPath | None, now: float) -> None:
        """The path of the present link, None if there is none.

        Args:
            now: monotonic seconds.
        """
        before, seconds = self.path, now - self._moment
        if path is not None and before is not None and not self.stale(now):
            return  # two asked at once: the time between them says nothing
        self.path, self._moment = path, now
        if path is None or before is None or not _goes_on(before, path) or seconds <= 0:
            # Bytes of another path, or of another link, are no beginning to count from.
            self.sending = self.receiving = None
            return
        weight = 1 - math.exp(-seconds / SMOOTHING_SECONDS)
        self.sending = _smoothed(self.sending, (path.bytes_sent - before.bytes_sent) / seconds, weight)
        self.receiving = _smoothed(
            self.receiving, (path.bytes_received - before.bytes_received) / seconds, weight
        )


def _goes_on(before: LinkPath, after: LinkPath) -> bool:
    return (
        (before.local_address, before.remote_address) == (after.local_address, after.remote_address)
        and after.bytes_sent >= before.bytes_sent
        and after.bytes_received >= before.bytes_received
    )


def _smoothed(before: float | None, rate: float, weight: float) -> float:
    return rate if before is None else before + weight * (rate - before)


class PeerView(Protocol):
    """What `node_status` needs of `p4.Peer`."""

    async def status(self) -> PeerStatus:
        """See `p4.Peer.status`."""


class PresenceView(Protocol):
    """What `node_status` needs of `p4.node.presence.Presence`."""

    @property
    def port(self) -> int:
        """TCP port of the doorway; 0 while there is none."""

    @property
    def addresses(self) -> frozenset[str]:
        """Addresses of this machine."""

    @property
    def mappings(self) -> frozenset[Mapping]:
        """What a router passes on to us."""

    @property
    def discoverable(self) -> bool:
        """Whether contacts on the local network can find us."""


class StatusSource(Protocol):
    """What `node_status` needs of `p4.Node`."""

    @property
    def peer_id(self) -> PeerId:
        """Our own id."""

    @property
    def status(self) -> RendezvousStatus:
        """How reachable we are."""

    @property
    def presence(self) -> PresenceView:
        """Where else we can be reached."""

    def invite(self) -> Invite:
        """Our invite."""

    def peers(self) -> Sequence[PeerView]:
        """All contacts."""


async def node_status(node: StatusSource, *, started_ms: int, now_ms: int, now: float) -> NodeStatus:
    """The status of a started node and of all its contacts.

    Args:
        started_ms: Unix milliseconds when it was started.
        now_ms: Unix milliseconds.
        now: the same moment in monotonic seconds.

    Raises:
        LocalError: the node is not running.
    """
    rendezvous, presence = node.status, node.presence
    checked_at = rendezvous.checked_at
    return NodeStatus(
        peer_id=node.peer_id,
        moment_ms=now_ms,
        started_ms=started_ms,
        reachable=rendezvous.phase is RendezvousPhase.READY,
        reachability=rendezvous.text,
        checked_ms=None if checked_at is None else now_ms - max(0, int((now - checked_at) * 1000)),
        addresses=(str(node.invite().rendezvous),),
        port=presence.port,
        local_addresses=tuple(sorted(presence.addresses)),
        mappings=tuple(sorted(map(_place, presence.mappings))),
        lan=presence.discoverable,
        versions=installed_versions(),
        peers=tuple(await asyncio.gather(*(peer.status() for peer in node.peers()))),
    )


def _place(mapping: Mapping) -> str:
    host = mapping.external_host or "(a router behind another)"
    return f"{f'[{host}]' if ':' in host else host}:{mapping.external_port} ({mapping.method.value})"


def lane_words(lanes: dict[LaneKind, int]) -> str:
    """Open lanes in words, as ``tls lane, 3 peer lanes``."""
    names = {LaneKind.STREAM: "tls lane", LaneKind.PEER: "peer lane"}
    counted = ((name, lanes.get(kind, 0)) for kind, name in names.items())
    return ", ".join(name if count == 1 else f"{count} {name}s" for name, count in counted if count)


def as_sentence(reason: str) -> str:
    """A reason as it was noted, as a sentence; nothing stays nothing."""
    reason = reason.strip()
    return (
        f"{reason[:1].upper()}{reason[1:]}{'' if reason.endswith(('.', '!', '?')) else '.'}" if reason else ""
    )


def installed_versions() -> dict[str, str]:
    """Versions of P4, of Python, and of the libraries for links that are installed here, by name."""
    found = {"p4": _version("p4-node") or "from a source tree", "python": platform.python_version()}
    for library in ("wrtc", "aiortc"):
        if version := _version(library):
            found[library] = version
    return found


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
