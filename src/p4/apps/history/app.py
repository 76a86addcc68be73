"""Watches a node's links and remembers a day of them, in a ring of fixed size."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial

from p4.apps.background import Background
from p4.apps.history import records
from p4.apps.history.picture import Picture, Sample, draw
from p4.apps.store import AppStore
from p4.core import limits
from p4.core.identity import PeerId
from p4.errors import StateError
from p4.node.events import LinkDown, LinkUp
from p4.node.node import BaseNode
from p4.node.peer import Peer
from p4.ports import Clock

__all__ = ["LinkHistory"]

_log = logging.getLogger(__name__)


class LinkHistory:
    """Remembers links. What the disk refuses is lost: nothing depends on it.

    Args:
        store: open.
    """

    def __init__(self, store: AppStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._run = 0
        self._new_link = asyncio.Event()
        self._unwritten: list[tuple[str, Sample]] = []
        self._background = Background()

    async def start(self, node: BaseNode) -> None:
        """Watch from now on. Raises StateError."""
        await self._store.migrate("history", records.MIGRATIONS)
        self._run = await self._store.transaction(
            lambda database: records.begin_run(database, self._clock.wall_ms())
        )
        self._background.begin(self._follow(node), "link history follows links")
        self._background.begin(self._measure(node), "link history measures links")

    async def close(self) -> None:
        """End, with everything on disk."""
        await self._background.close()
        if self._run:
            await self._write()

    async def picture(self, peer: Peer, seconds: int) -> Picture:
        """A contact's links in the last seconds, until now. Raises StateError."""
        now_ms = self._clock.wall_ms()
        from_ms = now_ms - seconds * 1000
        samples, outages, runs = await self._store.transaction(
            lambda database: records.read(database, peer.peer_id, from_ms)
        )
        waiting = [sample for known, sample in self._unwritten if known == peer.peer_id]
        if runs and self._run:
            runs[-1] = type(runs[-1])(runs[-1].began_ms, now_ms)  # this run is not over
        return draw([*samples, *waiting], outages, runs, from_ms=from_ms, to_ms=now_ms + 1)

    async def forget(self, peer_id: PeerId) -> None:
        """A contact was removed. Raises StateError."""
        self._unwritten = [(known, sample) for known, sample in self._unwritten if known != peer_id]
        await self._store.transaction(partial(records.forget, peer=peer_id))

    # -- inside ------------------------------------------------------------------------------------------

    async def _follow(self, node: BaseNode) -> None:
        async for event in node.events():
            now_ms = self._clock.wall_ms()
            try:
                match event:
                    case LinkUp(peer_id, _):
                        await self._store.transaction(partial(records.up, peer=peer_id, now_ms=now_ms))
                        self._new_link.set()
                    case LinkDown(peer_id, reason):
                        await self._store.transaction(
                            partial(records.down, peer=peer_id, reason=reason, now_ms=now_ms)
                        )
            except StateError as error:
                _log.warning("The history of links has a gap: %s", error.message)

    async def _measure(self, node: BaseNode) -> None:
        written = self._clock.monotonic()
        while True:
            for peer in node.peers():
                if peer.connected:
                    self._unwritten.append((peer.peer_id, await self._sample(peer)))
            if self._clock.monotonic() - written >= limits.HISTORY_WRITE_SECONDS:
                await self._write()
                written = self._clock.monotonic()
            # A link that is new is looked at soon; its round trip is known after a moment.
            with suppress(TimeoutError):
                async with asyncio.timeout(limits.HISTORY_SAMPLE_SECONDS):
                    await self._new_link.wait()
                self._new_link.clear()
                await asyncio.sleep(limits.HISTORY_FIRST_SECONDS)

    async def _sample(self, peer: Peer) -> Sample:
        status = await peer.status()
        return Sample(
            self._clock.wall_ms(),
            status.round_trip,
            status.path.kind.value if status.path else "",
            status.sending,
            status.receiving,
        )

    async def _write(self) -> None:
        samples, self._unwritten = self._unwritten, []
        now_ms = self._clock.wall_ms()
        try:
            await self._store.transaction(
                partial(records.add_samples, run=self._run, samples=samples, now_ms=now_ms)
            )
        except StateError as error:
            _log.warning("The history of links has a gap: %s", error.message)
