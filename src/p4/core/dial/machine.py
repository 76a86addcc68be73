"""Who dials whom, and which negotiation survives: one machine per contact (spec/signaling.md, "Dial policy").

Pure: `DialMachine.handle` takes an event and the time and returns ordered effects. Every negotiation is a
*generation*, a number that is never used twice; an event that carries an old generation changes nothing.

At most one negotiation runs per contact. A live link stays in service until a newer one has proved
itself (make before break), so an offer that leads nowhere costs nothing.

    attempt        an offer of the contact arrives
    ─────────────  ──────────────────────────────────────────────────────────────────────────────────
    none           answer it
    answering,     answer it instead, unless it is older than the one being answered
    joining
    dialling       nothing of ours was sent yet: stop, answer it
    offered        contact is v1 (it holds its lock and cannot answer us) or has the lower id: stop, answer
                   it; otherwise hold it: it is answered when ours fails or HOLD_SECONDS pass
    opening        contact is v1, has restarted or has given up what it answered: stop, answer it; otherwise
                   hold it
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from p4.core import limits
from p4.core.dial.attempt import Attempt, Held, Phase
from p4.core.dial.events import (
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
    DropRequested,
    Improve,
    LinkLost,
    LinkProven,
    OfferArrived,
    OfferSent,
    OfferWithdrawn,
    PathChanged,
    Stop,
    TimePassed,
    Wake,
)
from p4.core.dial.pace import Pace
from p4.core.identity import PeerId

__all__ = ["DialMachine", "Phase"]


class DialMachine:
    """The state of one contact's connection.

    Args:
        me, peer: the two ids; the lower one (string order) wins glare.
        protocol: highest protocol seen from the contact before: 0 unknown, 1, or 2.
        jitter: gives numbers between 0 and 1; spreads retries.
        retry_max: seconds, the longest delay between two attempts.
    """

    def __init__(
        self,
        me: PeerId,
        peer: PeerId,
        *,
        protocol: int,
        jitter: Callable[[], float],
        retry_max: float = limits.RETRY_MAX_SECONDS,
    ) -> None:
        self._lower = me < peer
        self.protocol = protocol
        self._pace = Pace(jitter, retry_max)
        self._generation = self._failures = 0
        self._attempt: Attempt | None = None
        self._held: Held | None = None
        self._live: int | None = None
        self._retry_at: float | None = None
        self._proven_at, self._proven_ms = 0.0, 0
        self._renewing = self._direct = False
        """Whether the next dial is made although a link is up, and whether it must not lead to a relay."""
        self._awake = self._stopped = False
        self.last_failure = ""

    # -- what the outside may see -------------------------------------------------------------------

    @property
    def live(self) -> int | None:
        """Generation of the link in service, if any."""
        return self._live

    @property
    def phase(self) -> Phase | None:
        """What the attempt in progress is doing, if there is one."""
        return self._attempt.phase if self._attempt else None

    @property
    def attempt(self) -> int | None:
        """Generation of the attempt in progress, if any."""
        return self._attempt.generation if self._attempt else None

    @property
    def tokens(self) -> set[int]:
        """The offers that still matter: the one being answered and the one held."""
        tokens = {self._attempt.token} if self._attempt and self._attempt.token else set()
        return tokens | ({self._held.offer.token} if self._held else set())

    @property
    def retry_at(self) -> float | None:
        """When the next attempt of our own starts, if one is planned."""
        return self._retry_at

    @property
    def deadline(self) -> float | None:
        """When `TimePassed` must be handled, or None."""
        retry_at = self._retry_at if self._awake else None
        attempt, held = self._attempt, self._held
        moments = [retry_at, attempt.deadline if attempt else None, held.until if held else None]
        return min((moment for moment in moments if moment is not None), default=None)

    # -- events -------------------------------------------------------------------------------------

    def handle(self, event: DialEvent, now: float) -> list[DialEffect]:
        """Apply one event.

        Args:
            event: what happened.
            now: monotonic seconds.

        Returns:
            What must be done, in this order.
        """
        if self._stopped:
            return [Decline(event.token)] if isinstance(event, OfferArrived) else []  # its stream shall end
        match event:
            case Wake():
                return self._wake(now)
            case OfferArrived():
                return self._offer_arrived(event, now)
            case OfferWithdrawn():
                return self._offer_withdrawn(event, now)
            case LinkLost(generation) if generation == self._live:
                return self._live_lost(event, now)
            case DropRequested():
                return self._drop(now)
            case PathChanged():
                return self._path_changed(now)
            case Improve():
                return self._improve(now)
            case TimePassed():
                return self._time_passed(now)
            case Stop():
                return self._stop()
            case OfferSent() | AnswerReceived() | AnswerSent() | LinkProven() | AttemptFailed() | LinkLost():
                attempt = self._attempt
                if attempt is None or attempt.generation != event.generation:
                    return []
                return self._attempt_event(attempt, event, now)

    def _attempt_event(
        self,
        attempt: Attempt,
        event: OfferSent | AnswerReceived | AnswerSent | LinkProven | AttemptFailed | LinkLost,
        now: float,
    ) -> list[DialEffect]:
        match event, attempt.phase:
            case OfferSent(_, opened), Phase.DIALLING | Phase.OFFERED:
                opened = opened or attempt.opened
                self._attempt = replace(attempt, phase=Phase.OFFERED, offered_at=now, opened=opened)
                return []
            case AnswerReceived(_, protocol, boot, sent_ms), Phase.OFFERED:
                self.protocol = max(self.protocol, protocol)
                self._attempt = replace(
                    attempt.until(now + limits.LINK_OPEN_SECONDS, Phase.OPENING), boot=boot, sent_ms=sent_ms
                )
                return []
            case AnswerSent(), Phase.ANSWERING:
                self._attempt = attempt.until(now + limits.LINK_OPEN_SECONDS, Phase.JOINING)
                return []
            case LinkProven(generation), (Phase.OPENING | Phase.JOINING | Phase.ANSWERING):
                return self._proven(generation, now)  # perhaps before the write of the answer has returned
            case AttemptFailed(_, reason, busy), _:
                return self._attempt_failed(now, reason, busy=busy)
            case LinkLost(_, reason), _:
                return self._attempt_failed(now, reason, busy=False)
        return []

    def _wake(self, now: float) -> list[DialEffect]:
        first, self._awake = not self._awake, True
        if self._live is not None or self._attempt is not None:
            return []
        self._failures = 0
        if first or self._dials_at_once:
            self._plan(now, self._quiet())
        return self._dial_if_due(now)

    def _offer_arrived(self, offer: OfferArrived, now: float) -> list[DialEffect]:
        self.protocol = max(self.protocol, offer.protocol)
        attempt = self._attempt
        v1 = offer.protocol < 2
        if attempt is None:
            if self._live is not None and not v1 and _is_older(offer.sent_ms, self._proven_ms):
                # It hung on its way while the link in service was negotiated.
                return [Decline(offer.token)]
            return self._answer(offer)
        match attempt.phase:
            case Phase.ANSWERING | Phase.JOINING:
                if _is_older(offer.sent_ms, attempt.sent_ms):
                    return [Decline(offer.token)]
                return [Abandon(attempt.generation), *self._answer(offer)]
            case Phase.OFFERED if self._lower and not v1:
                return self._hold(Held.behind(attempt, offer, now), now)
            case Phase.OPENING if not v1 and offer.boot == attempt.boot and offer.sent_ms <= attempt.sent_ms:
                # It was on its way when the contact answered ours. A newer one means that it gave that up.
                return self._hold(Held.behind(attempt, offer, now), now)
        return [*self._drop_held(), Abandon(attempt.generation), *self._answer(offer)]

    def _offer_withdrawn(self, event: OfferWithdrawn, now: float) -> list[DialEffect]:
        if self._held and self._held.offer.token == event.token:
            self._held = None
            return []
        attempt = self._attempt
        if attempt is None or attempt.token != event.token:
            return []
        if event.cancelled or attempt.phase is Phase.ANSWERING:
            failed = self._attempt_failed(now, "the offer was withdrawn", busy=True)
            if event.cancelled and self._retry_at is not None:
                # It may answer the offer that we gave up for its own: somebody must begin again.
                self._plan(now, max(self._pace.after_cancel(lower=self._lower), self._quiet()))
            return [Abandon(attempt.generation), *failed]
        soon = now + limits.WITHDRAWN_SECONDS
        self._attempt = replace(attempt, deadline=min(attempt.deadline or soon, soon))
        return []

    def _proven(self, generation: int, now: float) -> list[DialEffect]:
        effects: list[DialEffect] = self._drop_held()
        if self._live is not None:
            effects.append(CloseLink(self._live, goodbye=False))
        self._proven_ms = self._attempt.sent_ms if self._attempt else 0
        self._live, self._attempt, self._retry_at, self._proven_at = generation, None, None, now
        self.last_failure = ""
        return [*effects, Adopt(generation)]

    def _attempt_failed(self, now: float, reason: str, *, busy: bool) -> list[DialEffect]:
        self._attempt = None
        if self._live is None:
            self.last_failure = reason
        if self._held:
            return self._answer_held(self._held)
        if self._live is not None:
            return []
        if busy:  # its own offer is on the way; if not, we try again a little later than it would
            self._plan(now, self._pace.after_busy())
            return []
        return self._back_off(now)

    def _back_off(self, now: float) -> list[DialEffect]:
        self._failures += 1
        self._plan(now, max(self._pace.after_failures(self._failures), self._quiet()))
        return []

    def _live_lost(self, event: LinkLost, now: float) -> list[DialEffect]:
        self._live, self.last_failure = None, event.reason
        lived = event.by_peer or now >= self._proven_at + limits.STABLE_SECONDS
        if lived:
            self._failures = 0
        attempt = self._attempt
        early = {Phase.DIALLING, Phase.OFFERED} if attempt and attempt.direct else {Phase.DIALLING}
        if attempt is not None and attempt.beside and attempt.phase in early:
            # It takes its time, which there is no more, or might find less than a relay would.
            self._attempt = None
            self._plan(now, 0.0)
            return [Abandon(attempt.generation), *self._dial_if_due(now)]
        if attempt is not None and attempt.direct and attempt.phase is Phase.OPENING:
            # The contact may have closed this link because the direct one is up; else it will hardly open.
            soon = now + limits.DIRECT_OPENING_SECONDS
            self._attempt = replace(attempt, deadline=min(attempt.deadline or soon, soon))
        if attempt is not None:
            return []
        if not lived:
            # A link that opens and breaks at once must not be dialled in a tight loop.
            return self._back_off(now)
        # Both sides notice most losses together: the higher id lets the lower one's offer arrive first.
        wait_for_peer = event.by_peer or not self._lower
        self._plan(now, max(limits.STAGGER_SECONDS if wait_for_peer else 0.0, self._quiet()))
        return self._dial_if_due(now)

    def _drop(self, now: float) -> list[DialEffect]:
        if self._live is None:
            return []
        effects: list[DialEffect] = [CloseLink(self._live, goodbye=True)]
        self._live = None
        if self._attempt is None:
            self._plan(now, self._quiet())
            effects += self._dial_if_due(now)
        return effects

    def _path_changed(self, now: float) -> list[DialEffect]:
        if not self._awake:
            return []
        # The far end would look for us where we are no more.
        effects: list[DialEffect] = [Abandon(self._attempt.generation)] if self._attempt else []
        self._attempt, self._failures = None, 0
        if self._held:
            return [*effects, *self._answer_held(self._held)]
        self._renewing, self._direct = True, False
        self._plan(now, self._quiet())
        return [*effects, *self._dial_if_due(now)]

    def _improve(self, now: float) -> list[DialEffect]:
        if self._live is None or self._attempt is not None:
            return []
        self._renewing = self._direct = True
        self._plan(now, 0.0)
        return self._dial_if_due(now)

    def _time_passed(self, now: float) -> list[DialEffect]:
        if self._held and now >= self._held.until and self._attempt:
            return [Abandon(self._attempt.generation), *self._answer_held(self._held)]
        attempt = self._attempt
        if attempt and attempt.deadline is not None and now >= attempt.deadline:
            failed = self._attempt_failed(now, "the direct path did not open in time", busy=False)
            return [Abandon(attempt.generation), *failed]
        return self._dial_if_due(now)

    def _stop(self) -> list[DialEffect]:
        effects = self._drop_held()
        if self._attempt:
            effects.append(Abandon(self._attempt.generation))
        if self._live is not None:
            effects.append(CloseLink(self._live, goodbye=True))
        self._attempt, self._live, self._retry_at, self._stopped = None, None, None, True
        return effects

    # -- parts ----------------------------------------------------------------------------------------

    @property
    def _dials_at_once(self) -> bool:
        """v1 dials only from the lower id and cannot answer while it dials: there we keep to its rule."""
        return self._lower or self.protocol >= 2

    def _quiet(self) -> float:
        """Seconds to leave the first word to the contact."""
        if self._dials_at_once:
            return 0.0
        return self._pace.quiet(self.protocol)

    def _plan(self, now: float, delay: float) -> None:
        self._retry_at = now + delay

    def _dial_if_due(self, now: float) -> list[DialEffect]:
        if not self._awake or self._retry_at is None or now < self._retry_at:
            return []
        self._retry_at = None
        renewing, self._renewing = self._renewing, False
        if self._attempt is not None or (self._live is not None and not renewing):
            return []
        direct = self._direct and self._live is not None
        beside = self._live is not None
        self._attempt = Attempt(self._next_generation(), Phase.DIALLING, beside=beside, direct=direct)
        return [Dial(self._attempt.generation, fresh=self._failures > 0, direct=direct, beside=beside)]

    def _answer(self, offer: OfferArrived) -> list[DialEffect]:
        self._retry_at = None
        self._attempt = Attempt(
            self._next_generation(),
            Phase.ANSWERING,
            token=offer.token,
            sent_ms=offer.sent_ms,
            boot=offer.boot,
        )
        return [AnswerOffer(self._attempt.generation, offer.token)]

    def _answer_held(self, held: Held) -> list[DialEffect]:
        self._held = None
        return self._answer(held.offer)

    def _hold(self, held: Held, now: float) -> list[DialEffect]:
        effects = self._drop_held()
        self._held = held
        return [*effects, *self._time_passed(now)]

    def _drop_held(self) -> list[DialEffect]:
        held, self._held = self._held, None
        return [Decline(held.offer.token)] if held else []

    def _next_generation(self) -> int:
        self._generation += 1
        return self._generation


def _is_older(sent_ms: int, than_ms: int) -> bool:
    """Overtaken on its way. By a larger step: the contact's clock was set back."""
    return 0 < than_ms - sent_ms < 60_000
