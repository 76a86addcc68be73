"""Keeps the status file of a running node up to date."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from p4.cli.status.snapshot import Snapshot, remove_snapshot, write_snapshot
from p4.cli.status.words import now_ms
from p4.core.identity import PeerId
from p4.core.invite import Invite
from p4.core.policy import Policy
from p4.errors import P4Error
from p4.node.status import PeerStatus, PresenceView, node_status
from p4.ports import RendezvousStatus

__all__ = ["ObservedNode", "ObservedPeer", "StatusWriter"]

LOOK_SECONDS = 1.0
"""How often it is looked whether something changed, and so the least time between two files."""

LONGEST_SECONDS = 10.0
"""A file is never older than this (and what it took to make it)."""

BUSY_BYTES_PER_SECOND = 1000.0
"""A link on which this much passes changes all the time."""

LARGEST_SHARE = 0.05
"""Most of the time that may be spent on it: with very many contacts the files come less often."""

_log = logging.getLogger(__name__)


class ObservedPeer(Protocol):
    """What the writer needs of `p4.Peer`."""

    @property
    def peer_id(self) -> PeerId:
        """Of the contact."""

    @property
    def name(self) -> str:
        """As our user calls it."""

    @property
    def connected(self) -> bool:
        """Whether there is a link."""

    @property
    def queued(self) -> int:
        """Messages that wait."""

    @property
    def last_failure(self) -> str:
        """Why there is no link."""

    @property
    def policy(self) -> Policy:
        """Which paths may be used."""

    async def status(self) -> PeerStatus:
        """See `p4.Peer.status`."""


class ObservedNode(Protocol):
    """What the writer needs of `p4.Node`."""

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

    def peers(self) -> Sequence[ObservedPeer]:
        """All contacts."""


class StatusWriter:
    """Writes ``status.json`` while `run` runs: when something has changed, and now and then anyway.

    Args:
        node: a started node.
        directory: its state directory.
    """

    def __init__(self, node: ObservedNode, directory: Path) -> None:
        self._node = node
        self._directory = directory
        self._started_ms = now_ms()
        self._complained = False
        self._writing: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Go on until cancelled; then the file is removed."""
        loop = asyncio.get_running_loop()
        looked: object = None
        written, spent, busy = -LONGEST_SECONDS, 0.0, False
        try:
            while True:
                seen = self._outline()
                if busy or seen != looked or loop.time() - written >= LONGEST_SECONDS:
                    looked, began = seen, loop.time()
                    try:
                        busy = await self.write()
                    except P4Error as error:  # the node ends at this moment
                        _log.debug("no status: %s", error.message)
                    written = loop.time()
                    spent = written - began
                await asyncio.sleep(min(max(LOOK_SECONDS, spent / LARGEST_SHARE), LONGEST_SECONDS))
        finally:
            if self._writing is not None:
                await asyncio.wait([self._writing])  # a thread goes on although we are cancelled
            remove_snapshot(self._directory)

    async def write(self) -> bool:
        """Write the file now.

        Returns:
            Whether the next one should follow soon.
        """
        status = await node_status(
            self._node,
            started_ms=self._started_ms,
            now_ms=now_ms(),
            now=asyncio.get_running_loop().time(),
        )
        status = replace(status, moment_ms=now_ms())
        work = asyncio.to_thread(write_snapshot, self._directory, Snapshot(os.getpid(), status))
        self._writing = asyncio.ensure_future(work)
        try:
            await asyncio.shield(self._writing)
        except OSError as error:
            if not self._complained:  # a full disk: others say so, and this costs nobody anything
                self._complained = True
                _log.info("the status file is not written: %s", error)
        return any(_is_busy(peer) for peer in status.peers)

    def _outline(self) -> object:
        """What can be known without asking anybody, but for what changes by the second."""
        return (
            self._node.status,
            self._node.presence.mappings,
            [
                (peer.peer_id, peer.name, peer.connected, peer.queued, peer.last_failure, peer.policy)
                for peer in self._node.peers()
            ],
        )


def _is_busy(peer: PeerStatus) -> bool:
    if peer.path is None:
        return False
    if peer.sending is None or peer.receiving is None:
        return True  # a second look tells what passes
    return peer.sending + peer.receiving > BUSY_BYTES_PER_SECOND
