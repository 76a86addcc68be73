"""One contact, as applications see it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from p4.core import limits
from p4.core.address import RendezvousAddress
from p4.core.contacts import Contact
from p4.core.identity import PeerId
from p4.core.policy import Policy
from p4.core.session.frames import ByeReason
from p4.core.session.messages.stored import Draft
from p4.core.session.wire import is_grant
from p4.errors import CallRefusedError, InputError, LocalError, StateError
from p4.node.authentication import Authenticated
from p4.node.connection import Connection
from p4.node.context import PeerContext
from p4.node.drafts import CHAT, make_draft
from p4.node.inbox import MessageStream
from p4.node.peer_trust import PeerTrust
from p4.node.receipts import Receipt
from p4.node.relation import Relation
from p4.node.services import require_service
from p4.node.status import LinkGauge, PeerStatus, as_sentence, lane_words
from p4.node.stream_opening import StreamOpening
from p4.node.streams import Stream
from p4.ports import PeerRecord, SignalStream, StreamRecord

__all__ = ["Peer"]


class Peer(PeerTrust):
    """A contact. Made by the node; see `p4.Node.peer`.

    What is sent to it is kept on disk until the contact has it on its own, however long that takes; calls and
    datagrams are for now only.
    """

    def __init__(self, contact: Contact, record: PeerRecord, context: PeerContext) -> None:
        self.contact = contact
        self._record = record
        self._context = context
        self._relation: Relation | None = None
        self._closed = False
        self._gauge = LinkGauge()
        self._down_ms = record.last_seen_ms
        self._connection = Connection(
            lambda: self.contact,
            record,
            context,
            receiver=lambda: self.relation,
            link_down=self._link_down,
        )

    def __repr__(self) -> str:
        return f"<Peer {self.contact.label} {self.state}>"

    # -- how it is ---------------------------------------------------------------------------------------

    @property
    def peer_id(self) -> PeerId:
        """The contact's id."""
        return self.contact.peer_id

    @property
    def name(self) -> str:
        """The name our user gave it; may be empty."""
        return self.contact.name

    @property
    def role(self) -> str:
        """v1's word for our side: ``initiator`` if our id is lower and so wins, or ``responder``."""
        return "initiator" if self._context.authenticator.me_for(self.peer_id) < self.peer_id else "responder"

    @property
    def connected(self) -> bool:
        """Whether a proven link is up."""
        return self._connection.connected

    @property
    def protocol(self) -> int:
        """Highest protocol seen from the contact: 0 unknown, 1 or 2."""
        return self._connection.protocol

    @property
    def queued(self) -> int:
        """Messages accepted and not yet confirmed by the contact."""
        return self._relation.queued if self._relation else self._record.out_waiting

    @property
    def round_trip(self) -> float | None:
        """Smoothed round trip of the present link in seconds, where it is known."""
        return self._connection.round_trip

    @property
    def last_seen_ms(self) -> int:
        """When a link was up before this run, Unix milliseconds; 0 for never."""
        return self._record.last_seen_ms

    @property
    def state(self) -> str:
        """What is going on, in a word or a short phrase."""
        return "blocked" if self.blocked else self._connection.state

    @property
    def last_failure(self) -> str:
        """Why there is no link, as far as is known; empty while one is up."""
        return self._connection.last_failure

    async def status(self) -> PeerStatus:
        """How it is, in figures for a person.

        Throughput is what passed since the last call, smoothed: ask about once a second to watch it.
        """
        clock, connection, relation = self._context.clock, self._connection, self._relation
        if relation is None or not connection.connected:
            self._gauge.measured(None, clock.monotonic())
        elif self._gauge.stale(clock.monotonic()):
            self._gauge.measured(await relation.path(), clock.monotonic())
        try:
            queued_bytes = await self._context.store.outbox_bytes(self.peer_id) if self.queued else 0
        except StateError:
            queued_bytes = None  # the store has told of what is wrong with it
        connected, gauge, now_ms = connection.connected, self._gauge, clock.wall_ms()
        path, round_trip = gauge.path, connection.round_trip
        retry_at = connection.retry_at
        if round_trip is None and path is not None:
            round_trip = path.round_trip
        return PeerStatus(
            peer_id=self.peer_id,
            name=self.name,
            connected=connected,
            state=self.state,
            protocol=connection.protocol,
            policy=connection.policy,
            path=path,
            round_trip=round_trip if connected else None,
            sending=gauge.sending,
            receiving=gauge.receiving,
            queued_messages=self.queued,
            queued_bytes=queued_bytes,
            open_streams=relation.open_streams if relation else 0,
            lanes=lane_words(relation.lanes) if relation else "",
            last_seen_ms=now_ms if connected else self._down_ms,
            why_not="" if connected else as_sentence(connection.last_failure),
            next_attempt_ms=(
                None if retry_at is None else now_ms + max(0, int((retry_at - clock.monotonic()) * 1000))
            ),
        )

    @property
    def policy(self) -> Policy:
        """Which paths to the contact may be used."""
        return self._connection.policy

    async def set_policy(self, policy: Policy | str) -> None:
        """Choose which paths to the contact may be used; on disk when this returns.

        A link that is up is renewed under the new policy.

        Args:
            policy: ``direct``, ``relay-only`` (the contact sees no address of this device) or ``lan-only``.

        Raises:
            InputError: ``bad-policy``, or ``relay-only`` without a TURN server. StateError: not written.
        """
        try:
            wanted = Policy(policy)
        except ValueError:
            raise InputError(
                f"{policy!r} is no policy. There are {', '.join(Policy)}. Nothing was changed.",
                code="bad-policy",
            ) from None
        self._live()
        self._context.options.ice.under(wanted)
        await self._context.store.save_policy(self.peer_id, wanted)
        self._connection.set_policy(wanted)

    # -- what it may do here ---------------------------------------------------------------------------

    @property
    def grants(self) -> tuple[str, ...]:
        """The services that the contact may use here: names, each covering all below it, or ``*``."""
        return self._relation.grants if self._relation else self._record.grants

    async def grant(self, *services: str) -> None:
        """Let the contact use services from now on; on disk when this returns.

        Args:
            services: ``"files"`` covers ``files`` and ``files.read``; ``"*"`` covers everything.

        Raises:
            InputError: ``bad-service`` or ``too-many``. StateError: not written.
        """
        for service in services:
            if not is_grant(service):
                require_service(service)

        def more(grants: tuple[str, ...]) -> tuple[str, ...]:
            wanted = tuple(dict.fromkeys((*grants, *services)))
            if len(wanted) > limits.GRANTS:
                raise InputError(
                    f"A contact can have {limits.GRANTS} grants. A dot groups services: one for 'home' "
                    "covers 'home.light' and 'home.heating'. Nothing was changed.",
                    code="too-many",
                )
            return wanted

        await self._live().change_grants(more)

    async def revoke(self, *services: str) -> None:
        """Let the contact use these no more; on disk when this returns. Raises StateError."""
        await self._live().change_grants(lambda grants: tuple(one for one in grants if one not in services))

    # -- messages --------------------------------------------------------------------------------------

    async def send(
        self, value: object, *, service: str = CHAT, ttl: float | None = None, latest: str = ""
    ) -> Receipt:
        """Hand over a message; it is on disk when this returns, and arrives once, in order.

        Args:
            value: bytes, or a JSON value (a str is one); up to 1 MiB. To ``chat`` go str: what a person says.
            service: which service of the contact it is for.
            ttl: seconds after which it is of no use and is not delivered any more; None for never.
            latest: a key: this value replaces earlier ones with the same key that have not arrived yet.

        Raises:
            InputError: not JSON, too large, an impossible service, key or ttl, or nothing that the contact's
                older program takes. StateError: the quota (``outbox-full``) or the disk. LocalError: the
                contact was removed or the node has ended. Nothing was accepted.
        """
        draft = self._draft(value, service, ttl, latest)
        return (await self._live().send((draft,)))[0]

    async def send_many(
        self, values: Iterable[object], *, service: str = CHAT, ttl: float | None = None
    ) -> list[Receipt]:
        """Hand over several messages, all or none: with one write to disk. See `send`."""
        drafts = tuple(self._draft(value, service, ttl, "") for value in values)
        return await self._live().send(drafts) if drafts else []

    def messages(self, service: str = CHAT) -> MessageStream:
        """The contact's messages for a service; see `p4.Node.messages`."""
        return self._context.services.inbox.open(require_service(service), self.relation)

    def _draft(self, value: object, service: str, ttl: float | None, latest: str) -> Draft:
        self.refuse_if_blocked()
        require_service(service)
        now_ms = self._context.clock.wall_ms()
        chat_only = self.contact.label if self.protocol == 1 else ""
        return make_draft(value, service, ttl=ttl, latest=latest, now_ms=now_ms, chat_only=chat_only)

    # -- streams, calls, datagrams -----------------------------------------------------------------------

    def stream(self, service: str, name: str = "", *, durable: bool = True) -> StreamOpening:
        """A byte stream to a service of the contact; it outlives links and restarts.

        Use it as ``async with peer.stream("files", "film.mkv") as stream`` or await it. If a stream with this
        service and name was opened before and not ended, it is the same stream, and ``stream.written`` says
        where to go on.

        Args:
            name: tells the streams of a service apart, here and for the contact's application; up to 1 KiB.
            durable: False: it outlives links, but not this process; it needs no disk and is quicker.

        Raises:
            InputError: ``bad-service``, ``bad-name``. StreamError: ``not-granted``, ``too-many``, ``closed``.
                StateError: the disk refused. No stream was opened.
        """
        return StreamOpening(lambda: self._live().open_stream(require_service(service), name, durable))

    def unfinished(self, service: str) -> list[Stream]:
        """Streams of a service, and those below it, that are neither over nor left, whoever opened them."""
        return self._live().streams.unfinished(service)

    async def call(
        self, service: str, argument: object = None, *, deadline: float = limits.CALL_SECONDS
    ) -> Any:
        """Ask a service of the contact and wait for its reply. It is executed at most once.

        Args:
            argument: bytes, or a JSON value; up to 1 MiB.
            deadline: seconds until the call is given up, here and there.

        Returns:
            Bytes, or a JSON value.

        Raises:
            InputError: nothing was sent. CallError: no result; ``code`` says why, and whether it may have
                been executed.
        """
        self.refuse_if_blocked()
        if self.protocol == 1:
            raise CallRefusedError(
                f"{self.contact.label} runs an older program, which knows no calls. Nothing was sent.",
                code="not-supported",
            )
        return await self._live().calls.call(require_service(service), argument, deadline=deadline)

    async def ping(self, *, deadline: float = limits.CALL_SECONDS) -> float:
        """The round trip of a call in seconds, through the contact's program. Raises CallError."""
        clock = self._context.clock
        began = clock.monotonic()
        await self.call("ping", deadline=deadline)
        return clock.monotonic() - began

    def send_datagram(self, service: str, data: bytes) -> bool:
        """Send a datagram, up to ``limits.DATAGRAM_BYTES`` bytes. It may be lost, and overtake others.

        Returns:
            False if it was not even sent, because no link is up or it is busy.

        Raises:
            InputError: ``too-large``, ``not-bytes``, ``bad-service``, or ``not-granted`` by the contact.
        """
        return self._live().send_datagram(service, data)

    # -- the link --------------------------------------------------------------------------------------

    def drop(self) -> bool:
        """Close the present link; a new one follows by itself. False if there was none."""
        return not self.blocked and self._connection.drop()

    async def wait_connected(self) -> None:
        """Wait until a proven link is up.

        Raises:
            LocalError: ``not-running``: the node ended or the contact was removed meanwhile.
        """
        await self._connection.wait_connected()

    # -- what the node does ----------------------------------------------------------------------------

    @property
    def relation(self) -> Relation:
        """What persists between us and the contact; made when it is first needed."""
        if self._relation is None:
            self._relation = Relation(self, self._record, self._context)
        return self._relation

    @property
    def may_hold_messages(self) -> bool:
        """Whether messages of the contact may wait for the application."""
        return not self.blocked and (self._relation is not None or self._record.in_waiting > 0)

    def load_streams(self, records: list[StreamRecord]) -> None:
        """Know the streams of earlier runs."""
        self.relation.load_streams(records)

    def wake(self) -> None:
        """Dialling has just become possible or more promising."""
        if not self.blocked:
            self._connection.wake()

    def leave(self, addresses: frozenset[str]) -> bool:
        """Our addresses are these now: a link over others is over; whether there was one."""
        return self._connection.leave(addresses)

    def suspect(self) -> None:
        """The path to the contact may be gone: find out quickly."""
        self._connection.suspect()

    def path_changed(self) -> None:
        """Our addresses or routes changed, or this machine stood still."""
        self._connection.path_changed()

    def seen_nearby(self, addresses: tuple[RendezvousAddress, ...]) -> None:
        """The local network tells where the contact is; empty: not there any more."""
        self._connection.seen_nearby(addresses)

    def announce(self) -> None:
        """What we announce has changed."""
        self._connection.announce()

    async def accept(self, stream: SignalStream, request: Authenticated) -> None:
        """Take over an inbound stream with its first request, which is this contact's, until it ends."""
        await self._connection.accept(stream, request)

    async def close(self, goodbye: ByeReason) -> None:
        """End everything; nothing of this peer runs afterwards."""
        self._closed = True
        await self._connection.close(goodbye)
        if self._relation:
            if goodbye is ByeReason.REMOVED:
                self._relation.forget()
            await self._relation.close()

    def _link_down(self) -> None:
        self._down_ms = self._context.clock.wall_ms()
        self.relation.link_down()

    def _live(self) -> Relation:
        if self._closed:
            raise LocalError(
                f"{self.contact.label} was removed or the node has ended. Nothing was done.", code="closed"
            )
        return self.relation
