"""The chat of a node: takes what contacts say into a history, and sends what we say."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress

from p4.apps.background import Background
from p4.apps.chat import history
from p4.apps.chat.entry import ChatEntry, ChatEvent, Conversation, FileMention
from p4.apps.chat.progress import Change, Progress
from p4.apps.chat.values import read_message, read_value, value_of
from p4.apps.store import AppStore
from p4.core import limits
from p4.core.identity import PeerId
from p4.errors import FrameError, InputError, LocalError, StateError
from p4.node.drafts import CHAT
from p4.node.inbox import Message
from p4.node.node import BaseNode
from p4.node.peer import Peer
from p4.node.receipts import Receipt
from p4.ports import Clock

__all__ = ["SEEN", "TYPING", "ChatApp"]

SEEN = "chat.seen"
TYPING = "chat.typing"

_log = logging.getLogger(__name__)


class ChatApp:
    """Keeps every message of the service ``chat`` once, and what became of ours.

    Args:
        store: open.
        clock: for times in the history, and pauses.
        announce: told of every change, after it is on disk; must not raise.
    """

    def __init__(
        self, store: AppStore, clock: Clock, announce: Callable[[ChatEvent], None] = lambda _event: None
    ) -> None:
        self._store = store
        self._clock = clock
        self._announce = announce
        self._node: BaseNode | None = None
        self._background = Background()
        self._progress: dict[PeerId, Progress] = {}
        self._turns: defaultdict[PeerId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._typed: dict[tuple[PeerId, bool], float] = {}

    async def start(self, node: BaseNode) -> None:
        """Read the history, and take what contacts say from now on.

        Raises:
            StateError: the disk refused; nothing of it runs.
        """
        await self._store.migrate("chat", history.MIGRATIONS)
        await self._store.transaction(history.give_up_interrupted)
        self._node = node
        waiting = await self._store.transaction(history.unsettled)
        known = {peer.peer_id: peer for peer in node.peers()}
        for entry in waiting:
            if peer := known.get(PeerId(entry.peer_id)):
                self._watch(peer, entry)
        self._background.begin(self._take_messages(node), "chat takes messages")
        self._background.begin(self._take_seen(node), "chat takes what was seen")
        self._background.begin(self._take_typing(node), "chat takes who is writing")

    async def close(self) -> None:
        """End; what was said stays on disk."""
        await self._background.close()

    # -- for people --------------------------------------------------------------------------------------

    async def conversations(self) -> list[Conversation]:
        """Every contact's history in short, in the order of the contacts. Raises StateError."""
        peers = [str(peer.peer_id) for peer in self._running.peers()]
        return await self._store.transaction(lambda database: history.conversations(database, peers))

    async def entries(
        self, peer: Peer, *, before: int | None = None, limit: int = 50
    ) -> tuple[list[ChatEntry], int | None]:
        """A page of a contact's history.

        Args:
            before: only what stands before this place; None for the latest.
            limit: most entries, up to `limits.CHAT_PAGE_ENTRIES`; the page ends early where texts are long.

        Returns:
            The entries, oldest first, and the ``before`` of the page before it, None if there is none.

        Raises:
            InputError: ``bad-limit``. StateError.
        """
        if not 1 <= limit <= limits.CHAT_PAGE_ENTRIES:
            raise InputError(
                f"A page has 1 to {limits.CHAT_PAGE_ENTRIES} messages, not {limit}.", code="bad-limit"
            )

        def read(database: sqlite3.Connection) -> tuple[list[ChatEntry], int | None]:
            found = history.entries_before(database, peer.peer_id, before, limit)
            more = bool(found) and history.entries_before(database, peer.peer_id, found[0].position, 1)
            return found, found[0].position if more else None

        return await self._store.transaction(read)

    async def unread(self, peer: Peer) -> int:
        """How many of a contact's messages nobody here was shown. Raises StateError."""
        return await self._store.transaction(lambda database: history.unread(database, peer.peer_id))

    async def send(self, peer: Peer, text: str, file: FileMention | None = None) -> ChatEntry:
        """Say something; it is in the history and in the queue to the contact when this returns.

        Goes on if the caller gives up.

        Raises:
            InputError: ``empty``, ``too-large``, ``bad-file``, ``not-supported``. StateError, LocalError.
                Nothing was sent, and nothing is in the history.
        """
        sending = asyncio.create_task(self._send(peer, value_of(text, file)), name="chat sends")
        return await asyncio.shield(sending)

    async def mark_read(self, peer: Peer, through: int) -> int:
        """A person was shown a contact's messages up to this place; the contact is told.

        Returns:
            How many are unread then.

        Raises:
            StateError: nothing was changed.
        """

        def work(database: sqlite3.Connection) -> tuple[str | None, int]:
            return history.mark_read(database, peer.peer_id, through), history.unread(database, peer.peer_id)

        shown, left = await self._store.transaction(work)
        if shown is not None:
            self._announce(ChatEvent("read", peer.peer_id, unread=left))
            if peer.protocol != 1:
                # A courtesy: that it could not be kept for the contact must not fail what a person does.
                with suppress(InputError, LocalError):
                    await peer.send(
                        {"seen": shown}, service=SEEN, latest="seen", ttl=limits.CHAT_SEEN_TTL_SECONDS
                    )
        return left

    async def clear(self, peer: Peer) -> int:
        """Forget a contact's history, here only; gives the number of messages. Raises StateError."""
        removed = await self._store.transaction(lambda database: history.clear(database, peer.peer_id))
        self._announce(ChatEvent("cleared", peer.peer_id))
        return removed

    async def forget(self, peer_id: PeerId) -> None:
        """A contact was removed: forget what was said, and how much of it was read. Raises StateError."""
        await self._store.transaction(lambda database: history.forget(database, peer_id))
        self._typed.pop((peer_id, True), None)
        self._typed.pop((peer_id, False), None)

    def typing(self, peer: Peer) -> bool:
        """A person is writing to a contact; gives whether it was told (perhaps it was just before)."""
        if not (peer.connected and self._due(peer.peer_id, mine=True)):
            return False
        try:
            return peer.send_datagram(TYPING, b"")
        except InputError:
            return False  # not granted: nothing that a person who writes wants to hear of

    # -- what contacts say -------------------------------------------------------------------------------

    async def _take_messages(self, node: BaseNode) -> None:
        async for message in node.messages(CHAT):
            await self._patiently(message, self._keep)

    async def _take_seen(self, node: BaseNode) -> None:
        async for message in node.messages(SEEN):
            await self._patiently(message, self._keep_seen)

    async def _take_typing(self, node: BaseNode) -> None:
        async for datagram in node.datagrams(TYPING):
            if self._due(datagram.peer.peer_id, mine=False):
                self._announce(ChatEvent("typing", datagram.peer.peer_id))

    async def _patiently(self, message: Message, keep: Callable[[Message], Awaitable[None]]) -> None:
        """The effect and the message's id are on disk before it is done: it counts exactly once."""
        while True:
            try:
                await keep(message)
                break
            except StateError as error:
                _log.warning("A chat message is not kept yet, and stays in the queue: %s", error.message)
                await asyncio.sleep(limits.CHAT_RETRY_SECONDS)
        message.done()

    async def _keep(self, message: Message) -> None:
        said, peer_id, now_ms = read_message(message), message.peer.peer_id, self._clock.wall_ms()

        def work(database: sqlite3.Connection) -> tuple[ChatEntry | None, int]:
            entry = history.add_theirs(
                database, peer_id, message.id, said, sent_ms=int(message.sent * 1000), kept_ms=now_ms
            )
            return entry, history.unread(database, peer_id)

        entry, unread = await self._store.transaction(work)
        if entry is not None:
            self._announce(ChatEvent("message", peer_id, (entry,), unread))

    async def _keep_seen(self, message: Message) -> None:
        try:
            value = message.value
        except FrameError:
            return
        match value:
            case {"seen": str(shown)}:
                peer_id = message.peer.peer_id
                changed = await self._store.transaction(
                    lambda database: history.mark_seen(database, peer_id, shown)
                )
                self._tell(peer_id, changed)

    # -- what we say -------------------------------------------------------------------------------------

    async def _send(self, peer: Peer, value: object) -> ChatEntry:
        said, now_ms = read_value(value), self._clock.wall_ms()
        async with self._turns[peer.peer_id]:  # the history has the order of the queue
            entry = await self._store.transaction(
                lambda database: history.add_mine(database, peer.peer_id, said, now_ms=now_ms)
            )
            try:
                receipt = await peer.send(value)
            except BaseException:
                await self._store.transaction(lambda database: history.take_back(database, entry.position))
                raise
            kept = await self._store.transaction(
                lambda database: history.handed_over(database, entry.position, receipt.id)
            )
            if kept is None:
                return entry  # cleared in this moment
            self._announce(ChatEvent("message", peer.peer_id, (kept,), await self.unread(peer)))
            self._watch(peer, kept)
            return kept

    def _watch(self, peer: Peer, entry: ChatEntry) -> None:
        epoch, _, number = entry.message_id.partition("-")
        receipt = Receipt(peer.relation.receipts, bytes.fromhex(epoch), int(number), CHAT)
        progress = self._progress.get(peer.peer_id)
        if progress is None:
            progress = Progress(
                lambda changes: self._advance(peer.peer_id, changes), lambda: peer.protocol == 1
            )
            self._progress[peer.peer_id] = progress
            self._background.begin(self._run(peer, progress), f"chat watches {peer.contact.label}")
        progress.add(entry.position, receipt, entry.state)

    async def _run(self, peer: Peer, progress: Progress) -> None:
        try:
            await progress.run()
        finally:
            # The contact was removed; one that is added again has other receipts.
            self._progress.pop(peer.peer_id, None)

    async def _advance(self, peer_id: PeerId, changes: list[Change]) -> None:
        while True:
            try:
                changed = await self._store.transaction(lambda database: history.advance(database, changes))
            except StateError as error:
                _log.warning("What became of chat messages is not kept yet: %s", error.message)
                await asyncio.sleep(limits.CHAT_RETRY_SECONDS)
            else:
                self._tell(peer_id, changed)
                return

    # -- inside ------------------------------------------------------------------------------------------

    @property
    def _running(self) -> BaseNode:
        if self._node is None:
            raise LocalError("The chat is not running.", code="not-running")
        return self._node

    def _tell(self, peer_id: PeerId, changed: list[ChatEntry]) -> None:
        if changed:
            self._announce(ChatEvent("receipt", peer_id, tuple(changed)))

    def _due(self, peer_id: PeerId, *, mine: bool) -> bool:
        """Whether it is time for another word of somebody writing."""
        now, last = self._clock.monotonic(), self._typed.get((peer_id, mine))
        # What arrives may have been sent a little early, or come a little late.
        pause = limits.CHAT_TYPING_SECONDS if mine else limits.CHAT_TYPING_SECONDS / 3
        if last is not None and now - last < pause:
            return False
        self._typed[peer_id, mine] = now
        return True
