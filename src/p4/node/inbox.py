"""Received messages on their way to the application (spec/session.md, "Messages").

They are on disk. What is here is a window on them: a few hundred per contact and service that an application
reads, and none for others, so that any number may wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

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

    def take(self, messages: tuple[InboxMessage, ...]) -> asyncio.Future[None]:
        """The application has taken messages; done when that is on disk."""

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
    def value(self) -> object:
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
            Await it to know that the message will not come again. Many may be done together: that costs one
            write to disk.
        """
        return self._recipient.take((self._stored,))


class _Slot:
    """The messages of one contact for one service."""

    def __init__(self, recipient: Recipient, peer_id: PeerId, service: str) -> None:
        self.recipient = recipient
        self.waiting: deque[InboxMessage] = deque()
        self.behind = True
        """More may be on disk than is here."""
        self.peer_id = peer_id
        self._service = service
        self._last = 0
        self._loading: asyncio.Task[None] | None = None
        self._missed = False

    def add(self, message: InboxMessage) -> None:
        if message.position <= self._last:
            return
        if self._loading is not None:
            self._missed = True
        elif not self.behind:
            if len(self.waiting) >= limits.INBOX_WINDOW:
                self.behind = True
            else:
                self.waiting.append(message)
                self._last = message.position

    def withdraw(self, positions: frozenset[int]) -> None:
        if any(message.position in positions for message in self.waiting):
            self.waiting = deque(m for m in self.waiting if m.position not in positions)

    async def load(self, store: Store) -> None:
        """Read on from disk. Several may wait for it; it goes on if one of them gives up."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._load(store))
        await asyncio.shield(self._loading)

    async def _load(self, store: Store) -> None:
        try:
            self._missed = False
            found = await store.read_inbox(
                self.peer_id,
                self._service,
                after=self._last,
                limit=limits.INBOX_WINDOW,
                most_bytes=limits.SEND_WINDOW_BYTES,
            )
            self.waiting.extend(found)
            if found:
                self._last = found[-1].position
            self.behind = bool(found) or self._missed
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
        self._everybody: set[str] = set()
        self._changed: dict[str, asyncio.Event] = {}
        self._store: Store | None = None
        self._clock: Clock | None = None
        self._closed = False

    def start(self, store: Store, clock: Clock) -> None:
        """The store can be read."""
        self._store, self._clock = store, clock
        self._wake(self._changed)

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        self._wake(self._changed)

    def open(self, service: str, recipient: Recipient | None = None) -> MessageStream:
        """The messages for a service, of one contact or of all."""
        return MessageStream(self, service, recipient)

    def arrived(self, recipient: Recipient, messages: Sequence[InboxMessage]) -> None:
        """New messages of a contact are on disk."""
        peer_id = recipient.peer.peer_id
        for message in messages:
            service = message.service
            slot = self._slots.get(service, {}).get(peer_id)
            if slot is None:
                if service not in self._everybody:
                    continue  # nobody reads it: it waits on disk
                slot = self._slot(service, recipient)
            slot.add(message)
            if not (changed := self._changed[service]).is_set():
                changed.set()

    def withdrawn(self, recipient: Recipient, positions: Sequence[int]) -> None:
        """Newer values have replaced messages of a contact."""
        peer_id, gone = recipient.peer.peer_id, frozenset(positions)
        for slots in self._slots.values():
            if slot := slots.get(peer_id):
                slot.withdraw(gone)

    def forget(self, peer_id: PeerId) -> None:
        """The contact was removed, and its messages with it."""
        for slots in self._slots.values():
            slots.pop(peer_id, None)

    async def next(self, service: str, recipient: Recipient | None) -> Message | None:
        """The next message for a service, of one contact or of all; None once the node has ended."""
        changed = self._changed.setdefault(service, asyncio.Event())
        while not self._closed:
            changed.clear()
            for slot in self._readable(service, recipient):
                while True:
                    if found := self._pop(slot):
                        self._serve_last(service, slot)
                        return Message(found, slot.recipient)
                    if not slot.behind or self._store is None:
                        break
                    await slot.load(self._store)
            await changed.wait()
        return None

    # -- inside ----------------------------------------------------------------------------------------

    def _readable(self, service: str, recipient: Recipient | None) -> list[_Slot]:
        if self._store is None:
            return []
        if recipient is not None:
            return [self._slot(service, recipient)]
        if service not in self._everybody:
            self._everybody.add(service)
            for known in self._recipients():
                self._slot(service, known)
        return list(self._slots.setdefault(service, {}).values())

    def _slot(self, service: str, recipient: Recipient) -> _Slot:
        slots = self._slots.setdefault(service, {})
        peer_id = recipient.peer.peer_id
        if peer_id not in slots:
            slots[peer_id] = _Slot(recipient, peer_id, service)
        return slots[peer_id]

    def _serve_last(self, service: str, slot: _Slot) -> None:
        """One contact with many messages must not keep those of others waiting."""
        slots = self._slots[service]
        if len(slots) > 1 and slots.get(slot.peer_id) is slot:
            slots[slot.peer_id] = slots.pop(slot.peer_id)

    def _pop(self, slot: _Slot) -> InboxMessage | None:
        now_ms = self._clock.wall_ms() if self._clock else 0
        while slot.waiting:
            message = slot.waiting.popleft()
            if message.expires_ms and message.expires_ms <= now_ms:
                slot.recipient.take((message,))
                continue
            slot.recipient.hand_over(message)
            return message
        return None

    @staticmethod
    def _wake(events: dict[str, asyncio.Event]) -> None:
        for event in events.values():
            event.set()
