"""A store that tells a person when it does not work, once and not for every request it fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from p4.core import limits
from p4.core.identity import PeerId
from p4.core.replay import ReplayWindow
from p4.core.session.messages.stored import InboxMessage, Operation
from p4.errors import StateError
from p4.ports import Clock, PeerRecord, Spool, Store, StreamRecord

__all__ = ["WatchedStore"]

T = TypeVar("T")

_NOT_THE_DISK = {"outbox-full", "closed"}
"""Refusals that are told to whoever asked, and say nothing about the disk."""


class WatchedStore:
    """Implements `p4.ports.Store` by another store; every error also reaches the caller.

    A full disk refuses contacts' requests and holds back received messages. Both go on quietly by themselves
    once it has room, so nobody would know why nothing arrives.

    Args:
        store: does the work.
        warn: told in sentences for a person, at most once in ``limits.DISK_WARNING_SECONDS``.
    """

    def __init__(self, store: Store, clock: Clock, warn: Callable[[str], None]) -> None:
        self._store = store
        self._clock = clock
        self._warn = warn
        self._warned_at: float | None = None

    async def _watch(self, operation: Awaitable[T]) -> T:
        try:
            return await operation
        except StateError as error:
            self._tell(error)
            raise

    def _tell(self, error: StateError) -> None:
        if error.code in _NOT_THE_DISK:
            return
        now = self._clock.monotonic()
        if self._warned_at is None or now - self._warned_at >= limits.DISK_WARNING_SECONDS:
            self._warned_at = now
            self._warn(
                f"The node's memory on disk does not work: {error.message} Until it does, contacts' requests "
                "are refused and received messages are not confirmed, so their senders keep them."
            )

    # --- p4.ports.Store ---------------------------------------------------------------------------------

    async def open(self) -> None:
        """See `p4.ports.Store`."""
        await self._store.open()

    async def close(self) -> None:
        """See `p4.ports.Store`."""
        await self._store.close()

    async def load_peers(self) -> dict[PeerId, PeerRecord]:
        """See `p4.ports.Store`."""
        return await self._watch(self._store.load_peers())

    async def save_peer(self, peer_id: PeerId, record: PeerRecord) -> None:
        """See `p4.ports.Store`."""
        await self._watch(self._store.save_peer(peer_id, record))

    async def forget_peer(self, peer_id: PeerId) -> None:
        """See `p4.ports.Store`."""
        await self._watch(self._store.forget_peer(peer_id))

    async def load_replay(self, peer_id: PeerId) -> ReplayWindow:
        """See `p4.ports.Store`."""
        return await self._watch(self._store.load_replay(peer_id))

    async def save_replay(self, peer_id: PeerId, window: ReplayWindow) -> None:
        """See `p4.ports.Store`."""
        await self._watch(self._store.save_replay(peer_id, window))

    async def save_grants(self, peer_id: PeerId, grants: tuple[str, ...]) -> None:
        """See `p4.ports.Store`."""
        await self._watch(self._store.save_grants(peer_id, grants))

    async def save_reach(self, peer_id: PeerId, text: str) -> None:
        """See `p4.ports.Store`."""
        await self._watch(self._store.save_reach(peer_id, text))

    async def save_policy(self, peer_id: PeerId, policy: str) -> None:
        """See `p4.ports.Store`."""
        await self._watch(self._store.save_policy(peer_id, policy))

    async def save_gate(self, peer_id: PeerId, text: str) -> None:
        """See `p4.ports.Store`."""
        await self._watch(self._store.save_gate(peer_id, text))

    async def perform(self, peer_id: PeerId, operation: Operation) -> Any:
        """See `p4.ports.Store`."""
        return await self._watch(self._store.perform(peer_id, operation))

    async def outbox_bytes(self, peer_id: PeerId) -> int:
        """See `p4.ports.Store`."""
        return await self._watch(self._store.outbox_bytes(peer_id))

    async def read_inbox(
        self, peer_id: PeerId, service: str, *, after: int, limit: int, most_bytes: int
    ) -> list[InboxMessage]:
        """See `p4.ports.Store`."""
        return await self._watch(
            self._store.read_inbox(peer_id, service, after=after, limit=limit, most_bytes=most_bytes)
        )

    async def load_streams(self) -> dict[PeerId, list[StreamRecord]]:
        """See `p4.ports.Store`."""
        return await self._watch(self._store.load_streams())

    async def save_stream(self, peer_id: PeerId, record: StreamRecord) -> None:
        """See `p4.ports.Store`."""
        await self._watch(self._store.save_stream(peer_id, record))

    async def forget_stream(self, peer_id: PeerId, stream_id: int) -> None:
        """See `p4.ports.Store`."""
        await self._watch(self._store.forget_stream(peer_id, stream_id))

    def spool(self, peer_id: PeerId, stream_id: int) -> Spool:
        """See `p4.ports.Store`."""
        try:
            return _WatchedSpool(self._store.spool(peer_id, stream_id), self._watch)
        except StateError as error:
            self._tell(error)
            raise


class _WatchedSpool:
    """Implements `p4.ports.Spool` by another one."""

    def __init__(self, spool: Spool, watch: Callable[[Awaitable[Any]], Awaitable[Any]]) -> None:
        self._spool = spool
        self._watch = watch

    @property
    def start(self) -> int:
        """See `p4.ports.Spool`."""
        return self._spool.start

    @property
    def end(self) -> int:
        """See `p4.ports.Spool`."""
        return self._spool.end

    async def append(self, data: bytes | bytearray | memoryview) -> None:
        """See `p4.ports.Spool`."""
        await self._watch(self._spool.append(data))

    async def read(self, offset: int, size: int) -> bytes:
        """See `p4.ports.Spool`."""
        data: bytes = await self._watch(self._spool.read(offset, size))
        return data

    async def discard(self, through: int) -> None:
        """See `p4.ports.Spool`."""
        await self._watch(self._spool.discard(through))

    async def sync(self) -> None:
        """See `p4.ports.Spool`."""
        await self._watch(self._spool.sync())

    def close(self) -> None:
        """See `p4.ports.Spool`."""
        self._spool.close()

    async def remove(self) -> None:
        """See `p4.ports.Spool`."""
        await self._watch(self._spool.remove())
