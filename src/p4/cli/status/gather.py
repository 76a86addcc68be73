"""What can be said of a state directory: by its running node, or by its files."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from p4.cli.offline import open_initialised
from p4.cli.output import complain
from p4.cli.status.snapshot import read_snapshot
from p4.cli.status.words import now_ms
from p4.core.policy import Policy
from p4.errors import ContactError, LocalError, StateError
from p4.node.status import NodeStatus, PeerStatus, installed_versions

if TYPE_CHECKING:
    from p4.client import DeviceStatus

__all__ = ["LATE_SECONDS", "Report", "gather", "status_of"]

LATE_SECONDS = 25.0
"""A running node writes every 10 s; one that is this late is stuck or was stopped."""

NOT_RUNNING = "not running"


@dataclass(frozen=True, slots=True)
class Report:
    """The status of a node, and where it is from."""

    node: NodeStatus
    pid: int | None
    """The process that works on the state directory; None if the node is not running."""
    live: bool
    """Whether the node itself told it; else it is what the files tell."""
    age: float
    """Seconds since it was so."""

    @property
    def late(self) -> bool:
        """Whether the node should have told something newer."""
        return self.age > LATE_SECONDS

    @property
    def headline(self) -> str:
        """In one sentence: whether the node runs, and how fresh this is."""
        if self.pid is None:
            return "The node is not running; this is what its files tell. Start it: p4 up"
        if not self.live:
            return (
                f"Process {self.pid} works on this directory and tells nothing of itself: it has just "
                "started, or it is an application with a node of its own. This is what the files tell."
            )
        if self.late:
            return (
                f"The node (pid {self.pid}) has told nothing for {self.age:.0f} s: it is stopped or stuck. "
                "This was so then."
            )
        return f"The node runs (pid {self.pid}); as of {self.age:.0f} s ago."


def gather(directory: Path) -> Report:
    """Look at a state directory without changing anything.

    Raises:
        StateError: there is no identity, or the directory cannot be used.
    """
    state, identity = open_initialised(directory)
    device = _ask_daemon(state.path)
    if device is not None and device.id == identity.peer_id:
        from p4.cli.status.from_daemon import node_status_of

        return Report(node_status_of(device), device.pid, live=True, age=0.0)
    moment = now_ms()
    pid = state.holder()
    snapshot = read_snapshot(directory) if pid is not None else None
    if snapshot is not None and snapshot.pid == pid and snapshot.node.peer_id == identity.peer_id:
        return Report(snapshot.node, pid, live=True, age=max(0.0, (moment - snapshot.node.moment_ms) / 1000))

    from p4.adapters.store.overview import Overview, read_overview

    try:
        known = read_overview(state.database_path)
    except StateError as error:
        complain(error.message)
        known = {}
    peers = []
    for contact in state.load_contacts().contacts:
        figures = known.get(contact.peer_id, Overview(Policy.DIRECT, 0, 0, 0, 0, 0))
        peers.append(
            PeerStatus(
                peer_id=contact.peer_id,
                name=contact.name,
                connected=False,
                state=NOT_RUNNING if pid is None else "not known",
                protocol=figures.protocol,
                policy=figures.policy,
                path=None,
                round_trip=None,
                sending=None,
                receiving=None,
                queued_messages=figures.queued_messages,
                queued_bytes=figures.queued_bytes,
                open_streams=figures.open_streams,
                last_seen_ms=figures.last_seen_ms,
                why_not="",
                next_attempt_ms=None,
            )
        )
    node = NodeStatus(
        peer_id=identity.peer_id,
        moment_ms=moment,
        started_ms=0,
        reachable=False,
        reachability=NOT_RUNNING if pid is None else "not known",
        checked_ms=None,
        addresses=(),
        port=0,
        local_addresses=(),
        mappings=(),
        lan=False,
        versions=installed_versions(),
        peers=tuple(peers),
    )
    return Report(node, pid, live=False, age=0.0)


def _ask_daemon(directory: Path) -> DeviceStatus | None:
    """What the daemon tells, if one runs on this directory and answers."""
    if not (directory / "daemon" / "endpoint.json").exists():
        return None
    # aiohttp takes a while to import.
    from p4.client import connect

    async def ask() -> DeviceStatus:
        async with connect(directory, restart_seconds=0.0) as client:
            return await client.status()

    try:
        return asyncio.run(ask())
    except LocalError:
        return None  # it has been killed, or ends at this moment: the files tell


def status_of(report: Report, directory: Path, reference: str) -> PeerStatus:
    """The status of one contact.

    Args:
        reference: its name, id, or the beginning of its id.

    Raises:
        ContactError: there is no such contact, or the node has not told of it yet.
    """
    contact = open_initialised(directory)[0].load_contacts().find(reference)
    for peer in report.node.peers:
        if peer.peer_id == contact.peer_id:
            return peer
    raise ContactError(
        f"The node has not told of {contact.label} yet. Try again in a few seconds.", code="unknown"
    )
