"""The way to one contact: carries out what its dial machine decides."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial

from p4.core import limits
from p4.core.contacts import Contact
from p4.core.dial import (
    Abandon,
    Adopt,
    AnswerOffer,
    AnswerReceived,
    AnswerSent,
    AttemptFailed,
    CloseLink,
    Decline,
    Dial,
    DialEffect,
    DialEvent,
    DialMachine,
    DropRequested,
    LinkLost,
    LinkProven,
    OfferArrived,
    OfferSent,
    OfferWithdrawn,
    Stop,
    TimePassed,
    Wake,
)
from p4.core.session.frames import ByeReason
from p4.core.signaling import Cancel, Offer, Ping, check_sdp
from p4.errors import LinkError, LocalError, P4Error, SignalingError
from p4.node.authentication import Authenticated
from p4.node.background import BackgroundTasks
from p4.node.contact_history import ContactHistory
from p4.node.context import PeerContext
from p4.node.conversation import Conversation
from p4.node.events import LinkDown, LinkUp
from p4.node.link_session import LinkSession, SessionReceiver
from p4.node.negotiation import BusyError, InboundOffer, answer_offer, make_offer, protocol_of
from p4.node.signaling_streams import SignalingStreams
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
        self._receiver = receiver
        self._link_down = link_down
        me, peer_id = context.authenticator.me, contact().peer_id
        self._lower = me < peer_id
        self._machine = DialMachine(
            me,
            peer_id,
            protocol=record.protocol,
            jitter=lambda: context.entropy.uniform(0.0, 1.0),
            retry_max=context.retry_max,
        )
        self._streams = SignalingStreams(
            contact,
            context.authenticator,
            dial=lambda fresh: context.dialler.dial(contact().rendezvous, fresh=fresh),
            sealed=lambda: self._history.sealed,
            on_request=self._request,
            on_ended=self._stream_ended,
            on_warm_lost=self._warm_lost,
        )
        self._sessions: dict[int, LinkSession] = {}
        self._attempts: dict[int, asyncio.Task[None]] = {}
        self._background = BackgroundTasks(self._background_failed)
        self._history = ContactHistory(contact, record, context, self._background)
        self._offers: dict[int, InboundOffer] = {}
        self._tokens = 0
        self._events: deque[DialEvent] = deque()
        self._handling = False
        self._timer: asyncio.TimerHandle | None = None
        self._goodbye = ByeReason.DROPPED
        self._up = asyncio.Event()
        self._served = 0
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
        session = self._sessions.get(self._machine.live or 0)
        return session.round_trip if session else None

    @property
    def state(self) -> str:
        """What is going on, in a word or a short phrase."""
        if self._machine.phase is not None:
            return f"open, {self._machine.phase}" if self.connected else self._machine.phase.value
        if self.connected:
            return "open"
        if self._machine.retry_at is not None:
            seconds = max(0.0, self._machine.retry_at - self._context.clock.monotonic())
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

    async def accept(self, stream: SignalStream, request: Authenticated) -> None:
        """Take over an inbound stream with its first request, which is this contact's, until it ends."""
        conversation = self._streams.accept(stream)
        self._request(conversation, request)
        await conversation.wait_closed()

    async def close(self, goodbye: ByeReason) -> None:
        """End everything; nothing of this peer runs afterwards."""
        self._goodbye = goodbye
        self._closed = True
        self.feed(Stop())
        self._up.set()  # whoever waits for a link learns that none will come
        self._streams.close()
        for task in self._attempts.values():
            task.cancel()
        await asyncio.gather(
            *(asyncio.wait([task], timeout=limits.CLOSE_SECONDS) for task in self._attempts.values()),
            self._background.close(limits.CLOSE_SECONDS),
        )

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
                for token in self._offers.keys() - self._machine.tokens:
                    del self._offers[token]
                self._report(event)
        finally:
            self._handling = False
        self._schedule()

    def _perform(self, effect: DialEffect) -> None:
        match effect:
            case Dial(generation, fresh):
                self._start(generation, self._dial(generation, fresh=fresh))
            case AnswerOffer(generation, token):
                inbound = self._offers[token]
                self._start(generation, self._answer(generation, inbound), inbound)
            case Decline(token):
                inbound = self._offers.pop(token)
                self._background.spawn(inbound.decline())
            case Abandon(generation):
                self._leave_service(generation)
                if task := self._attempts.get(generation):
                    task.cancel()
                if session := self._sessions.pop(generation, None):
                    session.close()
            case CloseLink(generation, goodbye):
                self._leave_service(generation)
                if session := self._sessions.pop(generation, None):
                    session.close(self._goodbye if goodbye else None)
            case Adopt(generation):
                self._in_service = generation
                self._sessions[generation].adopt()

    def _leave_service(self, generation: int) -> None:
        if generation == self._in_service:
            self._in_service = 0
            self._link_down()

    def _report(self, event: DialEvent) -> None:
        live, was_up = self._machine.live, self._up.is_set()
        # No session: it broke while it was adopted, and its LinkLost is the next event.
        session = self._sessions.get(live) if live is not None else None
        if live is not None and session is not None and live != self._served:
            self._served = live
            if session.protocol >= 2:
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
        deadline = self._machine.deadline
        if deadline is not None:
            delay = max(0.0, deadline - self._context.clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self.feed, TimePassed())

    # -- attempts -----------------------------------------------------------------------------------------

    def _session(self, generation: int) -> LinkSession:
        session = LinkSession(
            generation,
            self._contact(),
            self._context.authenticator.me,
            backend=self._context.backend,
            ice=self._context.options.ice,
            clock=self._context.clock,
            receiver=self._receiver(),
            observer=self,
        )
        self._sessions[generation] = session
        return session

    async def _dial(self, generation: int, *, fresh: bool) -> None:
        session = self._session(generation)
        answer = await make_offer(
            session,
            self._streams,
            self._context.authenticator,
            self._history,
            self._context.announce(),
            fresh=fresh,
            sent=lambda: self.feed(OfferSent(generation)),
        )
        boot = answer.p4.boot if answer.p4 else ""
        self.feed(AnswerReceived(generation, protocol_of(answer.p4), boot))
        await session.accept_answer(answer.sdp)

    async def _answer(self, generation: int, inbound: InboundOffer) -> None:
        context, session = self._context, self._session(generation)
        await answer_offer(session, inbound, context.authenticator, context.announce())
        self.feed(AnswerSent(generation))

    def _start(
        self, generation: int, attempt: Coroutine[None, None, None], inbound: InboundOffer | None = None
    ) -> None:
        task = asyncio.create_task(attempt, name=f"attempt {generation} with {self._contact().label}")
        self._attempts[generation] = task
        task.add_done_callback(partial(self._attempt_ended, generation, inbound))

    def _attempt_ended(self, generation: int, inbound: InboundOffer | None, task: asyncio.Task[None]) -> None:
        del self._attempts[generation]
        # A library that gives up may end what it was doing as if we had cancelled it.
        error = task.exception() if not task.cancelled() else LinkError("The attempt was cut off.")
        if error is None:
            return
        if inbound is not None:
            # Also when the task never came to run: an offer without a reply keeps the contact waiting.
            work = inbound.decline() if task.cancelled() else inbound.conversation.fail()
            self._background.spawn(work)
        # ValueError: our own description does not fit into a signaling line.
        if not isinstance(error, P4Error | ValueError):
            _log.error("%s failed", task.get_name(), exc_info=error)
        if self._machine.attempt == generation:
            if session := self._sessions.pop(generation, None):
                session.close()
            self.feed(AttemptFailed(generation, str(error), busy=isinstance(error, BusyError)))

    def _background_failed(self, error: BaseException) -> None:
        level = logging.DEBUG if isinstance(error, P4Error) else logging.ERROR
        _log.log(level, "%s: %s", self._contact().label, error, exc_info=error)

    # -- what links and streams tell ------------------------------------------------------------------------

    def link_proven(self, generation: int) -> None:
        """See `LinkObserver`."""
        self.feed(LinkProven(generation))

    def link_lost(self, generation: int, reason: str, *, by_peer: bool) -> None:
        """See `LinkObserver`."""
        self._leave_service(generation)
        self._sessions.pop(generation, None)
        if task := self._attempts.get(generation):
            task.cancel()  # it would wait for an answer that is of no use any more
        self.feed(LinkLost(generation, reason, by_peer=by_peer))

    def _warm_lost(self) -> None:
        if session := self._sessions.get(self._machine.live or 0):
            session.suspect()

    def _request(self, conversation: Conversation, request: Authenticated) -> None:
        self._history.notice(request.protocol)
        match request.message:
            case Offer() as offer:
                try:
                    check_sdp(offer.sdp)
                except SignalingError:
                    self._background.spawn(conversation.fail())
                    return
                self._tokens += 1
                self._offers[self._tokens] = InboundOffer(conversation, offer)
                boot = offer.p4.boot if offer.p4 else ""
                sent_ms = request.verified.timestamp_ms
                self.feed(OfferArrived(self._tokens, protocol_of(offer.p4), boot, sent_ms))
            case Ping():
                warm = self.protocol >= 2
                self._background.spawn(self._streams.pong(conversation, request, warm=warm))
            case Cancel(session_id):
                # Only what came this way: the same offer may have been sent again on another stream.
                self._withdraw(lambda o: o.conversation is conversation and o.offer.session_id == session_id)

    def _stream_ended(self, conversation: Conversation) -> None:
        self._withdraw(lambda o: o.conversation is conversation)

    def _withdraw(self, withdrawn: Callable[[InboundOffer], bool]) -> None:
        for token in [token for token, inbound in self._offers.items() if withdrawn(inbound)]:
            self.feed(OfferWithdrawn(token))
