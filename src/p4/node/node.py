"""A running node: its contacts, its front door, its reachability."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from p4.core import limits
from p4.core.contacts import Contact, ContactBook
from p4.core.identity import Identity, PeerId
from p4.core.invite import Invite
from p4.core.session.frames import ByeReason
from p4.core.signaling import WARM, Announcement
from p4.errors import LocalError, P4Error
from p4.node.authentication import Authenticated, Authenticator
from p4.node.context import PeerContext
from p4.node.dialler import Dialler
from p4.node.event_stream import EventHub, EventStream
from p4.node.events import NodeWarning, RendezvousChanged, TextDelivered
from p4.node.listener import Listener
from p4.node.mailbox import Mailbox
from p4.node.options import NodeOptions
from p4.node.peer import Peer
from p4.ports import (
    Clock,
    Entropy,
    InboxMessage,
    LinkBackend,
    PeerRecord,
    Rendezvous,
    RendezvousPhase,
    RendezvousStatus,
    SignalStream,
    Store,
)

__all__ = ["BaseNode", "NodeParts"]

_log = logging.getLogger(__name__)
_STOPPED = RendezvousStatus(RendezvousPhase.STOPPED, 0, "The node is not running.")


@dataclass(frozen=True, slots=True)
class NodeParts:
    """Everything a node is made of.

    Args:
        identity: who it is.
        contacts: whom it knows at the start.
        save_contacts: writes the book to disk before it returns.
        store: durable memory, not yet open.
        rendezvous: the first is started and named in invites; the others only dial.
        backend: makes links.
    """

    identity: Identity
    contacts: ContactBook
    save_contacts: Callable[[ContactBook], None]
    store: Store
    rendezvous: Sequence[Rendezvous]
    backend: LinkBackend
    clock: Clock
    entropy: Entropy


class BaseNode(ABC):
    """A node without its adapters. `p4.Node` is the one with real ones.

    Use it as an async context manager, or call `start` and `close`.
    """

    def __init__(self, options: NodeOptions) -> None:
        self.options = options
        self._events = EventHub(self._consume)
        self._parts: NodeParts | None = None
        self._context: PeerContext | None = None
        self._listener: Listener | None = None
        self._book = ContactBook()
        self._peers: dict[PeerId, Peer] = {}
        self._invite: Invite | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._closed = asyncio.Event()
        self._reachable = False

    @abstractmethod
    async def _open(self) -> NodeParts:
        """Acquire what the node is made of. Raises P4Error, having released what it had acquired."""

    @abstractmethod
    async def _release(self) -> None:
        """Give back what `_open` acquired. Called once, also after a failed start."""

    # -- life -------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the state, become reachable, and begin to look for every contact.

        Returns:
            When invites can be made and contacts are being dialled; being reachable takes longer.

        Raises:
            StateError, TorError, InputError, LocalError: it cannot run, and nothing of it is running.
        """
        if self._parts is not None or self._closed.is_set():
            raise LocalError("A node is started once. Make a new Node to start again.", code="started")
        self._parts = parts = await self._open()
        try:
            await self._bring_up(parts)
        except BaseException:
            await self.close()
            raise

    async def _bring_up(self, parts: NodeParts) -> None:
        await parts.store.open()
        authenticator = Authenticator(
            parts.identity, parts.store, parts.clock, parts.entropy, self._find_contact
        )
        self._context = PeerContext(
            authenticator,
            Announcement.ours(frozenset({WARM}), parts.entropy.token(8).hex()),
            Dialler(parts.rendezvous),
            parts.backend,
            parts.store,
            parts.clock,
            parts.entropy,
            self.options,
            self._events.emit,
        )
        self._book = parts.contacts
        records = await parts.store.load_peers()
        for contact in self._book.contacts:
            await self._add_peer(contact, records.get(contact.peer_id, PeerRecord()))
        for message in await parts.store.read_inbox():
            self._events.text(message)
        self._listener = Listener(authenticator, self._admit)
        own = parts.rendezvous[0]
        address = await own.start(self._listener.accept, self._observe)
        self._invite = Invite(parts.identity.public_key, address)
        for peer in self._peers.values():
            peer.wake()

    async def close(self) -> None:
        """End the node: links say goodbye, nothing of it keeps running. Takes at most 2 s."""
        if self._closed.is_set():
            return
        self._closed.set()
        parts = self._parts
        if parts is not None:
            if self._listener:
                self._listener.close()
            connected = any(peer.connected for peer in self._peers.values())
            await asyncio.gather(*(peer.close(ByeReason.SHUTDOWN) for peer in self._peers.values()))
            if connected:
                await asyncio.sleep(limits.GOODBYE_SECONDS)
            await asyncio.gather(
                parts.backend.close(), *(rendezvous.close() for rendezvous in parts.rendezvous)
            )
            await asyncio.gather(*self._background, return_exceptions=True)
            await parts.store.close()
            await self._release()
        self._events.close()

    async def serve_forever(self) -> None:
        """Wait until the node is closed."""
        await self._closed.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # -- what it is ---------------------------------------------------------------------------------------

    @property
    def peer_id(self) -> PeerId:
        """Our own id. Available once started."""
        return self._running.identity.peer_id

    @property
    def status(self) -> RendezvousStatus:
        """How reachable we are."""
        return self._parts.rendezvous[0].status if self._parts else _STOPPED

    def invite(self) -> Invite:
        """What another device needs to know to become our contact."""
        if self._invite is None:
            raise LocalError("The node is not running, so its address is not known.", code="not-running")
        return self._invite

    def events(self) -> EventStream:
        """Everything that happens from now on, and received texts that nobody has taken yet."""
        return self._events.open()

    # -- contacts -------------------------------------------------------------------------------------------

    def peers(self) -> list[Peer]:
        """All contacts, in the order in which they were added."""
        return [self._peers[contact.peer_id] for contact in self._book.contacts]

    def peer(self, reference: str) -> Peer:
        """The contact with this id, unique beginning of an id, or name. Raises ContactError."""
        return self._peers[self._book.find(reference).peer_id]

    def add_contact(self, invite: Invite, name: str = "") -> Peer:
        """Know a device from now on; on disk when this returns. A known one gets its new address.

        Raises:
            InviteError, ContactError: refused, nothing was changed. StateError: not written.
        """
        book = self._book.add(invite, name, me=self.peer_id)
        self._save(book)
        contact = book.find(invite.peer_id)
        peer = self._peers.get(contact.peer_id)
        if peer is None:
            peer = self._make_peer(contact, PeerRecord())
            self._spawn(self._wake_when_loaded(peer))
        else:
            peer.contact = contact
            peer.wake()
        return peer

    async def remove_contact(self, reference: str) -> Contact:
        """Forget a device: its link ends and its queued texts are deleted. Raises ContactError."""
        contact = self._book.find(reference)
        self._save(self._book.remove(contact.peer_id))
        await self._peers.pop(contact.peer_id).close(ByeReason.REMOVED)
        self._need_context.authenticator.forget(contact.peer_id)
        await self._running.store.forget_peer(contact.peer_id)
        return contact

    def rename_contact(self, reference: str, name: str) -> Contact:
        """Give a contact another name. Raises ContactError."""
        peer_id = self._book.find(reference).peer_id
        self._save(self._book.rename(peer_id, name))
        contact = self._peers[peer_id].contact = self._book.find(peer_id)
        return contact

    # -- inside ---------------------------------------------------------------------------------------

    @property
    def _running(self) -> NodeParts:
        if self._parts is None:
            raise LocalError("The node is not running.", code="not-running")
        return self._parts

    @property
    def _need_context(self) -> PeerContext:
        if self._context is None:
            raise LocalError("The node is not running.", code="not-running")
        return self._context

    def _save(self, book: ContactBook) -> None:
        self._running.save_contacts(book)
        self._book = book

    def _find_contact(self, peer_id: PeerId) -> Contact | None:
        peer = self._peers.get(peer_id)
        return peer.contact if peer else None

    async def _add_peer(self, contact: Contact, record: PeerRecord) -> None:
        await self._make_peer(contact, record).load()

    def _make_peer(self, contact: Contact, record: PeerRecord) -> Peer:
        parts, peer_id = self._running, contact.peer_id
        mailbox = Mailbox(
            peer_id,
            record,
            parts.store,
            parts.clock,
            parts.entropy,
            room=self._events.room,
            on_received=self._received,
            on_delivered=lambda number: self._events.emit(TextDelivered(peer_id, number)),
        )
        peer = self._peers[peer_id] = Peer(contact, record, mailbox, self._need_context)
        return peer

    async def _wake_when_loaded(self, peer: Peer) -> None:
        await peer.load()
        peer.wake()

    def _received(self, messages: Sequence[InboxMessage]) -> None:
        for message in messages:
            self._events.text(message)

    def _consume(self, message: InboxMessage) -> None:
        if self._parts and not self._closed.is_set():
            self._spawn(self._parts.store.consume_inbox(message))

    async def _admit(self, stream: SignalStream, request: Authenticated) -> None:
        peer = self._peers.get(request.contact.peer_id)
        if peer is None or self._closed.is_set():
            stream.close()
        else:
            await peer.accept(stream, request)

    def _observe(self, status: RendezvousStatus) -> None:
        self._events.emit(RendezvousChanged(status))
        reachable = status.phase in {RendezvousPhase.PUBLISHING, RendezvousPhase.READY}
        if reachable and not self._reachable:
            for peer in self._peers.values():
                peer.wake()
        self._reachable = reachable

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background_ended)

    def _background_ended(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, P4Error):
            _log.warning("%s", error.message)
            self._events.emit(NodeWarning(error.message))
        else:
            _log.error("background work failed", exc_info=error)
