"""A store that tells a person when it does not work, once and not for every request it fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from p4.core import limits
from p4.core.identity import PeerId
from p4.core.replay import ReplayWindow
from p4.errors import StateError
from p4.ports import Clock, InboxMessage, OutboxMessage, PeerRecord, Store

__all__ = ["WatchedStore"]

T = TypeVar("T")

_NOT_THE_DISK = {"outbox-full", "closed"}
"""Refusals that are told to whoever asked, and say nothing about the disk."""


class WatchedStore:
    """Implements `p4.ports.Store` by another store; every error also reaches the caller.

    A full disk refuses contacts' requests and holds back received texts. Both go on quietly by themselves
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
            if error.code not in _NOT_THE_DISK:
                self._report(error)
            raise

    def _report(self, error: StateError) -> None:
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

    async def append_outbox(
        self, peer_id: PeerId, text: str, *, now_ms: int, new_epoch: bytes, offered: bool = False
    ) -> int:
        """See `p4.ports.Store`."""
        appending = self._store.append_outbox(
            peer_id, text, now_ms=now_ms, new_epoch=new_epoch, offered=offered
        )
        return await self._watch(appending)

    async def read_outbox(self, peer_id: PeerId, *, after: int, limit: int) -> list[OutboxMessage]:
        """See `p4.ports.Store`."""
        return await self._watch(self._store.read_outbox(peer_id, after=after, limit=limit))

    async def acknowledge_outbox(self, peer_id: PeerId, *, through: int) -> None:
        """See `p4.ports.Store`."""
        await self._watch(self._store.acknowledge_outbox(peer_id, through=through))

    async def offer_outbox(self, peer_id: PeerId) -> None:
        """See `p4.ports.Store`."""
        await self._watch(self._store.offer_outbox(peer_id))

    async def renew_outbox(self, peer_id: PeerId, *, new_epoch: bytes, known_as: bytes = b"") -> PeerRecord:
        """See `p4.ports.Store`."""
        return await self._watch(self._store.renew_outbox(peer_id, new_epoch=new_epoch, known_as=known_as))

    async def accept_inbox(
        self, peer_id: PeerId, *, epoch: bytes, messages: Iterable[tuple[int, str]], now_ms: int
    ) -> list[InboxMessage]:
        """See `p4.ports.Store`."""
        return await self._watch(
            self._store.accept_inbox(peer_id, epoch=epoch, messages=messages, now_ms=now_ms)
        )

    async def skip_inbox(self, peer_id: PeerId, *, epoch: bytes, to: int) -> None:
        """See `p4.ports.Store`."""
        await self._watch(self._store.skip_inbox(peer_id, epoch=epoch, to=to))

    async def read_inbox(self) -> list[InboxMessage]:
        """See `p4.ports.Store`."""
        return await self._watch(self._store.read_inbox())

    async def consume_inbox(self, message: InboxMessage) -> None:
        """See `p4.ports.Store`."""
        await self._watch(self._store.consume_inbox(message))
