"""A running node: its contacts, its front door, its reachability."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self

from p4.core import limits
from p4.core.contacts import Contact, ContactBook
from p4.core.identity import PeerId
from p4.core.invite import Invite
from p4.core.session.frames import ByeReason
from p4.errors import ContactError, LocalError, P4Error, StateError
from p4.node.authentication import Authenticated, Authenticator
from p4.node.background import BackgroundTasks, all_of
from p4.node.context import PeerContext
from p4.node.dialler import Dialler
from p4.node.event_stream import EventHub, EventStream
from p4.node.events import NodeWarning, RendezvousChanged, TextDelivered
from p4.node.listener import Listener
from p4.node.mailbox import Mailbox
from p4.node.options import NodeOptions
from p4.node.parts import NodeParts
from p4.node.peer import Peer
from p4.node.watched_store import WatchedStore
from p4.ports import InboxMessage, LinkBackend, PeerRecord, RendezvousPhase, RendezvousStatus, SignalStream

__all__ = ["BaseNode", "NodeParts"]

_log = logging.getLogger(__name__)
_STOPPED = RendezvousStatus(RendezvousPhase.STOPPED, 0, "The node is not running.")


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
        self._backend: LinkBackend | None = None
        self._loaded = asyncio.Event()
        self._book = ContactBook()
        self._peers: dict[PeerId, Peer] = {}
        self._records: dict[PeerId, PeerRecord] = {}
        self._removals: dict[PeerId, asyncio.Task[Contact]] = {}
        self._invite: Invite | None = None
        self._background = BackgroundTasks(self._background_failed)
        self._starting: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
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
            StateError, TorError, InputError, LocalError: it cannot run (or was closed meanwhile), and nothing
                of it is running.
        """
        if self._parts is not None or self._closing:
            raise LocalError("A node is started once. Make a new Node to start again.", code="started")
        self._parts = parts = await self._open()
        self._starting = asyncio.create_task(self._bring_up(parts), name="node starts")
        try:
            await self._starting
        except BaseException:
            interrupted = self._starting.cancelled() and self._ending is not None
            with suppress(P4Error):  # what went wrong first is what a person needs to know
                await self.close()
            if interrupted:
                raise LocalError("The node was closed while it started.", code="closed") from None
            raise

    async def _bring_up(self, parts: NodeParts) -> None:
        store = WatchedStore(parts.store, parts.clock, self._warn)
        authenticator = Authenticator(parts.identity, store, parts.clock, parts.entropy, self._find_contact)
        self._listener = Listener(authenticator, self._loaded, self._admit)
        # Tor takes longest: everything else is read while it starts.
        starting = asyncio.create_task(parts.rendezvous[0].start(self._listener.accept, self._observe))
        try:
            await self._load(parts, store, authenticator)
            address = await starting
        except BaseException:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            raise
        self._invite = Invite(parts.identity.public_key, address)
        for peer in self._peers.values():
            peer.wake()

    async def _load(self, parts: NodeParts, store: WatchedStore, authenticator: Authenticator) -> None:
        backend, _ = await asyncio.gather(parts.load_backend(), store.open())
        self._backend = backend
        self._context = PeerContext(
            authenticator,
            parts.entropy.token(8).hex(),
            Dialler(parts.rendezvous),
            backend,
            store,
            parts.clock,
            parts.entropy,
            self.options,
            self._events.emit,
        )
        self._records = await store.load_peers()
        # Book and peers appear in one moment: whoever looks while the node starts finds them in agreement.
        self._book = parts.contacts
        for contact in self._book.contacts:
            self._make_peer(contact)
        for peer in list(self._peers.values()):
            await peer.load()
        for message in await store.read_inbox():
            self._events.text(message)
        self._loaded.set()

    async def close(self) -> None:
        """End the node: links say goodbye, nothing of it keeps running. Takes at most 2 s.

        Everybody who calls it waits for the same end, which goes on if a caller gives up.

        Raises:
            StateError: the store could not be closed well; everything else has ended all the same.
        """
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(), name="node ends")
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        async with AsyncExitStack() as ending:  # each step is taken even if one before it raised
            ending.callback(self._closed.set)
            ending.callback(self._events.close)
            if self._parts is not None:
                ending.push_async_callback(self._release)
                ending.push_async_callback(self._parts.store.close)
                ending.push_async_callback(self._end_adapters, self._parts)
                ending.push_async_callback(self._end_peers)
            if self._starting is not None and not self._starting.done():
                self._starting.cancel()
                await asyncio.wait([self._starting], timeout=limits.CLOSE_SECONDS)

    async def _end_peers(self) -> None:
        if self._listener:
            self._listener.close()
        if self._removals:
            await asyncio.wait(self._removals.values(), timeout=limits.CLOSE_SECONDS)
        peers = list(self._peers.values())
        farewell = limits.GOODBYE_SECONDS if any(peer.connected for peer in peers) else 0
        await all_of(asyncio.sleep(farewell), *(peer.close(ByeReason.SHUTDOWN) for peer in peers))

    async def _end_adapters(self, parts: NodeParts) -> None:
        await all_of(
            *(rendezvous.close() for rendezvous in parts.rendezvous),
            *([self._backend.close()] if self._backend else []),
            self._background.close(limits.CLOSE_SECONDS),
        )

    async def serve_forever(self) -> None:
        """Wait until the node has ended."""
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
        self._refuse_while_removing(invite.peer_id)
        book = self._book.add(invite, name, me=self.peer_id)
        self._save(book)
        contact = book.find(invite.peer_id)
        peer = self._peers.get(contact.peer_id)
        if peer is None:
            peer = self._make_peer(contact)
            self._background.spawn(self._wake_when_loaded(peer))
        else:
            peer.contact = contact
            peer.wake()
        return peer

    async def remove_contact(self, reference: str) -> Contact:
        """Forget a device: its link ends and its queued texts are deleted.

        Goes on if the caller gives up.

        Raises:
            ContactError: unknown, or being removed. StateError: the disk refused; it still is a contact.
        """
        contact = self._book.find(reference)
        self._refuse_while_removing(contact.peer_id)
        self._require_open()
        removal = asyncio.create_task(self._remove(contact), name=f"remove {contact.label}")
        self._removals[contact.peer_id] = removal
        return await asyncio.shield(removal)

    async def _remove(self, contact: Contact) -> Contact:
        peer_id = contact.peer_id
        try:
            await self._peers[peer_id].close(ByeReason.REMOVED)
            # The book comes last: in no book but still on disk, it could come back with old numbers.
            await self._need_context.store.forget_peer(peer_id)
            self._records.pop(peer_id, None)
            self._write(self._book.remove(peer_id))
        except P4Error:
            await self._take_back(contact)
            raise
        else:
            del self._peers[peer_id]
            self._need_context.authenticator.forget(peer_id)
            self._events.forget(peer_id)
            return contact
        finally:
            del self._removals[peer_id]

    async def _take_back(self, contact: Contact) -> None:
        """Its removal failed: serve it again, as the disk knows it."""
        if not self._closing:
            self._records = await self._need_context.store.load_peers()
            peer = self._make_peer(self._book.find(contact.peer_id))
            self._background.spawn(self._wake_when_loaded(peer))

    def rename_contact(self, reference: str, name: str) -> Contact:
        """Give a contact another name. Raises ContactError."""
        peer_id = self._book.find(reference).peer_id
        self._save(self._book.rename(peer_id, name))
        contact = self._peers[peer_id].contact = self._book.find(peer_id)
        return contact

    # -- inside ---------------------------------------------------------------------------------------

    @property
    def _closing(self) -> bool:
        return self._ending is not None

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
        self._require_open()
        self._write(book)

    def _require_open(self) -> None:
        if self._context is None or self._closing:
            # The state directory is not ours yet, or not any more.
            raise LocalError("The node is not running. Nothing was changed.", code="not-running")

    def _write(self, book: ContactBook) -> None:
        self._running.save_contacts(book)
        self._book = book

    def _find_contact(self, peer_id: PeerId) -> Contact | None:
        peer = self._peers.get(peer_id)
        return peer.contact if peer and peer_id not in self._removals else None

    def _refuse_while_removing(self, peer_id: PeerId) -> None:
        if peer_id in self._removals:
            raise ContactError(
                f"{peer_id} is being removed at this moment. Nothing was changed; try again after that.",
                code="being-removed",
            )

    def _make_peer(self, contact: Contact) -> Peer:
        parts, peer_id = self._running, contact.peer_id
        # There may be one although it was in no book (an older book was put back): its numbers go on.
        record = self._records.get(peer_id, PeerRecord())
        mailbox = Mailbox(
            peer_id,
            record,
            self._need_context.store,
            parts.clock,
            parts.entropy,
            room=self._events.room,
            on_received=self._received,
            on_delivered=lambda number: self._events.emit(TextDelivered(peer_id, number)),
            warn=self._warn,
            label=lambda: peer.contact.label,
        )
        peer = self._peers[peer_id] = Peer(contact, record, mailbox, self._need_context)
        return peer

    async def _wake_when_loaded(self, peer: Peer) -> None:
        try:
            await peer.load()
        finally:
            peer.wake()

    def _received(self, messages: Sequence[InboxMessage]) -> None:
        for message in messages:
            self._events.text(message)

    def _consume(self, message: InboxMessage) -> None:
        if self._context and not self._closing:
            self._background.spawn(self._context.store.consume_inbox(message))

    async def _admit(self, stream: SignalStream, request: Authenticated) -> None:
        peer = self._peers.get(request.contact.peer_id)
        if peer is None or peer.peer_id in self._removals or self._closing:
            stream.close()
        else:
            await peer.accept(stream, request)

    def _observe(self, status: RendezvousStatus) -> None:
        self._events.emit(RendezvousChanged(status))
        reachable = status.phase in {RendezvousPhase.PUBLISHING, RendezvousPhase.READY}
        if reachable and not self._reachable and self._loaded.is_set():
            for peer in self._peers.values():
                peer.wake()
        self._reachable = reachable

    def _warn(self, text: str) -> None:
        self._events.emit(NodeWarning(text))

    def _background_failed(self, error: BaseException) -> None:
        if isinstance(error, P4Error):
            _log.warning("%s", error.message)
            if not isinstance(error, StateError):  # of which the watched store tells, once
                self._warn(error.message)
        else:
            _log.error("background work failed", exc_info=error)
