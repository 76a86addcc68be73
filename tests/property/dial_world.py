"""Two dial machines and everything that can be between them, small enough to be explored completely.

Time is left to chance: a timer of either side may fire at any moment, as if clocks and paths were arbitrarily
fast or slow. What is safe here is safe at any speed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

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
    TimePassed,
    Wake,
)
from p4.core.identity import PeerId

IDS = (PeerId("a" * 24), PeerId("b" * 24))
MOST_GENERATIONS = 3
"""Attempts per side that are explored; what comes later is more of the same."""


@dataclass(frozen=True)
class Packet:
    """Something on its way to a side. ``offer`` is (side, generation) of the offer concerned."""

    to: int
    kind: str
    offer: tuple[int, int]


@dataclass
class Side:
    machine: DialMachine
    now: float = 0.0
    boot: int = 0
    offers: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Token -> offer."""
    links: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Our generation -> the offer that made the link; present while our end exists."""
    tokens: int = 0


class World:
    """Everything; `moves` lists what may happen next."""

    def __init__(
        self,
        machine: Callable[[PeerId, PeerId], DialMachine],
        losses: int,
        crashes: int,
        *,
        timers: bool = True,
    ) -> None:
        self.sides = [Side(machine(IDS[0], IDS[1])), Side(machine(IDS[1], IDS[0]))]
        self.packets: list[Packet] = []
        self.losses = losses
        self.crashes = crashes
        self.timers = timers
        self._make = machine
        for index in (0, 1):
            self.feed(index, Wake())

    # -- moves --------------------------------------------------------------------------------------

    def moves(self) -> Iterator[tuple[str, Callable[[World], None]]]:
        for packet in dict.fromkeys(self.packets):
            yield f"deliver {packet}", partial(World.deliver, packet=packet)
            if self.losses and packet.kind in {"dialled", "offer", "answer", "withdraw", "goodbye"}:
                yield f"lose {packet}", partial(World.lose, packet=packet)
        for index, side in enumerate(self.sides):
            if self.timers and side.machine.deadline is not None and self._may_go_on(index):
                yield f"time {index}", partial(World.pass_time, index=index)
            if self.crashes:
                yield f"crash {index}", partial(World.crash, index=index)

    def _may_go_on(self, index: int) -> bool:
        return self.sides[index].machine._generation < MOST_GENERATIONS

    def calm_move(self) -> float | None:
        """One step of a world without faults: what is on its way arrives, then the nearest timer fires.

        Returns:
            The seconds it took; None if nothing more can happen.
        """
        if self.packets:
            self.deliver(self.packets[0])
            return 0.0
        waits = [(s.machine.deadline - s.now, i) for i, s in enumerate(self.sides) if s.machine.deadline]
        if not waits:
            return None
        wait, index = min(waits)
        wait = max(wait, 0.0)
        self.sides[1 - index].now += wait
        self.pass_time(index)
        return wait

    @property
    def agreed(self) -> bool:
        """Both sides have a live link and it is the same one."""
        ends = [s.links.get(s.machine.live or 0) for s in self.sides]
        return ends[0] is not None and ends[0] == ends[1]

    def key(self) -> object:
        parts = []
        for side in self.sides:
            state = {k: v for k, v in vars(side.machine).items() if k not in {"_pace", "last_failure"}}
            for name in ("_retry_at", "_proven_at"):
                state[name] = None if state[name] is None else round(state[name] - side.now, 3)
            text = repr(sorted(state.items())).replace(repr(side.now), "now")
            parts.append((text, sorted(side.offers.items()), sorted(side.links.items()), side.boot))
        return repr(parts), tuple(sorted(map(repr, self.packets))), self.losses, self.crashes

    def copy(self) -> World:
        twin = copy.copy(self)
        twin.sides = []
        for side in self.sides:
            machine = copy.copy(side.machine)
            twin.sides.append(
                Side(machine, side.now, side.boot, dict(side.offers), dict(side.links), side.tokens)
            )
        twin.packets = list(self.packets)
        return twin

    # -- what happens ---------------------------------------------------------------------------------

    def pass_time(self, index: int) -> None:
        side = self.sides[index]
        assert side.machine.deadline is not None
        side.now = max(side.now, side.machine.deadline)
        self.feed(index, TimePassed())

    def crash(self, index: int) -> None:
        """The process dies and comes back at once, remembering only the protocol version."""
        self.crashes -= 1
        old = self.sides[index]
        for made_by in list(old.links.values()):
            self.send(1 - index, "silence", made_by)
        self.packets = [p for p in self.packets if p.to != index and p.kind != "dialled"]
        for offer in set(old.offers.values()):
            self.send(1 - index, "stream-ended", offer)
        if old.machine.attempt is not None:
            self.send(1 - index, "withdraw", (index, old.machine.attempt + old.boot * 100))
        self.sides[index] = Side(self._make(IDS[index], IDS[1 - index]), boot=old.boot + 1, now=old.now)
        self.feed(index, Wake())

    def lose(self, packet: Packet) -> None:
        self.losses -= 1
        self.packets.remove(packet)
        match packet.kind:
            case "dialled" | "offer" | "answer":
                # Whoever waits for it hears nothing and gives up in the end.
                self.send(packet.offer[0], "timeout", packet.offer)
            case "goodbye":
                self.send(packet.to, "silence", packet.offer)

    def send(self, to: int, kind: str, offer: tuple[int, int]) -> None:
        packet = Packet(to, kind, offer)
        if packet not in self.packets:
            self.packets.append(packet)

    def deliver(self, packet: Packet) -> None:
        self.packets.remove(packet)
        index, number = packet.to, packet.offer[1]
        side = self.sides[index]
        generation = number - side.boot * 100  # ours, where the offer is ours
        match packet.kind:
            case "dialled" if side.machine.attempt == generation:
                self.feed(index, OfferSent(generation))
                self.send(1 - index, "offer", packet.offer)
            case "offer":
                side.tokens += 1
                side.offers[side.tokens] = packet.offer
                self.feed(index, OfferArrived(side.tokens, 2, str(number // 100), number))
            case "answer" if generation in side.links:
                # Generations rise with time, as timestamps do; an offer's is its own.
                far = self.sides[1 - index]
                sent_ms = far.boot * 100 + (self._end(1 - index, packet.offer) or 0)
                self.feed(index, AnswerReceived(generation, 2, str(far.boot), sent_ms))
                if generation in side.links:
                    self.send(index, "proven", packet.offer)
                    self.send(1 - index, "proven", packet.offer)
            case "timeout":
                self.feed(index, AttemptFailed(generation, "no reply"))
            case "busy":
                self.feed(index, AttemptFailed(generation, "busy", busy=True))
            case "withdraw":
                for token in [t for t, offer in side.offers.items() if offer == packet.offer]:
                    self.feed(index, OfferWithdrawn(token, cancelled=True))
            case "stream-ended":
                self.feed(index, AttemptFailed(generation, "the stream ended"))
            case "proven":
                if self._both_ends(packet.offer):
                    self.feed(index, LinkProven(self._end(index, packet.offer)))
            case "goodbye" | "silence":
                end = self._end(index, packet.offer)
                if end:
                    del side.links[end]
                    self.feed(index, LinkLost(end, packet.kind, by_peer=packet.kind == "goodbye"))

    def _end(self, index: int, offer: tuple[int, int]) -> int:
        return next((g for g, made_by in self.sides[index].links.items() if made_by == offer), 0)

    def _both_ends(self, offer: tuple[int, int]) -> bool:
        return all(self._end(index, offer) for index in (0, 1))

    def feed(self, index: int, event: DialEvent) -> None:
        side = self.sides[index]
        for effect in side.machine.handle(event, side.now):
            self.perform(index, side, effect)
        for token in side.offers.keys() - side.machine.tokens:
            del side.offers[token]

    def perform(self, index: int, side: Side, effect: object) -> None:
        match effect:
            case Dial(generation):
                offer = (index, generation + side.boot * 100)
                side.links[generation] = offer
                self.send(index, "dialled", offer)
            case AnswerOffer(generation, token):
                side.links[generation] = side.offers[token]
                self.send(1 - index, "answer", side.offers[token])
                for follow_up in side.machine.handle(AnswerSent(generation), side.now):
                    self.perform(index, side, follow_up)
            case Decline(token):
                self.send(1 - index, "busy", side.offers.pop(token))
            case Abandon(generation):
                made_by = side.links.pop(generation, None)
                self.packets = [p for p in self.packets if p != Packet(index, "dialled", made_by or (9, 9))]
                if made_by and made_by[0] == index:
                    self.send(1 - index, "withdraw", made_by)
                if made_by and self._end(1 - index, made_by):
                    self.send(1 - index, "silence", made_by)
            case CloseLink(generation, goodbye):
                made_by = side.links.pop(generation)
                self.send(1 - index, "goodbye" if goodbye else "silence", made_by)
            case Adopt(generation):
                assert generation in side.links, "a link was adopted that is gone"
