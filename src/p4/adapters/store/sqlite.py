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
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from p4.adapters.store import statements
from p4.adapters.store.commits import CommitThread
from p4.core import limits
from p4.core.identity import PeerId
from p4.core.replay import ReplayWindow
from p4.errors import InputError, StateError
from p4.ports import InboxMessage, OutboxMessage, PeerRecord

__all__ = ["SqliteStore"]

_T = TypeVar("_T")

_LARGEST_INTEGER = 2**63 - 1


class SqliteStore:
    """Implements `p4.ports.Store` on one SQLite database.

    Used from one event loop. A caller that is cancelled while it waits leaves its operation in the queue:
    it is carried out, only nobody hears of it.

    Args:
        path: the database file; its directory exists. ``-wal`` and ``-shm`` files appear beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(path)
        self._thread: CommitThread | None = None

    async def open(self) -> None:
        """Open or create the database and bring it to this version's form.

        Raises:
            CorruptFileError: it is damaged; it was set aside with its log files.
            StateError: it cannot be opened, or is of a newer version of P4.
        """
        # Known before it has started: close() then works even if this call is cancelled.
        self._thread = CommitThread(self._path)
        await self._thread.start(asyncio.get_running_loop())

    async def close(self) -> None:
        """Finish what is queued, then close. May be called again."""
        if self._thread is not None:
            await self._thread.stop()

    async def _read(self, operation: Callable[[sqlite3.Connection], _T]) -> _T:
        return await self._running().submit(operation, writes=False)

    async def _write(self, operation: Callable[[sqlite3.Connection], _T]) -> _T:
        return await self._running().submit(operation, writes=True)

    def _running(self) -> CommitThread:
        if self._thread is None:
            raise StateError(
                f"The database {self._path} is not open. Nothing was written.",
                path=str(self._path),
                code="closed",
            )
        return self._thread

    async def load_peers(self) -> dict[PeerId, PeerRecord]:
        """Every record there is."""
        return await self._read(statements.load_peers)

    async def save_peer(self, peer_id: PeerId, record: PeerRecord) -> None:
        """Write ``protocol`` and ``last_seen_ms``; numbers and epochs stay as the other methods left them."""
        await self._write(lambda connection: statements.save_peer(connection, peer_id, record))

    async def forget_peer(self, peer_id: PeerId) -> None:
        """Remove everything about a contact: record, outbox, inbox, replay window."""
        await self._write(lambda connection: statements.forget_peer(connection, peer_id))

    async def load_replay(self, peer_id: PeerId) -> ReplayWindow:
        """The window of accepted envelopes of this sender; an empty one if there is none."""
        return await self._read(lambda connection: statements.load_replay(connection, peer_id))

    async def save_replay(self, peer_id: PeerId, window: ReplayWindow) -> None:
        """Replace it; only the difference to what is stored is written."""
        await self._write(lambda connection: statements.save_replay(connection, peer_id, window))

    async def append_outbox(
        self, peer_id: PeerId, text: str, *, now_ms: int, new_epoch: bytes, offered: bool = False
    ) -> int:
        """Accept a message and return its number.

        Raises:
            InputError: code ``not-unicode``: the text holds half of a surrogate pair.
            StateError: code ``outbox-full`` or the disk's error. Nothing was kept.
        """
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(
                "The text holds a character that no encoding can carry (half of a surrogate pair). "
                "Nothing was queued.",
                code="not-unicode",
            ) from error
        number = await self._write(
            lambda connection: statements.append_outbox(connection, peer_id, text, now_ms, new_epoch, offered)
        )
        if number is None:
            raise StateError(
                f"{limits.OUTBOX_MESSAGES} messages already wait for {peer_id}, the most that are kept. This "
                "one was not queued; the waiting ones are safe. Try again when the contact has been online.",
                path=str(self._path),
                code="outbox-full",
            )
        return number

    async def read_outbox(self, peer_id: PeerId, *, after: int, limit: int) -> list[OutboxMessage]:
        """Unacknowledged messages with a number above ``after``, in order, at most ``limit``."""
        if limit <= 0:
            return []
        after = min(max(after, 0), _LARGEST_INTEGER)
        return await self._read(
            lambda connection: statements.read_outbox(
                connection, peer_id, after, min(limit, _LARGEST_INTEGER)
            )
        )

    async def acknowledge_outbox(self, peer_id: PeerId, *, through: int) -> None:
        """The peer has everything up to and including ``through``; forget it.

        Numbers never given out change nothing: what the peer claims cannot move our own count.
        """
        through = min(max(through, 0), _LARGEST_INTEGER)
        await self._write(lambda connection: statements.acknowledge_outbox(connection, peer_id, through))

    async def offer_outbox(self, peer_id: PeerId) -> None:
        """Whatever is in the outbox may be sent from now on."""
        await self._write(lambda connection: statements.offer_outbox(connection, peer_id))

    async def renew_outbox(self, peer_id: PeerId, *, new_epoch: bytes, known_as: bytes = b"") -> PeerRecord:
        """Name the outbox anew and number what waits in it from 1, in the same order."""
        return await self._write(
            lambda connection: statements.renew_outbox(connection, peer_id, new_epoch, known_as)
        )

    async def accept_inbox(
        self, peer_id: PeerId, *, epoch: bytes, messages: Iterable[tuple[int, str]], now_ms: int
    ) -> list[InboxMessage]:
        """Keep received messages, each exactly once, in one transaction with ``in_epoch`` and ``in_next``.

        Returns:
            Those that are new.

        Raises:
            ValueError: a number outside 1 to 2^53 - 1, which the frame parser lets nobody send.
        """
        batch = list(messages)
        for number, _ in batch:
            if not 1 <= number <= limits.SAFE_INTEGER:
                raise ValueError(f"message number {number} is out of range")
        return await self._write(
            lambda connection: statements.accept_inbox(connection, peer_id, epoch, batch, now_ms)
        )

    async def skip_inbox(self, peer_id: PeerId, *, epoch: bytes, to: int) -> None:
        """Expect ``to`` next in a known epoch, if less was expected."""
        to = min(to, limits.SAFE_INTEGER + 1)
        await self._write(lambda connection: statements.skip_inbox(connection, peer_id, epoch, to))

    async def read_inbox(self) -> list[InboxMessage]:
        """Everything kept and not yet confirmed by the application, in the order of its arrival."""
        return await self._read(statements.read_inbox)

    async def consume_inbox(self, message: InboxMessage) -> None:
        """The application has it; forget its text. Its number stays counted in ``in_next``."""
        await self._write(lambda connection: statements.consume_inbox(connection, message))
