"""Received messages on their way to the application (spec/session.md, "Messages").

They are on disk. What is here is a window on them: a few hundred per contact and service that an application
reads, and none for others, so that any number may wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from p4.core import limits
from p4.core.identity import PeerId
from p4.core.session.body import decode_body
from p4.core.session.messages.stored import InboxMessage
from p4.core.session.session_frames import Kind
from p4.ports import Clock, Store

if TYPE_CHECKING:
    from p4.node.peer import Peer

__all__ = ["Inbox", "Message", "MessageStream", "Recipient"]


class Recipient(Protocol):
    """A contact whose messages wait here."""

    @property
    def peer(self) -> Peer:
        """As applications see it."""

    @property
    def ended(self) -> bool:
        """The contact was removed, or the node has ended: nothing of it can be taken any more."""

    def take(self, message: InboxMessage) -> Awaitable[None]:
        """The application has taken a message; to be awaited or not, until that is on disk."""

    def hand_over(self, message: InboxMessage) -> None:
        """The application is about to see a message: it can no longer be replaced."""


class Message:
    """A message from a contact.

    It is on our disk. If the process ends before `done`, it comes again after the next start, with the same
    ``id``: an application that writes ``id`` and effect in one transaction acts on each message once.
    """

    __slots__ = ("_decoded", "_recipient", "_stored")

    def __init__(self, stored: InboxMessage, recipient: Recipient) -> None:
        self._stored = stored
        self._recipient = recipient
        self._decoded: tuple[object] | None = None

    def __repr__(self) -> str:
        return f"<Message {self.id} to {self.service!r} from {self.peer.contact.label}>"

    @property
    def peer(self) -> Peer:
        """Who sent it."""
        return self._recipient.peer

    @property
    def id(self) -> str:
        """Names it for ever among the messages of this contact; the sender's receipt has the same."""
        return f"{self._stored.epoch.hex()}-{self._stored.number}"

    @property
    def number(self) -> int:
        """Its place in the contact's queue; later messages have higher numbers, with gaps."""
        return self._stored.number

    @property
    def service(self) -> str:
        """What it is addressed to."""
        return self._stored.service

    @property
    def key(self) -> str:
        """The key of a latest-value message; empty for others."""
        return self._stored.key

    @property
    def value(self) -> Any:
        """What was sent: ``bytes``, or a JSON value.

        Raises:
            FrameError: ``bad-body``: the contact's program sent what is no JSON.
        """
        if self._decoded is None:
            self._decoded = (decode_body(Kind(self._stored.kind), self._stored.body),)
        return self._decoded[0]

    @property
    def sent(self) -> float:
        """When its sender accepted it, Unix seconds by the sender's clock, which may be wrong."""
        return self._stored.sent_ms / 1000

    @property
    def received(self) -> float:
        """When it arrived here, Unix seconds."""
        return self._stored.received_ms / 1000

    def done(self) -> Awaitable[None]:
        """The application has dealt with it.

        Returns:
            Await it to know that the message will not come again: it raises LocalError if the node ended, or
            the contact was removed, before that was on disk. Many may be done together: that costs one write.
        """
        return self._recipient.take(self._stored)


