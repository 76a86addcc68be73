"""A running node: its contacts, its front door, its reachability."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from p4.core import limits
from p4.core.contacts import Contact, ContactBook
from p4.core.identity import Identity, PeerId
from p4.core.invite import Invite
from p4.core.session.frames import ByeReason
from p4.errors import ContactError, LocalError, P4Error
from p4.node.authentication import Authenticated, Authenticator
from p4.node.background import BackgroundTasks
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
        load_backend: imports the library that makes links, which takes a while; called once.
    """

    identity: Identity
    contacts: ContactBook
    save_contacts: Callable[[ContactBook], None]
    store: Store
    rendezvous: Sequence[Rendezvous]
    load_backend: Callable[[], Awaitable[LinkBackend]]
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
        self._backend: LinkBackend | None = None
        self._loaded = asyncio.Event()
        self._book = ContactBook()
        self._peers: dict[PeerId, Peer] = {}
        self._forgetting: set[PeerId] = set()
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
        authenticator = Authenticator(
            parts.identity, parts.store, parts.clock, parts.entropy, self._find_contact
        )
        self._listener = Listener(authenticator, self._loaded, self._admit)
        # Tor takes longest: everything else is read while it starts.
        starting = asyncio.create_task(parts.rendezvous[0].start(self._listener.accept, self._observe))
        try:
            await self._load(parts, authenticator)
            address = await starting
        except BaseException:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            raise
        self._invite = Invite(parts.identity.public_key, address)
        for peer in self._peers.values():
            peer.wake()

    async def _load(self, parts: NodeParts, authenticator: Authenticator) -> None:
        backend, _ = await asyncio.gather(parts.load_backend(), parts.store.open())
        self._backend = backend
        self._context = PeerContext(
            authenticator,
            parts.entropy.token(8).hex(),
            Dialler(parts.rendezvous),
            backend,
            parts.store,
            parts.clock,
            parts.entropy,
            self.options,
            self._events.emit,
        )
        records = await parts.store.load_peers()
        # Book and peers appear in one moment: whoever looks while the node starts finds them in agreement.
        self._book = parts.contacts
        for contact in self._book.contacts:
            self._make_peer(contact, records.get(contact.peer_id, PeerRecord()))
        for peer in list(self._peers.values()):
            await peer.load()
        for message in await parts.store.read_inbox():
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
        peers = list(self._peers.values())
        farewell = limits.GOODBYE_SECONDS if any(peer.connected for peer in peers) else 0
        await _all_of(asyncio.sleep(farewell), *(peer.close(ByeReason.SHUTDOWN) for peer in peers))

    async def _end_adapters(self, parts: NodeParts) -> None:
        await _all_of(
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
        if invite.peer_id in self._forgetting:
            raise ContactError(
                f"{invite.peer_id} is being removed at this moment. Nothing was changed; add it again when "
                "that is done.",
                code="being-removed",
            )
        book = self._book.add(invite, name, me=self.peer_id)
        self._save(book)
        contact = book.find(invite.peer_id)
        peer = self._peers.get(contact.peer_id)
        if peer is None:
            peer = self._make_peer(contact, PeerRecord())
            self._background.spawn(self._wake_when_loaded(peer))
        else:
            peer.contact = contact
            peer.wake()
        return peer

    async def remove_contact(self, reference: str) -> Contact:
        """Forget a device: its link ends and its queued texts are deleted. Raises ContactError."""
        contact = self._book.find(reference)
        peer_id = contact.peer_id
        self._save(self._book.remove(peer_id))
        self._forgetting.add(peer_id)
        try:
            await self._peers.pop(peer_id).close(ByeReason.REMOVED)
            self._need_context.authenticator.forget(peer_id)
            self._events.forget(peer_id)
            await self._running.store.forget_peer(peer_id)
        finally:
            self._forgetting.discard(peer_id)
        return contact

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
        if self._context is None or self._closing:
            # The state directory is not ours yet, or not any more.
            raise LocalError("The node is not running. Nothing was changed.", code="not-running")
        self._running.save_contacts(book)
        self._book = book

    def _find_contact(self, peer_id: PeerId) -> Contact | None:
        peer = self._peers.get(peer_id)
        return peer.contact if peer else None

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
        try:
            await peer.load()
        finally:
            peer.wake()

    def _received(self, messages: Sequence[InboxMessage]) -> None:
        for message in messages:
            self._events.text(message)

    def _consume(self, message: InboxMessage) -> None:
        if self._parts and not self._closing:
            self._background.spawn(self._parts.store.consume_inbox(message))

    async def _admit(self, stream: SignalStream, request: Authenticated) -> None:
        peer = self._peers.get(request.contact.peer_id)
        if peer is None or self._closing:
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

    def _background_failed(self, error: BaseException) -> None:
        if isinstance(error, P4Error):
            _log.warning("%s", error.message)
            self._events.emit(NodeWarning(error.message))
        else:
            _log.error("background work failed", exc_info=error)


async def _all_of(*work: Awaitable[None]) -> None:
    """Wait for all; one that fails must not keep the others from ending, so it is only logged."""
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, BaseException):
            _log.error("while the node ended", exc_info=outcome)
