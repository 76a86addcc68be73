"""The way to one contact: carries out what its dial machine decides."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

from p4.core import limits
from p4.core.address import RendezvousAddress
from p4.core.contacts import Contact
from p4.core.dial import (
    Abandon,
    Adopt,
    AnswerOffer,
    AttemptFailed,
    CloseLink,
    Decline,
    Dial,
    DialEffect,
    DialEvent,
    DialMachine,
    DropRequested,
    LinkLost,
    PathChanged,
    Stop,
    TimePassed,
    Wake,
)
from p4.core.identity import PeerId
from p4.core.policy import Policy
from p4.core.sdp import check_sdp
from p4.core.session.frames import ByeReason
from p4.core.signaling import Announcement, Cancel, Candidates, Offer, Ping
from p4.errors import LocalError, P4Error, SignalingError
from p4.node.attempts import Attempts
from p4.node.authentication import Authenticated
from p4.node.background import BackgroundTasks
from p4.node.contact_history import ContactHistory
from p4.node.context import PeerContext
from p4.node.conversation import Conversation
from p4.node.events import LinkDown, LinkUp
from p4.node.inbound_offers import InboundOffers
from p4.node.link_roles import SessionReceiver
from p4.node.negotiation import protocol_of
from p4.node.signaling_streams import SignalingStreams
from p4.node.whereabouts import Whereabouts
from p4.ports import PeerRecord, SignalStream

__all__ = ["Connection"]

_log = logging.getLogger(__name__)


class Connection:
    """Keeps a link to one contact up.

    Args:
        contact: the contact as it is now; its address and name may change.
        record: what the store knows.
        receiver: takes what arrives, and learns which link is in service.
        link_down: told that no link is in service any more.
    """

    def __init__(
        self,
        contact: Callable[[], Contact],
        record: PeerRecord,
        context: PeerContext,
        *,
        receiver: Callable[[], SessionReceiver],
        link_down: Callable[[], None],
    ) -> None:
        self._contact = contact
        self._context = context
        self._link_down = link_down
        me, peer_id = context.authenticator.me_for(contact().peer_id), contact().peer_id
        self._lower = me < peer_id
        self._machine = DialMachine(
            me,
            peer_id,
            protocol=record.protocol,
            jitter=lambda: context.entropy.uniform(0.0, 1.0),
            retry_max=context.retry_max,
        )
        self.policy = Policy(record.policy)
        self.whereabouts = Whereabouts(
            record.reach, lambda text: context.store.save_reach(contact().peer_id, text)
        )
        self._streams = SignalingStreams(
            contact,
            context.authenticator,
            dial=lambda fresh: context.gate.dial(context.dialler, contact(), fresh=fresh),
            dial_endpoint=context.dialler.dial_endpoint,
            endpoints=self._endpoints,
            introducers=self._introducers,
            announce=lambda: context.announce(self.policy),
            sealed=lambda: self._history.sealed,
            on_announced=self._announced,
            on_request=self._request,
            on_ended=self._stream_ended,
            on_warm_lost=self._warm_lost,
        )
        self._background = BackgroundTasks(self._background_failed)
        self._history = ContactHistory(contact, record, context, self._background)
        self._offers = InboundOffers(self.feed, self._background)
        self._attempts = Attempts(
            contact,
            context,
            policy=lambda: self.policy,
            streams=self._streams,
            history=self._history,
            background=self._background,
            feed=self.feed,
            failed=self._attempt_failed,
            announced=self._announced,
            receiver=receiver,
            observer=self,
        )
        self._events: deque[DialEvent] = deque()
        self._handling = False
        self._timer: asyncio.TimerHandle | None = None
        self._goodbye = ByeReason.DROPPED
        self._up = asyncio.Event()
        self._served = 0
        context.introductions.watch(peer_id, self._introducer_linked)
        self._in_service = 0
        self._closed = False

    # -- how it is ------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether a proven link is up."""
        return self._machine.live is not None

    @property
    def protocol(self) -> int:
        """Highest protocol seen from the contact: 0 unknown, 1 or 2."""
        return self._machine.protocol

    @property
    def round_trip(self) -> float | None:
        """Smoothed round trip of the present link in seconds, where it is known."""
        session = self._attempts.session(self._machine.live)
        return session.round_trip if session else None

    @property
    def retry_at(self) -> float | None:
        """Monotonic seconds at which the contact is dialled next; None where nothing is planned."""
        return self._machine.retry_at

    @property
    def state(self) -> str:
        """What is going on, in a word or a short phrase."""
        if self._machine.phase is not None:
            return f"open, {self._machine.phase}" if self.connected else self._machine.phase.value
        if self.connected:
            return "open"
        if self.retry_at is not None:
            seconds = max(0.0, self.retry_at - self._context.clock.monotonic())
            return f"retry in {seconds:.0f} s"
        return "waiting"

    @property
    def last_failure(self) -> str:
        """Why there is no link, as far as is known; empty while one is up."""
        return self._machine.last_failure

    def drop(self) -> bool:
        """Close the present link; a new one follows by itself.

        Returns:
            False if there was none.
        """
        connected = self.connected
        self._goodbye = ByeReason.DROPPED
        self.feed(DropRequested())
        return connected

    async def wait_connected(self) -> None:
        """Wait until a proven link is up.

        Raises:
            LocalError: ``not-running``: the node ended or the contact was removed meanwhile.
        """
        await self._up.wait()
        if self._closed:
            raise LocalError("The node is not running, or the contact was removed.", code="not-running")

    # -- what the node does ---------------------------------------------------------------------------

    def wake(self) -> None:
        """Dialling has just become possible or more promising."""
        self.feed(Wake())

    def leave(self, addresses: frozenset[str]) -> bool:
        """Our addresses are these now: a link over others is over; whether there was one."""
        left = False
        for generation in (self._machine.attempt, self._machine.live):
            session = self._attempts.session(generation)
            if session is not None and session.stranded(addresses):
                left = True
                session.fail("this device has left the network that it went over")
        return left

    def suspect(self) -> None:
        """The path may be gone: find out quickly."""
        if session := self._attempts.session(self._machine.live):
            session.suspect(limits.PATH_PROBE_SECONDS)

    def path_changed(self) -> None:
        """Our addresses or routes changed, or this machine stood still."""
        self._streams.doubt()
        self._attempts.network_changed()
        self.suspect()
        self.feed(PathChanged())

    def seen_nearby(self, addresses: tuple[RendezvousAddress, ...]) -> None:
        """The local network tells where the contact is; empty: not there any more."""
        if self.whereabouts.seen_nearby(addresses) and not self.connected:
            self._streams.look_again()
            self.feed(Wake())

    def set_policy(self, policy: Policy) -> None:
        """Other paths may be used from now on; the link in service may go one of those that may not."""
        changed, self.policy = policy is not self.policy, policy
        if changed:
            self.drop()

    def announce(self) -> None:
        """What we announce has changed: tell the contact, now or with the next link."""
        self._streams.untold = True
        if self.connected:
            self._background.spawn(self._streams.announce())

    async def accept(self, stream: SignalStream, request: Authenticated) -> None:
        """Take over an inbound stream with its first request, which is this contact's, until it ends."""
        conversation = self._streams.accept(stream)
        self._request(conversation, request)
        await conversation.wait_closed()

    async def close(self, goodbye: ByeReason) -> None:
        """End everything; nothing of this peer runs afterwards."""
        self._goodbye = goodbye
        self._closed = True
        self._context.introductions.unwatch(self._contact().peer_id)
        self.feed(Stop())
        self._up.set()  # whoever waits for a link learns that none will come
        self._streams.close()
        await asyncio.gather(self._attempts.close(), self._background.close(limits.CLOSE_SECONDS))

    # -- the machine ------------------------------------------------------------------------------------

    def feed(self, event: DialEvent) -> None:
        """Give the machine an event and carry out what it decides, strictly one event after the other."""
        self._events.append(event)
        if self._handling:
            return
        self._handling = True
        try:
            while self._events:
                event = self._events.popleft()
                effects = self._machine.handle(event, self._context.clock.monotonic())
                _log.debug("%s: %s -> %s", self._contact().label, event, effects)
                for effect in effects:
                    self._perform(effect)
                self._offers.keep(self._machine.tokens)
                self._report(event)
        finally:
            self._handling = False
        self._schedule()

    def _perform(self, effect: DialEffect) -> None:
        match effect:
            case Dial():
                self._attempts.dial(effect)
            case AnswerOffer(generation, token):
                self._attempts.answer(generation, self._offers.get(token))
            case Decline(token):
                inbound = self._offers.pop(token)
                self._background.spawn(inbound.decline())
            case Abandon(generation):
                self._leave_service(generation)
                self._attempts.abandon(generation)
            case CloseLink(generation, goodbye):
                self._leave_service(generation)
                self._attempts.end(generation, self._goodbye if goodbye else None)
            case Adopt(generation):
                self._in_service = generation
                session = self._attempts.adopt(generation)
                if session and session.signaling and not session.closed:
                    self._streams.carry(session.signaling)

    def _leave_service(self, generation: int) -> None:
        if generation == self._in_service:
            self._in_service = 0
            self._link_down()

    def _report(self, event: DialEvent) -> None:
        live, was_up = self._machine.live, self._up.is_set()
        # No session: it broke while it was adopted, and its LinkLost is the next event.
        session = self._attempts.session(live)
        if live is not None and session is not None and live != self._served:
            self._served = live
            if session.protocol >= 2:
                self._streams.end_introduced()
                self._streams.keep_warm(0.5 if self._lower else 15.0)
            self._history.seen(self._machine.protocol)
            self._up.set()
            self._context.emit(LinkUp(self._contact().peer_id, session.protocol))
        elif live is None and was_up:
            self._up.clear()
            self._streams.rest()
            reason = event.reason if isinstance(event, LinkLost) else "we closed it"
            self._history.seen(self._machine.protocol)
            self._context.emit(LinkDown(self._contact().peer_id, reason))

    def _schedule(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if (deadline := self._machine.deadline) is not None:
            delay = max(0.0, deadline - self._context.clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self.feed, TimePassed())

    def _attempt_failed(self, generation: int, reason: str, *, busy: bool) -> None:
        if self._machine.attempt == generation:
            self._attempts.end(generation, None)
            self.feed(AttemptFailed(generation, reason, busy=busy))

    def _background_failed(self, error: BaseException) -> None:
        level = logging.DEBUG if isinstance(error, P4Error) else logging.ERROR
        _log.log(level, "%s: %s", self._contact().label, error, exc_info=error)

    # -- what links and streams tell ------------------------------------------------------------------------

    def link_proven(self, generation: int) -> None:
        """See `LinkObserver`."""
        self._attempts.proven(generation)

    def link_lost(self, generation: int, reason: str, *, by_peer: bool) -> None:
        """See `LinkObserver`."""
        self._leave_service(generation)
        self._attempts.lost(generation)
        self.feed(LinkLost(generation, reason, by_peer=by_peer))

    def _warm_lost(self) -> None:
        if session := self._attempts.session(self._machine.live):
            session.suspect()

    def _announced(self, announcement: Announcement | None) -> None:
        if announcement is not None and announcement.reach is not None:
            contacts = self._context.introductions.contacts()
            self._background.spawn(self.whereabouts.announced(announcement, contacts))

    def _request(self, conversation: Conversation, request: Authenticated) -> None:
        self._history.notice(request.protocol)
        match request.message:
            case Offer() as offer:
                try:
                    check_sdp(offer.sdp)
                except SignalingError:
                    self._background.spawn(conversation.fail())
                    return
                self._announced(offer.p4)
                self._offers.arrived(conversation, offer, request, protocol_of(offer.p4))
            case Ping(_, announcement):
                self._announced(announcement)
                warm = self.protocol >= 2
                self._background.spawn(self._streams.pong(conversation, request, warm=warm))
            case Candidates(session_id, candidates):
                session = self._attempts.negotiating(session_id)
                if session is None:
                    self._offers.candidates(request.message)
                else:
                    self._background.spawn(session.description.add_candidates(candidates))
            case Cancel(session_id):
                self._offers.cancelled(session_id)

    def _endpoints(self) -> tuple[RendezvousAddress, ...]:
        announced = self._history.sealed and self._context.options.direct_signaling
        return self.whereabouts.endpoints(self.policy, announced=announced)  # nearby is version 2 as well

    def _introducers(self) -> list[tuple[str, Callable[[], Awaitable[SignalStream]]]]:
        if not self._history.sealed:
            return []
        introductions = self._context.introductions
        known = introductions.known(self.whereabouts.introducers)[: limits.INTRODUCERS_ASKED]
        return [(one, partial(introductions.open, one, self._contact().peer_id)) for one in known]

    def _introducer_linked(self, introducer: PeerId) -> None:
        if introducer in self.whereabouts.introducers and not self.connected and self._history.sealed:
            self._streams.look_again()
            self.feed(Wake())

    def _stream_ended(self, conversation: Conversation) -> None:
        self._offers.stream_ended(conversation)
