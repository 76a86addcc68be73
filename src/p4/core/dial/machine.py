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
        self._jitter = jitter
        self._retry_max = retry_max
        self._generation = 0
        self._attempt: Attempt | None = None
        self._held: Held | None = None
        self._live: int | None = None
        self._retry_at: float | None = None
        self._failures = 0
        self._proven_at = 0.0
        self._renewing = False
        """The next dial is made although a link is up."""
        self._direct = False
        """It must not lead to a relay."""
        self._awake = False
        self._stopped = False
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
            # A late offer is declined so that its stream is not left waiting.
            return [Decline(event.token)] if isinstance(event, OfferArrived) else []
        match event:
            case Wake():
                return self._wake(now)
            case OfferArrived():
                return self._offer_arrived(event, now)
            case OfferWithdrawn(token):
                return self._offer_withdrawn(token, now)
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
            case OfferSent(), Phase.DIALLING:
                self._attempt = replace(attempt, phase=Phase.OFFERED)
                return []
            case AnswerReceived(_, protocol, boot, sent_ms), Phase.OFFERED:
                self.protocol = max(self.protocol, protocol)
                deadline = now + limits.LINK_OPEN_SECONDS
                self._attempt = replace(
                    attempt, phase=Phase.OPENING, boot=boot, sent_ms=sent_ms, deadline=deadline
                )
                return []
            case AnswerSent(), Phase.ANSWERING:
                deadline = now + limits.LINK_OPEN_SECONDS
                self._attempt = replace(attempt, phase=Phase.JOINING, deadline=deadline)
                return []
            case LinkProven(generation), (Phase.OPENING | Phase.JOINING | Phase.ANSWERING):
                # ANSWERING: the link may open before the write of the answer has returned.
                return self._proven(generation, now)
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
        if attempt is None:
            return self._answer(offer)
        v1 = offer.protocol < 2
        match attempt.phase:
            case Phase.ANSWERING | Phase.JOINING:
                age = attempt.sent_ms - offer.sent_ms
                if 0 < age < 60_000:
                    # Overtaken on its way by the newer offer. A larger step: its clock was set back.
                    return [Decline(offer.token)]
                return [Abandon(attempt.generation), *self._answer(offer)]
            case Phase.OFFERED if self._lower and not v1:
                return self._hold(offer, now)
            case Phase.OPENING if not v1 and offer.boot == attempt.boot and offer.sent_ms <= attempt.sent_ms:
                # It was on its way when the contact answered ours. A newer one means that it gave that up.
                return self._hold(offer, now)
        return [*self._drop_held(), Abandon(attempt.generation), *self._answer(offer)]

    def _offer_withdrawn(self, token: int, now: float) -> list[DialEffect]:
        if self._held and self._held.offer.token == token:
            self._held = None
            return []
        attempt = self._attempt
        if attempt is None or attempt.token != token:
            return []
        if attempt.phase is Phase.ANSWERING:
            return [
                Abandon(attempt.generation),
                *self._attempt_failed(now, "the offer was withdrawn", busy=True),
            ]
        # The link may be about to open although the signaling stream is gone.
        soon = now + limits.WITHDRAWN_SECONDS
        self._attempt = replace(attempt, deadline=min(attempt.deadline or soon, soon))
        return []

    def _proven(self, generation: int, now: float) -> list[DialEffect]:
        effects: list[DialEffect] = self._drop_held()
        if self._live is not None:
            effects.append(CloseLink(self._live, goodbye=False))
        self._live, self._attempt, self._retry_at, self._proven_at = generation, None, None, now
        self.last_failure = ""
        return [*effects, Adopt(generation)]

    def _attempt_failed(self, now: float, reason: str, *, busy: bool) -> list[DialEffect]:
        self._attempt = None
        self.last_failure = reason
        if self._held:
            held, self._held = self._held, None
            return self._answer(held.offer)
        if self._live is not None:
            return []
        if busy:
            # Its own offer is on the way; if not, we try again a little later than it would.
            self._plan(now, limits.BUSY_SECONDS * (1 + self._jitter()))
            return []
        return self._back_off(now)

    def _back_off(self, now: float) -> list[DialEffect]:
        self._failures += 1
        delay = min(limits.RETRY_FIRST_SECONDS * 2 ** min(self._failures - 1, 16), self._retry_max)
        spread = 1 + limits.RETRY_JITTER * (2 * self._jitter() - 1)
        self._plan(now, max(delay * spread, self._quiet()))
        return []

    def _live_lost(self, event: LinkLost, now: float) -> list[DialEffect]:
        self._live = None
        self.last_failure = event.reason
        lived = event.by_peer or now >= self._proven_at + limits.STABLE_SECONDS
        if lived:
            self._failures = 0
        attempt = self._attempt
        if attempt is not None and attempt.beside and attempt.phase is Phase.DIALLING:
            # It takes its time, which there is no more.
            self._attempt = None
            self._plan(now, 0.0)
            return [Abandon(attempt.generation), *self._dial_if_due(now)]
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
            held, self._held = self._held, None
            return [*effects, *self._answer(held.offer)]
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
            held, self._held = self._held, None
            return [Abandon(self._attempt.generation), *self._answer(held.offer)]
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
        low, high = limits.QUIET_V1_SECONDS if self.protocol == 1 else limits.QUIET_SECONDS
        return low + (high - low) * self._jitter()

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
        self._attempt = Attempt(self._next_generation(), Phase.DIALLING, beside=beside)
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

    def _hold(self, offer: OfferArrived, now: float) -> list[DialEffect]:
        effects = self._drop_held()
        patience = limits.HOLD_QUICK_SECONDS if offer.quick else limits.HOLD_SECONDS
        self._held = Held(offer, now + patience)
        return effects

    def _drop_held(self) -> list[DialEffect]:
        held, self._held = self._held, None
        return [Decline(held.offer.token)] if held else []

    def _next_generation(self) -> int:
        self._generation += 1
        return self._generation
