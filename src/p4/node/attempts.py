"""The attempts to make a link to one contact, and the links that came of them, by generation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Protocol

from p4.core import limits
from p4.core.candidates import candidate_filter
from p4.core.contacts import Contact
from p4.core.dial import AnswerReceived, AnswerSent, Dial, DialEvent, Improve, LinkProven, OfferSent
from p4.core.policy import Policy
from p4.core.session.frames import ByeReason
from p4.core.signaling import Announcement
from p4.errors import LinkError, P4Error, SignalingError
from p4.node.background import BackgroundTasks
from p4.node.contact_history import ContactHistory
from p4.node.context import PeerContext
from p4.node.improvement import Improvement
from p4.node.inbound_offer import InboundOffer
from p4.node.link_roles import LinkObserver, SessionReceiver
from p4.node.link_session import LinkSession
from p4.node.negotiation import (
    BusyError,
    Negotiated,
    StaleOfferError,
    answer_offer,
    make_offer,
    protocol_of,
)
from p4.node.punching import Punching
from p4.node.signaling_streams import SignalingStreams
from p4.node.ways import Way
from p4.ports import PathKind

__all__ = ["Attempts", "Failed"]

_log = logging.getLogger(__name__)


class _DeclinedError(SignalingError):
    """An offer that cannot lead to anything under our policy."""


class Failed(Protocol):
    """Who is told that an attempt led nowhere."""

    def __call__(self, generation: int, reason: str, *, busy: bool) -> None:
        """``busy``: the contact said that another negotiation goes on."""


class Attempts:
    """Carries out what the dial machine wants tried; one task each.

    Args:
        contact: the contact as it is now.
        policy: which paths may be used.
        feed: gives an event to the dial machine.
        failed: told of an attempt that led nowhere, and why.
        announced: told what the contact announces in its answers.
        receiver, observer: of the links.
    """

    def __init__(
        self,
        contact: Callable[[], Contact],
        context: PeerContext,
        *,
        policy: Callable[[], Policy],
        streams: SignalingStreams,
        history: ContactHistory,
        background: BackgroundTasks,
        feed: Callable[[DialEvent], None],
        failed: Failed,
        announced: Callable[[Announcement | None], None],
        receiver: Callable[[], SessionReceiver],
        observer: LinkObserver,
    ) -> None:
        self._contact = contact
        self._context = context
        self._policy = policy
        self._streams = streams
        self._history = history
        self._background = background
        self._feed = feed
        self._failed = failed
        self._announced = announced
        self._receiver = receiver
        self._observer = observer
        leads = context.authenticator.me_for(contact().peer_id) < contact().peer_id
        self._improvement = Improvement(self._improve, leads=leads)
        self._in_service = 0
        self._sessions: dict[int, LinkSession] = {}
        self._direct: set[int] = set()
        """Those that must not lead to a relay."""
        self._unproven: set[int] = set()
        self._guessing_needless = False
        """Links open without, so that no offer waits for what it would need."""
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def session(self, generation: int | None) -> LinkSession | None:
        """The link of a generation, in whatever state."""
        return self._sessions.get(generation or 0)

    def negotiating(self, session_id: str) -> LinkSession | None:
        """The link of a negotiation."""
        return next((s for s in self._sessions.values() if s.session_id == session_id), None)

    def dial(self, effect: Dial) -> None:
        """Begin an attempt of our own."""
        self._start(effect.generation, self._dial(effect))

    def answer(self, generation: int, inbound: InboundOffer) -> None:
        """Begin to answer the contact's offer."""
        self._start(generation, self._answer(generation, inbound), inbound)

    def abandon(self, generation: int) -> None:
        """Stop an attempt; its link is closed."""
        if task := self._tasks.get(generation):
            task.cancel()
        self.end(generation, None)

    def proven(self, generation: int) -> None:
        """A link has proven itself; the dial machine is told when it is known to be of use."""
        session = self._sessions.get(generation)
        if session is None:
            return
        self._unproven.discard(generation)
        punching = session.description.punching
        searching = punching is not None and punching.needed
        if punching is not None and punching.needless:
            self._guessing_needless = True
        if searching or generation in self._direct:
            self._background.spawn(self._look_at_path(generation, session))
        if generation not in self._direct:
            self._feed(LinkProven(generation))

    def adopt(self, generation: int) -> LinkSession | None:
        """The link that is in service from now on, if it has not broken already."""
        session = self._sessions.get(generation)
        if session:
            self._in_service = generation
            session.adopt()
            self._improvement.watch(session.path)
        return session

    def network_changed(self) -> None:
        """What was found to be needless may not be so here."""
        self._guessing_needless = False

    def end(self, generation: int, goodbye: ByeReason | None) -> None:
        """Close a link, telling the contact why."""
        self._forget(generation)
        if session := self._sessions.pop(generation, None):
            session.close(goodbye)

    def lost(self, generation: int) -> None:
        """A link is over by itself."""
        self._sessions.pop(generation, None)
        self._forget(generation)
        if task := self._tasks.get(generation):
            task.cancel()  # it would wait for an answer that is of no use any more

    async def close(self) -> None:
        """Stop them all and wait for that, a moment."""
        self._improvement.rest()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(
            *(asyncio.wait([task], timeout=limits.CLOSE_SECONDS) for task in self._tasks.values())
        )

    def _session(self, generation: int, *, direct: bool) -> LinkSession:
        policy = self._policy()
        ice = self._context.options.ice.under(policy, relays=not direct)
        session = LinkSession(
            generation,
            self._contact(),
            self._context.authenticator.me_for(self._contact().peer_id),
            backend=self._context.backend,
            ice=ice,
            clock=self._context.clock,
            receiver=self._receiver(),
            observer=self._observer,
            wanted=candidate_filter(policy, relays=not direct),
        )
        guessing = policy is Policy.DIRECT and not self._history.old
        guesser = self._context.port_guesser if guessing else None
        patience = 0.0 if self._guessing_needless else limits.PUNCH_NOTE_SECONDS
        session.description.punching = Punching(guesser, self._contact().peer_id, ice, patience=patience)
        self._sessions[generation] = session
        self._unproven.add(generation)
        if direct:
            self._direct.add(generation)
        return session

    def _improve(self) -> None:
        if self._policy() is Policy.DIRECT and not self._context.options.ice.relay_only:
            self._feed(Improve())

    def _forget(self, generation: int) -> None:
        if generation == self._in_service:
            self._improvement.rest()
        self._direct.discard(generation)
        if generation in self._unproven:
            self._unproven.discard(generation)
            self._guessing_needless = False

    async def _look_at_path(self, generation: int, session: LinkSession) -> None:
        path = await session.path()
        relayed = path is not None and path.kind is PathKind.RELAY
        if not relayed and session.description.punching:
            session.description.punching.settle()  # over a relay the search goes on
        if generation in self._direct:
            if relayed:
                session.fail("no direct path was found")
            else:
                self._feed(LinkProven(generation))

    async def _dial(self, effect: Dial) -> None:
        context, generation = self._context, effect.generation
        session = self._session(generation, direct=effect.direct)
        if effect.beside:
            session.awaited = context.presence.new_addresses
        punching = session.description.punching
        if punching and not effect.fresh:
            punching.begin()  # while the ways are opened
        ways = self._streams.ways(fresh=effect.fresh)
        try:
            negotiated = await self._offer(session, ways, effect)
        except StaleOfferError as stale:
            self.end(generation, None)
            session = self._session(generation, direct=effect.direct)
            ways = [stale.way, *self._streams.ways(fresh=effect.fresh)]
            negotiated = await self._offer(session, ways, effect)
        answer = negotiated.answer
        self._announced(answer.p4)
        boot = answer.p4.boot if answer.p4 else ""
        self._feed(AnswerReceived(generation, protocol_of(answer.p4), boot, negotiated.sent_ms))
        await session.description.accept_answer(answer.sdp)

    async def _offer(self, session: LinkSession, ways: list[Way], effect: Dial) -> Negotiated:
        context = self._context
        return await make_offer(
            session,
            ways,
            context.authenticator,
            self._history,
            replace(context.announce(self._policy()), direct=effect.direct),
            sent=lambda opened: self._feed(OfferSent(effect.generation, opened)),
            more=self._streams.more_ways(fresh=effect.fresh),
        )

    async def _answer(self, generation: int, inbound: InboundOffer) -> None:
        p4 = inbound.offer.p4
        direct = p4 is not None and p4.direct
        if direct and self._policy() is Policy.RELAY_ONLY:
            raise _DeclinedError("This contact gets no direct link.", code="relay-only")
        context, session = self._context, self._session(generation, direct=direct)
        session.session_id = inbound.offer.session_id
        await answer_offer(session, inbound, context.authenticator, context.announce(self._policy()))
        self._feed(AnswerSent(generation))
        await session.description.add_candidates(inbound.candidates)

    def _start(
        self, generation: int, attempt: Coroutine[None, None, None], inbound: InboundOffer | None = None
    ) -> None:
        task = asyncio.create_task(attempt, name=f"attempt {generation} with {self._contact().label}")
        self._tasks[generation] = task
        task.add_done_callback(partial(self._ended, generation, inbound))

    def _ended(self, generation: int, inbound: InboundOffer | None, task: asyncio.Task[None]) -> None:
        del self._tasks[generation]
        # A library that gives up may end what it was doing as if we had cancelled it.
        error = task.exception() if not task.cancelled() else LinkError("The attempt was cut off.")
        if error is None:
            return
        if inbound is not None:
            # Also when the task never came to run: an offer without a reply keeps the contact waiting.
            declined = task.cancelled() or isinstance(error, _DeclinedError)
            work = inbound.decline() if declined else inbound.fail()
            self._background.spawn(work)
        # ValueError: our own description does not fit into a signaling line.
        if not isinstance(error, P4Error | ValueError):
            _log.error("%s failed", task.get_name(), exc_info=error)
        self._failed(generation, str(error), busy=isinstance(error, BusyError))
