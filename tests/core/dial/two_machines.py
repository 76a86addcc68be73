"""Two dial machines and everything between them that can be late, lost or doubled, as a small world.

Each step is one of the things that may happen next; a test tries all orders of them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

from p4.core import limits
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
    DialEvent,
    DialMachine,
    LinkLost,
    LinkProven,
    OfferArrived,
    OfferSent,
    OfferWithdrawn,
    PathChanged,
    TimePassed,
)
from p4.core.identity import PeerId

__all__ = ["Budget", "Step", "World"]

IDS = PeerId("a" * 24), PeerId("b" * 24)
COPIES = 2
"""Streams that carry each offer."""
PATIENCE = limits.WARM_REPLY_SECONDS

Step = tuple[object, ...]
OfferId = tuple[int, int]
"""Who offers, and the generation there."""


@dataclass(frozen=True)
class Budget:
    """How often the world may still be unkind."""

    losses: int = 1
    moves: int = 1
    changes: int = 1
    hurries: int = 1
    """Timers that come to their end while something is on its way that would have stopped them."""


@dataclass(frozen=True)
class Session:
    """What one side has of a link."""

    other: int | None = None
    """The generation at the far end, where it is known."""
    open: bool = False
    dead: bool = False
    """It was made for a network that this side has left since, and will never open."""


class Side:
    """A machine, and what its node knows."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.machine = DialMachine(IDS[index], IDS[1 - index], protocol=2, jitter=lambda: 0.5)
        self.dialling: frozenset[int] = frozenset()
        self.making: tuple[tuple[int, int], ...] = ()
        """Answers that are being made: generation and token."""
        self.waiting: tuple[tuple[int, float], ...] = ()
        """Our offers without a reply: generation and until when it is waited for."""
        self.sessions: dict[int, Session] = {}
        self.offers: dict[int, tuple[OfferId, frozenset[int], tuple[object, ...] | None]] = {}
        """The contact's by token: which, the streams that carried it, the reply."""
        self.known: frozenset[OfferId] = frozenset()
        self.tokens = 0

    def clone(self) -> Side:
        twin = copy.copy(self)
        twin.machine = copy.copy(self.machine)
        twin.sessions = dict(self.sessions)
        twin.offers = dict(self.offers)
        return twin

    def key(self, now: float) -> tuple[object, ...]:
        fields = []
        for name, value in sorted(vars(self.machine).items()):
            if name in {"_pace", "_jitter", "last_failure"}:
                continue
            if name in {"_retry_at", "_proven_at"} and value is not None:
                value = round(value - now, 6)
            elif name == "_attempt" and value is not None and value.deadline is not None:
                value = replace(value, deadline=round(value.deadline - now, 6))
            elif name == "_held" and value is not None:
                value = replace(value, until=round(value.until - now, 6))
            fields.append(value)
        waiting = tuple((gen, round(until - now, 6)) for gen, until in self.waiting)
        return (
            *fields,
            self.dialling,
            self.making,
            waiting,
            tuple(self.sessions.items()),
            tuple(self.offers.items()),
            self.known,
        )


