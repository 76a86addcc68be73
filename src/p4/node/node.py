"""A running node: its contacts, its front door, its reachability."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self

from p4.core import limits
from p4.core.address import RendezvousAddress
from p4.core.contacts import Contact
from p4.core.identity import PeerId
from p4.core.invite import Invite
from p4.errors import LocalError, P4Error, StateError
from p4.node.authentication import Authenticated, Authenticator
from p4.node.background import BackgroundTasks, all_of
from p4.node.calls import CallHandler
from p4.node.context import PeerContext
from p4.node.datagrams import DatagramSubscription
from p4.node.dialler import Dialler
from p4.node.event_stream import EventHub, EventStream
from p4.node.events import NodeWarning, RendezvousChanged
from p4.node.gate import GateKeeper
from p4.node.inbox import MessageStream
from p4.node.introductions import Introductions
from p4.node.lifecycle import Lifecycle
from p4.node.listener import Listener
from p4.node.options import NodeOptions
from p4.node.pairing.node_side import NodePairing, PairingApi
from p4.node.parts import NodeParts
from p4.node.peer import Peer
from p4.node.presence import Presence
from p4.node.roster import Roster
from p4.node.services import Services, require_service
from p4.node.streams import IncomingStreams
from p4.node.surroundings import Surroundings
from p4.node.waking import Waking
from p4.node.watched_store import WatchedStore
from p4.ports import LinkBackend, RendezvousPhase, RendezvousStatus, SignalStream

__all__ = ["BaseNode", "NodeParts"]

_log = logging.getLogger(__name__)
_STOPPED = RendezvousStatus(RendezvousPhase.STOPPED, 0, "The node is not running.")


class BaseNode(PairingApi, ABC):
    """A node without its adapters. `p4.Node` is the one with real ones.

    Use it as an async context manager, or call `start` and `close`.
    """

    def __init__(self, options: NodeOptions) -> None:
        self.options = options
        self._events = EventHub()
        self._roster = Roster()
        self._background = BackgroundTasks(self._background_failed)
        self.lifecycle = Lifecycle(self._roster, self._contacts_changed, self._warn, self._background.spawn)
        """Verified and blocked contacts, and the rotation of our own key."""
        self._services = Services(lambda: (peer.relation for peer in self._roster if peer.may_hold_messages))
        self._parts: NodeParts | None = None
        self._context: PeerContext | None = None
        self._listener: Listener | None = None
        self._surroundings: Surroundings | None = None
        self._backend: LinkBackend | None = None
        self._loaded = asyncio.Event()
        self._address: RendezvousAddress | None = None
        self._waking = Waking(self._roster)
        self.pairing = NodePairing(self._roster, self._background)
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
        ring = self.lifecycle.begin(parts)
        authenticator = Authenticator(
            parts.identity, store, parts.clock, parts.entropy, self._find_contact, ring
        )
        authenticator.key_changes = self.lifecycle.key_changes
        self._listener = listener = Listener(authenticator, self._loaded, self._admit, self.pairing)
        # Tor takes longest: everything else is read while it starts.
        starting = asyncio.create_task(parts.rendezvous[0].start(listener.accept, self._observe))
        try:
            await self._load(parts, store, authenticator, listener)
            self._address = await starting
        except BaseException:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            raise
        assert self._backend and self._context  # noqa: S101, PT018 - loaded above
        self._surroundings = Surroundings(
            parts, self._roster, self._backend, self._background, identity_for=ring.signer_for
        )
        await asyncio.gather(self._surroundings.start(listener), self._context.gate.start())
        await self.pairing.start(
            parts, self._context, ring, listener.accept, self.invite, self.add_contact, self._contacts_changed
        )
        self._waking.wake_all()

    async def _load(
        self, parts: NodeParts, store: WatchedStore, authenticator: Authenticator, listener: Listener
    ) -> None:
        backend, _ = await asyncio.gather(parts.load_backend(), store.open())
        self._backend = backend
        self._context = PeerContext(
            authenticator,
            parts.entropy.token(8).hex(),
            self.options.retry_seconds
            or max(limits.RETRY_MAX_SECONDS, len(parts.contacts.contacts) / limits.DIALS_PER_SECOND),
            Dialler(parts.rendezvous),
            backend,
            store,
            parts.clock,
            parts.entropy,
            self.options,
            self._events.emit,
            self._services,
            parts.presence,
            Introductions(
                authenticator.me_for,
                contacts=lambda: [peer.peer_id for peer in self._roster.latest_first()],
                accept=listener.accept,
                spawn=self._background.spawn,
                announce=self._announce,
            ),
            self.lifecycle.key_changes,
            GateKeeper.of(parts, store, self._roster, self._background.spawn, self.options),
            port_guesser=parts.port_guesser,
            stream_lanes=parts.stream_lanes,
        )
        await self._roster.load(parts.contacts, self._context, parts.save_contacts)
        self._services.inbox.start(store, parts.clock)
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
        self._waking.close()
        await self.pairing.close()
        if self._context:
            self._context.introductions.close()
        self._services.close()
        await self._roster.close()

    async def _end_adapters(self, parts: NodeParts) -> None:
        await all_of(
            *([self._surroundings.close()] if self._surroundings else []),
            *(rendezvous.close() for rendezvous in parts.rendezvous),
            *([self._backend.close()] if self._backend else []),
            *([parts.port_guesser.close()] if parts.port_guesser else []),
            *([parts.stream_lanes.close()] if parts.stream_lanes else []),
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
        return self.lifecycle.ring.current.peer_id

    @property
    def status(self) -> RendezvousStatus:
        """How reachable we are."""
        return self._parts.rendezvous[0].status if self._parts else _STOPPED

    @property
    def presence(self) -> Presence:
        """Where else than at the address of its invite it is reached. Available once started."""
        return self._running.presence

    def invite(self) -> Invite:
        """What another device needs to know to become our contact."""
        if self._address is None:
            raise LocalError("The node is not running, so its address is not known.", code="not-running")
        return Invite(self.lifecycle.ring.current.public_key, self._address)

    def events(self) -> EventStream:
        """What happens to our reachability and our links, from now on."""
        return self._events.open()

    # -- what contacts send -----------------------------------------------------------------------------

    def messages(self, service: str = "chat") -> MessageStream:
        """The messages of all contacts for a service, from the oldest that was not done on.

            async for message in node.messages("notes"):
                keep(message.id, message.value)
                message.done()

        They wait on disk, whether anybody reads or not. One that was not done when the process ended comes
        again. Each message goes to one reader.

        Raises:
            InputError: ``bad-service``.
        """
        return self._services.inbox.open(require_service(service))

    def streams(self, service: str, *, durable: bool = True) -> IncomingStreams:
        """The streams that contacts open to a service, also unfinished ones of earlier runs, each once.

        ``durable``: see `Peer.stream`; it is the choice of each side. Raises InputError: ``bad-service``.
        """
        return self._services.streams.incoming(require_service(service), durable=durable)

    def datagrams(self, service: str) -> DatagramSubscription:
        """The datagrams of all contacts for a service, from now on. Raises InputError."""
        return self._services.datagrams.subscribe(require_service(service))

    def serve(self, service: str, handler: CallHandler) -> None:
        """Answer calls for a service, and for those below it, with a coroutine function of an `IncomingCall`.

        What it returns (bytes or a JSON value) is the result; it raises ``CallFailed`` to say why not.

        Raises:
            InputError: ``bad-service``. LocalError: ``already-served``.
        """
        self._services.serve(service, handler)

    def stop_serving(self, service: str) -> None:
        """Answer no more calls for a service; those that run go on."""
        self._services.stop_serving(service)

    # -- contacts -------------------------------------------------------------------------------------------

    def peers(self) -> list[Peer]:
        """All contacts, in the order in which they were added."""
        return list(self._roster)

    def peer(self, reference: str) -> Peer:
        """The contact with this id, unique beginning of an id, or name. Raises ContactError."""
        return self._roster.find(reference)

    def add_contact(self, invite: Invite, name: str = "") -> Peer:
        """Know a device from now on; on disk when this returns. A known one gets its new address.

        Raises:
            InviteError, ContactError: refused, nothing was changed. StateError: not written.
        """
        self._require_open()
        peer = self._roster.add(invite, name, self.peer_id)
        peer.wake()
        self._contacts_changed()
        return peer

    async def remove_contact(self, reference: str) -> Contact:
        """Forget a device: its link ends, what waits for it and from it is deleted.

        Goes on if the caller gives up.

        Raises:
            ContactError: unknown, or being removed. StateError: the disk refused; it still is a contact.
        """
        self._require_open()
        try:
            return await self._roster.remove(reference, self._serve_again)
        finally:
            self._contacts_changed()

    def rename_contact(self, reference: str, name: str) -> Contact:
        """Give a contact another name. Raises ContactError."""
        self._require_open()
        return self._roster.rename(reference, name)

    # -- inside ---------------------------------------------------------------------------------------

    @property
    def _closing(self) -> bool:
        return self._ending is not None

    @property
    def _running(self) -> NodeParts:
        if self._parts is None:
            raise LocalError("The node is not running.", code="not-running")
        return self._parts

    def _require_open(self) -> None:
        if self._context is None or self._closing:
            # The state directory is not ours yet, or not any more.
            raise LocalError("The node is not running. Nothing was changed.", code="not-running")

    def _announce(self) -> None:
        for peer in self._roster.latest_first():
            peer.announce()

    def _contacts_changed(self) -> None:
        if self._surroundings:
            self._surroundings.contacts_changed()
        self.pairing.contacts_changed()

    def _find_contact(self, peer_id: PeerId) -> Contact | None:
        peer = self._roster.get(peer_id)
        return peer.contact if peer else None

    def _serve_again(self, peer: Peer) -> None:
        if not self._closing:
            peer.wake()

    async def _admit(self, stream: SignalStream, request: Authenticated) -> None:
        peer = self._roster.get(request.contact.peer_id)
        if peer is None or self._closing:
            stream.close()
        else:
            await peer.accept(stream, request)

    def _observe(self, status: RendezvousStatus) -> None:
        self._events.emit(RendezvousChanged(status))
        reachable = status.phase in {RendezvousPhase.PUBLISHING, RendezvousPhase.READY}
        if reachable and not self._reachable and self._loaded.is_set():
            self._waking.wake_all()
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