class _Slot:
    """The messages of one contact for one service."""

    def __init__(self, recipient: Recipient, peer_id: PeerId, service: str) -> None:
        self.recipient = recipient
        self.waiting: deque[InboxMessage] = deque()
        self.behind = True
        """More may be on disk than is here."""
        self.peer_id = peer_id
        self._service = service
        self._size = 0
        self._last = 0
        self._loading: asyncio.Task[None] | None = None
        self._missed = False
        self._gone: set[int] = set()

    def add(self, message: InboxMessage) -> None:
        if message.position <= self._last:
            return
        if self._loading is not None:
            self._missed = True
        elif not self.behind:
            full = len(self.waiting) >= limits.INBOX_WINDOW or self._size >= limits.SEND_WINDOW_BYTES
            if full:
                self.behind = True
            else:
                self._extend([message])

    def pop(self) -> InboxMessage:
        message = self.waiting.popleft()
        self._size -= len(message.body)
        return message

    def withdraw(self, positions: frozenset[int]) -> None:
        if self._loading is not None:
            self._gone |= positions  # the disk may have been read before they went
        if any(message.position in positions for message in self.waiting):
            kept = [message for message in self.waiting if message.position not in positions]
            self.waiting.clear()
            self._size = 0
            self._extend(kept)

    def _extend(self, messages: list[InboxMessage]) -> None:
        self.waiting.extend(messages)
        self._size += sum([len(message.body) for message in messages])
        if messages:
            self._last = messages[-1].position

    async def load(self, store: Store) -> None:
        """Read on from disk. Several may wait for it; it goes on if one of them gives up."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._load(store))
        await asyncio.shield(self._loading)

    async def _load(self, store: Store) -> None:
        try:
            self._missed = False
            self._gone.clear()
            found = await store.read_inbox(
                self.peer_id,
                self._service,
                after=self._last,
                limit=limits.INBOX_WINDOW,
                most_bytes=limits.SEND_WINDOW_BYTES,
            )
            self._extend(found)
            self.behind = bool(found) or self._missed
            if self._gone:
                self._loading = None
                self.withdraw(frozenset(self._gone))
        finally:
            self._loading = None


class MessageStream:
    """The messages for a service, without end, oldest first for each contact; see `Node.messages`.

    Any number of streams may read one service: each message goes to one of them.
    """

    def __init__(self, inbox: Inbox, service: str, recipient: Recipient | None) -> None:
        self._inbox = inbox
        self._service = service
        self._recipient = recipient

    def __aiter__(self) -> MessageStream:
        return self

    async def __anext__(self) -> Message:
        message = await self._inbox.next(self._service, self._recipient)
        if message is None:
            raise StopAsyncIteration
        return message


class Inbox:
    """The messages of all contacts for all services, as applications read them.

    Args:
        recipients: the contacts of which messages may wait.
    """

    def __init__(self, recipients: Callable[[], Iterable[Recipient]]) -> None:
        self._recipients = recipients
        self._slots: dict[str, dict[PeerId, _Slot]] = {}
        self._turns: dict[str, dict[PeerId, _Slot]] = {}
        """By service that is read for all contacts: who may have something, and whose turn it is."""
        self._changed: dict[str, asyncio.Event] = {}
        self._store: Store | None = None
        self._clock: Clock | None = None
        self._closed = False

    def start(self, store: Store, clock: Clock) -> None:
        """The store can be read."""
        self._store, self._clock = store, clock
        self._wake_all()

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        self._wake_all()

    def open(self, service: str, recipient: Recipient | None = None) -> MessageStream:
        """The messages for a service, of one contact or of all."""
        return MessageStream(self, service, recipient)

    def arrived(self, recipient: Recipient, messages: Sequence[InboxMessage]) -> None:
        """New messages of a contact are on disk."""
        if recipient.ended:
            return
        peer_id = recipient.peer.peer_id
        for message in messages:
            service = message.service
            slot, turns = self._slots.get(service, {}).get(peer_id), self._turns.get(service)
            if slot is None:
                if turns is None:
                    continue  # nobody reads it: it waits on disk
                slot = self._slot(service, recipient)
            slot.add(message)
            if turns is not None and peer_id not in turns:
                turns[peer_id] = slot
            if (changed := self._changed.get(service)) and not changed.is_set():
                changed.set()

    def withdrawn(self, recipient: Recipient, positions: Sequence[int]) -> None:
        """Newer values have replaced messages of a contact."""
        peer_id, gone = recipient.peer.peer_id, frozenset(positions)
        for slots in self._slots.values():
            if slot := slots.get(peer_id):
                slot.withdraw(gone)

    def forget(self, recipient: Recipient) -> None:
        """The recipient has ended: its own streams end, and those of all contacts go on without it."""
        for slots in (*self._slots.values(), *self._turns.values()):
            slots.pop(recipient.peer.peer_id, None)
        self._wake_all()

    def add(self, recipient: Recipient) -> None:
        """A contact is back of which messages may wait on disk."""
        for service, turns in self._turns.items():
            turns[recipient.peer.peer_id] = self._slot(service, recipient)
        self._wake_all()

    async def next(self, service: str, recipient: Recipient | None) -> Message | None:
        """The next message for a service, of one contact or of all; None once there will be none."""
        while not (self._closed or (recipient is not None and recipient.ended)):
            # Never cleared, because others wait for it too: a set one is replaced.
            if (changed := self._changed.get(service)) is None or changed.is_set():
                changed = self._changed[service] = asyncio.Event()
            if self._store is not None:
                if recipient is None:
                    message = await self._from_any(service, self._store)
                else:
                    message = await self._from(self._slot(service, recipient), self._store)
                if message is not None:
                    return message
            await changed.wait()
        return None

    # -- inside ----------------------------------------------------------------------------------------

    async def _from_any(self, service: str, store: Store) -> Message | None:
        """The contacts take turns: one with many messages must not keep those of others waiting."""
        turns = self._turns.get(service)
        if turns is None:
            turns = self._turns[service] = {}
            for known in self._recipients():
                turns[known.peer.peer_id] = self._slot(service, known)
        while turns:
            peer_id, slot = next(iter(turns.items()))
            message = await self._from(slot, store)
            if turns.get(peer_id) is slot:
                del turns[peer_id]
                if slot.waiting or slot.behind:
                    turns[peer_id] = slot
            if message is not None:
                return message
        return None

    async def _from(self, slot: _Slot, store: Store) -> Message | None:
        while True:
            if found := self._pop(slot):
                return Message(found, slot.recipient)
            if not slot.behind:
                return None
            await slot.load(store)

    def _slot(self, service: str, recipient: Recipient) -> _Slot:
        slots = self._slots.setdefault(service, {})
        peer_id = recipient.peer.peer_id
        if peer_id not in slots:
            slots[peer_id] = _Slot(recipient, peer_id, service)
        return slots[peer_id]

    def _pop(self, slot: _Slot) -> InboxMessage | None:
        now_ms = self._clock.wall_ms() if self._clock else 0
        while slot.waiting:
            message = slot.pop()
            if message.expires_ms and message.expires_ms <= now_ms:
                slot.recipient.take(message)
                continue
            slot.recipient.hand_over(message)
            return message
        return None

    def _wake_all(self) -> None:
        for event in self._changed.values():
            event.set()