class World:
    """Both sides and what is on its way. `steps` says what may happen next, `after` gives the world then."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.now = 100.0
        self.ms = 0
        self.sides = (Side(0), Side(1))
        self.flying: tuple[Step, ...] = ()
        """In the order of their sending: where to, what, on which stream (each stream keeps its order)."""
        self.answered: frozenset[OfferId] = frozenset()

    def clone(self) -> World:
        twin = copy.copy(self)
        one, other = self.sides
        twin.sides = (one.clone(), other.clone())
        return twin

    def key(self) -> tuple[object, ...]:
        return (self.budget, self.ms, self.flying, *(side.key(self.now) for side in self.sides))

    # -- what may happen --------------------------------------------------------------------------------

    def steps(self) -> Iterator[Step]:
        """Everything that may happen next; what is unkind only as often as the budget allows."""
        yield from self.progress()
        if self.budget.losses:
            yield from (("lose", *what) for what in self._first() if what[1] in {"offer", "answer", "busy"})
        for side in self.sides:
            if self.budget.moves:
                yield "move", side.index
            if self.budget.changes:
                yield "change", side.index
        if self.budget.hurries and self.deadline() is not None:
            yield "hurry", True

    def progress(self) -> list[Step]:
        """What happens by itself before anybody's patience ends."""
        found: list[Step] = [("arrive", *what) for what in self._first()]
        for side in self.sides:
            found += [("opened", side.index, generation) for generation in sorted(side.dialling)]
            found += [("made", side.index, generation) for generation, _ in side.making]
            for generation, session in side.sessions.items():
                far = self.sides[1 - side.index].sessions.get(session.other or 0)
                if far is not None and far.dead:
                    continue
                ready = far is not None and far.other == generation and not session.open
                ready = ready and not session.dead
                if ready and side.machine.attempt == generation:
                    found.append(("proven", side.index, generation))
        return found

    def deadline(self) -> float | None:
        moments = [side.machine.deadline for side in self.sides]
        moments += [until for side in self.sides for _, until in side.waiting]
        return min((moment for moment in moments if moment is not None), default=None)

    def _first(self) -> Iterator[Step]:
        """What may arrive next: of each stream its first."""
        seen = set()
        for what in self.flying:
            stream = (what[0], what[2], what[3])
            if stream not in seen:
                seen.add(stream)
                yield what

    # -- what happens then ------------------------------------------------------------------------------

    def after(self, step: Step) -> World:
        """The world after a step."""
        twin = self.clone()
        twin._do(step)
        return twin

    def _do(self, step: Step) -> None:
        match step:
            case ("arrive", *what):
                self._remove(tuple(what))
                self._arrive(*what)
            case ("lose", *what):
                self._remove(tuple(what))
                self.budget = replace(self.budget, losses=self.budget.losses - 1)
            case ("opened", int(index), int(generation)):
                self._offer(self.sides[index], generation)
            case ("made", int(index), int(generation)):
                self._answer(self.sides[index], generation)
            case ("proven", int(index), int(generation)):
                side = self.sides[index]
                side.sessions[generation] = replace(side.sessions[generation], open=True)
                self.feed(index, LinkProven(generation))
            case ("move", int(index)):
                self.budget = replace(self.budget, moves=self.budget.moves - 1)
                self._move(self.sides[index])
            case ("change", int(index)):
                self.budget = replace(self.budget, changes=self.budget.changes - 1)
                self.feed(index, PathChanged())
            case ("hurry", bool(hurried)):
                if hurried:
                    self.budget = replace(self.budget, hurries=self.budget.hurries - 1)
                self._pass_time()

    def _remove(self, what: Step) -> None:
        position = self.flying.index(what)
        self.flying = self.flying[:position] + self.flying[position + 1 :]

    def _send(self, to: int, kind: str, about: object, stream: int, *more: object) -> None:
        self.flying += ((to, kind, about, stream, *more),)

    def _offer(self, side: Side, generation: int) -> None:
        side.dialling -= {generation}
        self.feed(side.index, OfferSent(generation))
        side.sessions[generation] = Session()
        side.waiting += ((generation, self.now + PATIENCE),)
        self.ms += 1
        for stream in range(COPIES):
            self._send(1 - side.index, "offer", (side.index, generation), stream, self.ms)

    def _answer(self, side: Side, generation: int) -> None:
        token = dict(side.making)[generation]
        side.making = tuple(one for one in side.making if one[0] != generation)
        assert token in side.offers, "an offer is answered that does not matter any more"
        offer, streams, _ = side.offers[token]
        assert offer not in self.answered, "two answers to one description spoil each other's handshake"
        self.answered |= {offer}
        side.sessions[generation] = Session(other=offer[1])
        self.ms += 1
        reply = ("answer", generation, self.ms)
        side.offers[token] = offer, streams, reply
        for stream in sorted(streams):
            self._send(offer[0], "answer", offer, stream, generation, self.ms)
        self.feed(side.index, AnswerSent(generation))

    def _arrive(self, to: object, kind: object, about: object, stream: object, *more: object) -> None:
        assert isinstance(to, int)
        assert isinstance(stream, int)
        side = self.sides[to]
        if kind == "lost":
            assert isinstance(about, int)
            if about in side.sessions:
                del side.sessions[about]
                self.feed(to, LinkLost(about, "gone"))
            return
        assert isinstance(about, tuple)
        match kind, more:
            case "offer", (int(sent_ms),):
                self._offer_arrived(side, about, stream, sent_ms)
            case "withdraw", ():
                for token, (offer, _, _) in list(side.offers.items()):
                    if offer == about:
                        self.feed(to, OfferWithdrawn(token, cancelled=True))
            case "answer", (int(generation), int(sent_ms)) if about[1] in dict(side.waiting):
                side.waiting = tuple(one for one in side.waiting if one[0] != about[1])
                side.sessions[about[1]] = replace(side.sessions[about[1]], other=generation)
                self.feed(to, AnswerReceived(about[1], 2, "boot", sent_ms))
            case "busy", () if about[1] in dict(side.waiting):
                self._failed(side, about[1], busy=True)

    def _offer_arrived(self, side: Side, offer: OfferId, stream: int, sent_ms: int) -> None:
        for token, (known, streams, reply) in side.offers.items():
            if known == offer:
                side.offers[token] = known, streams | {stream}, reply
                if reply is not None:
                    self._send(offer[0], "answer", offer, stream, *reply[1:])
                return
        if offer in side.known:
            return
        side.known |= {offer}
        side.tokens += 1
        side.offers[side.tokens] = offer, frozenset({stream}), None
        self.feed(side.index, OfferArrived(side.tokens, 2, "boot", sent_ms))

    def _failed(self, side: Side, generation: int, *, busy: bool) -> None:
        """An attempt of a side led nowhere, and its node says so to the machine."""
        self._drop(side, generation)
        self.feed(side.index, AttemptFailed(generation, "failed", busy=busy))

    def _move(self, side: Side) -> None:
        """A device has left its network: its links are dead, the far ends notice it when they notice it."""
        for generation, session in list(side.sessions.items()):
            if session.other is None:
                side.sessions[generation] = replace(session, dead=True)
                continue  # nothing of it is known to be lost
            del side.sessions[generation]
            if session.open or self._far_is_open(side, session):
                self._send(1 - side.index, "lost", session.other, 0)
            self.feed(side.index, LinkLost(generation, "left the network"))
        self.feed(side.index, PathChanged())

    def _pass_time(self) -> None:
        deadline = self.deadline()
        assert deadline is not None
        self.now = max(self.now, deadline)
        for side in self.sides:
            for generation, until in side.waiting:
                if until <= self.now:
                    self._failed(side, generation, busy=False)
            if side.machine.deadline is not None and side.machine.deadline <= self.now:
                self.feed(side.index, TimePassed())

    # -- what a node does -------------------------------------------------------------------------------

    def feed(self, index: int, event: DialEvent) -> None:
        """Give an event to a machine and do what it wants."""
        side = self.sides[index]
        for effect in side.machine.handle(event, self.now):
            match effect:
                case Dial(generation):
                    side.dialling |= {generation}
                case AnswerOffer(generation, token):
                    side.making += ((generation, token),)
                    side.sessions[generation] = Session()
                case Decline(token):
                    self._decline(side, token)
                case Abandon(generation) | CloseLink(generation):
                    self._drop(side, generation)
                case Adopt(generation):
                    assert generation in side.sessions, "a link that is closed cannot be in service"
        side.offers = {token: offer for token, offer in side.offers.items() if token in side.machine.tokens}

    def _decline(self, side: Side, token: int) -> None:
        assert token in side.offers, "an offer is declined that was dealt with before"
        offer, streams, _ = side.offers.pop(token)
        for stream in sorted(streams):
            self._send(offer[0], "busy", offer, stream)

    def _far_is_open(self, side: Side, session: Session) -> bool:
        """Whether the other end has the link in service already: it will notice that this one is gone."""
        far = self.sides[1 - side.index].sessions.get(session.other or 0)
        return far is not None and far.open

    def _drop(self, side: Side, generation: int) -> None:
        """Close a link and whatever goes on for it."""
        side.dialling -= {generation}
        if generation in dict(side.waiting):
            side.waiting = tuple(one for one in side.waiting if one[0] != generation)
            for stream in range(COPIES):
                self._send(1 - side.index, "withdraw", (side.index, generation), stream)
        for making, token in side.making:
            if making == generation:
                side.making = tuple(one for one in side.making if one[0] != generation)
                if token in side.offers:
                    self._decline(side, token)
        session = side.sessions.pop(generation, None)
        if session is None or session.other is None:
            return
        if session.open or self._far_is_open(side, session):
            self._send(1 - side.index, "lost", session.other, 0)

    # -- how it is --------------------------------------------------------------------------------------

    @property
    def quiet(self) -> bool:
        """Whether nothing happens any more by itself."""
        return not self.progress() and all(side.machine.attempt is None for side in self.sides)

    @property
    def joined(self) -> bool:
        """Whether both have the same link in service."""
        one, other = (side.machine.live for side in self.sides)
        near = self.sides[0].sessions.get(one or 0)
        far = self.sides[1].sessions.get(other or 0)
        return near is not None and far is not None and near.other == other and far.other == one
