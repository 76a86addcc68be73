"""Durable memory in one SQLite file, with group commit.

One thread owns the connection. Callers hand it operations; while one transaction reaches the disk the
next operations queue up, and they share the following transaction. So one caller gets its answer after one
disk sync, and sixty-four callers get theirs after one disk sync too.

``synchronous=FULL`` on a write-ahead log: each commit is synced before the caller is told
(https://sqlite.org/pragma.html#pragma_synchronous; NORMAL would lose the last commits at a power cut, and
an acknowledgement may already have left for the peer).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from p4.adapters.store import database, files, inbox, outbox, peers, spool, spools, streams
from p4.adapters.store.commits import CommitThread
from p4.adapters.store.relations import Relations
from p4.core import limits
from p4.core.identity import PeerId
from p4.core.replay import ReplayWindow
from p4.core.session.messages import stored
from p4.errors import StateError
from p4.ports import PeerRecord, StreamRecord

__all__ = ["SqliteStore"]

_T = TypeVar("_T")

_PERFORM: dict[type[stored.Operation], Callable[[Relations, PeerId, Any], Any]] = {
    stored.AppendOutbox: outbox.append,
    stored.ReadOutbox: outbox.read,
    stored.DropOutbox: outbox.drop,
    stored.AcknowledgeOutbox: outbox.acknowledge,
    stored.OfferOutbox: outbox.offer,
    stored.RenewOutbox: outbox.renew,
    stored.AcceptInbox: inbox.accept,
    stored.SkipInbox: inbox.skip,
    stored.ConsumeInbox: inbox.consume,
    stored.ReadWaiting: inbox.read_waiting,
}
_SPOOL_THREADS = 2
"""Streams are written while others are synced."""

_READS = (stored.ReadOutbox, stored.ReadWaiting)


class SqliteStore:
    """Implements `p4.ports.Store` on one SQLite database.

    Used from one event loop. A caller that is cancelled while it waits leaves its operation in the queue:
    it is carried out, only nobody hears of it.

    Args:
        path: the database file; its directory exists. ``-wal`` and ``-shm`` files appear beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(path)
        self._streams = database.streams_of(self._path)
        self._thread: CommitThread | None = None
        self._spooling: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Open or create the database and bring it to this version's form.

        Raises:
            CorruptFileError: it is damaged; it was set aside with its log files.
            StateError: it cannot be opened, or is of a newer version of P4.
        """
        # Known before it has started: close() then works even if this call is cancelled.
        self._thread = CommitThread(self._path)
        await self._thread.start(asyncio.get_running_loop())
        self._spooling = ThreadPoolExecutor(_SPOOL_THREADS, thread_name_prefix="p4-spool")
        try:
            records = await self.load_streams()
            wanted = {(peer_id, record.id) for peer_id, some in records.items() for record in some}
            await self._with_spools(lambda: spools.remove_strays(self._streams, wanted))
        except StateError:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish what is queued, then close. May be called again."""
        if self._thread is not None:
            await self._thread.stop()
        if self._spooling is not None:
            spooling, self._spooling = self._spooling, None
            await asyncio.to_thread(spooling.shutdown)

    async def _read(self, operation: Callable[[Relations], _T]) -> _T:
        return await self._running().submit(operation, writes=False)

    async def _write(self, operation: Callable[[Relations], _T]) -> _T:
        return await self._running().submit(operation, writes=True)

    def _running(self) -> CommitThread:
        if self._thread is None:
            raise self._closed()
        return self._thread

    def _closed(self) -> StateError:
        return StateError(
            f"The database {self._path} is not open. Nothing was written.",
            path=str(self._path),
            code="closed",
        )

    async def load_peers(self) -> dict[PeerId, PeerRecord]:
        """Every record there is."""
        return await self._read(peers.load_peers)

    async def save_peer(self, peer_id: PeerId, record: PeerRecord) -> None:
        """Write ``protocol`` and ``last_seen_ms``; numbers and epochs stay as the other methods left them."""
        await self._write(lambda relations: peers.save_peer(relations, peer_id, record))

    async def save_grants(self, peer_id: PeerId, grants: tuple[str, ...]) -> None:
        """Write which services the contact may use."""
        await self._write(lambda relations: peers.save_grants(relations, peer_id, grants))

    async def save_reach(self, peer_id: PeerId, text: str) -> None:
        """Write what the contact announced about where else it can be reached."""
        await self._write(lambda relations: peers.save_reach(relations, peer_id, text))

    async def save_policy(self, peer_id: PeerId, policy: str) -> None:
        """Write which paths to the contact may be used."""
        await self._write(lambda relations: peers.save_policy(relations, peer_id, policy))

    async def save_gate(self, peer_id: PeerId, text: str) -> None:
        """Write the keys and the address of the gates between us."""
        await self._write(lambda relations: peers.save_gate(relations, peer_id, text))

    async def forget_peer(self, peer_id: PeerId) -> None:
        """Remove everything about a contact: record, grants, messages, streams, replay window."""
        await self._write(lambda relations: peers.forget_peer(relations, peer_id))
        await self._with_spools(lambda: spools.remove_spools(self._streams, peer_id))

    async def load_replay(self, peer_id: PeerId) -> ReplayWindow:
        """The window of accepted envelopes of this sender; an empty one if there is none."""
        return await self._read(lambda relations: peers.load_replay(relations, peer_id))

    async def save_replay(self, peer_id: PeerId, window: ReplayWindow) -> None:
        """Replace it; only the difference to what is stored is written."""
        await self._write(lambda relations: peers.save_replay(relations, peer_id, window))

    async def perform(self, peer_id: PeerId, operation: stored.Operation) -> Any:
        """Do something to a contact's messages, wholly or not at all, in the order of the calls.

        Raises:
            StateError: code ``outbox-full`` or the disk's error. Nothing was done.
            ValueError: a number outside 1 to 2^53 - 1, which the frame parser lets nobody send.
        """
        size = 0
        if isinstance(operation, stored.AppendOutbox):
            size = sum([len(draft.body) for draft in operation.drafts])
        elif isinstance(operation, stored.AcceptInbox):
            size = sum([len(message.body) for message in operation.messages])
            numbers = [operation.through, *[message.number for message in operation.messages]]
            if min(numbers) < 1 or max(numbers) > limits.SAFE_INTEGER:
                raise ValueError(f"a message number is out of range: {min(numbers)} to {max(numbers)}")
        run = _PERFORM[type(operation)]
        return await self._running().submit(
            lambda relations: run(relations, peer_id, operation),
            writes=not isinstance(operation, _READS),
            size=size,
            # Its messages arrived, and that is known to everybody who wants to know.
            patient=isinstance(operation, stored.AcknowledgeOutbox),
        )

    async def outbox_bytes(self, peer_id: PeerId) -> int:
        """Bytes of the bodies of all messages that wait for a contact."""
        return await self._read(lambda relations: outbox.size(relations, peer_id))

    async def read_inbox(
        self, peer_id: PeerId, service: str, *, after: int, limit: int, most_bytes: int
    ) -> list[stored.InboxMessage]:
        """Messages for a service that the application has not taken, in order; see `p4.ports.Store`."""
        return await self._read(
            lambda relations: inbox.read(relations, peer_id, service, after, limit, most_bytes)
        )

    async def load_streams(self) -> dict[PeerId, list[StreamRecord]]:
        """Every open stream, by contact, oldest first."""
        return await self._read(streams.load_streams)

    async def save_stream(self, peer_id: PeerId, record: StreamRecord) -> None:
        """Write the record of a stream, new or known by its id."""
        await self._write(lambda relations: streams.save_stream(relations, peer_id, record))

    async def forget_stream(self, peer_id: PeerId, stream_id: int) -> None:
        """Remove the record of a stream."""
        await self._write(lambda relations: streams.forget_stream(relations, peer_id, stream_id))

    def spool(self, peer_id: PeerId, stream_id: int) -> spool.FileSpool:
        """The bytes of a stream, opened or made."""
        return spool.FileSpool(self._streams, peer_id, stream_id, self._spool_threads)

    def _spool_threads(self) -> ThreadPoolExecutor:
        if self._spooling is None:
            raise self._closed()
        return self._spooling

    async def _with_spools(self, work: Callable[[], None]) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._spool_threads(), work)
        except OSError as error:
            raise files.state_error(error, self._streams, "remove streams in") from error
