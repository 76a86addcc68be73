"""The caller's side of the calls to one contact."""

from __future__ import annotations

import math
from dataclasses import dataclass

from p4.core import limits
from p4.core.session.calls.events import (
    Begin,
    CallerEffect,
    CallerEvent,
    Ended,
    Ending,
    GiveUp,
    LinkDown,
    LinkUp,
    ReplyArrived,
    TimePassed,
    Transmit,
)
from p4.core.session.session_frames import Call, Cancel, Kind, Replied, Reply

__all__ = ["Caller"]


@dataclass(slots=True)
class _Call:
    """A call whose outcome is not known yet, or that was given up and may still occupy the contact."""

    id: int
    service: str
    kind: Kind
    argument: bytes
    deadline: float
    boot: str = ""
    """The life of the contact's process that it was first sent to."""
    given_up: bool = False


class Caller:
    """Calls to one contact: each waits for a link or its turn, then is under way until REPLY or its deadline.

    At most ``limits.CONTACT_CALLS`` are under way: the callee runs no more, and would refuse them. One that
    is given up counts until the callee says that it ended, so that its successor is not refused either.
    """

    def __init__(self) -> None:
        self._link: LinkUp | None = None
        self._queued: dict[int, _Call] = {}
        self._sent: dict[int, _Call] = {}
        self._next = math.inf

    def __len__(self) -> int:
        """Calls that are remembered."""
        return len(self._queued) + len(self._sent)

    @property
    def deadline(self) -> float:
        """Monotonic seconds at which `TimePassed` must come; possibly earlier than needed."""
        return self._next

    def handle(self, event: CallerEvent, now: float) -> list[CallerEffect]:
        """Take an event; the effects are to be carried out in order.

        Args:
            now: monotonic seconds.
        """
        match event:
            case ReplyArrived(reply):
                return self._replied(reply, now)
            case Begin():
                return self._begin(event, now)
            case GiveUp(call_id):
                return self._give_up(call_id, now)
            case LinkUp():
                return self._link_up(event, now)
            case LinkDown():
                return self._link_down(now)
            case TimePassed():
                return self._time_passed(now)

    def _begin(self, event: Begin, now: float) -> list[CallerEffect]:
        if event.deadline <= now:
            return [Ended(event.id, Ending.DEADLINE)]
        refusal = self._refusal(event.service)
        if refusal is None and len(self._queued) >= limits.QUEUED_CALLS:
            refusal = Ending.OVERLOADED
        if refusal is not None:
            return [Ended(event.id, refusal)]
        self._queued[event.id] = _Call(event.id, event.service, event.kind, event.argument, event.deadline)
        self._next = min(self._next, event.deadline)
        return self._send_waiting(now)

    def _refusal(self, service: str) -> Ending | None:
        """Why a call may not be sent on the link in service, if there is one."""
        if self._link is None:
            return None
        if not self._link.supported:
            return Ending.NOT_SUPPORTED
        return None if self._link.granted(service) else Ending.NOT_GRANTED

    def _send_waiting(self, now: float) -> list[CallerEffect]:
        effects: list[CallerEffect] = []
        link = self._link
        while link and self._queued and len(self._sent) < limits.CONTACT_CALLS:
            call = self._queued.pop(next(iter(self._queued)))
            refusal = Ending.DEADLINE if call.deadline <= now else self._refusal(call.service)
            if refusal is not None:
                effects.append(Ended(call.id, refusal))
                continue
            call.boot = link.boot
            self._sent[call.id] = call
            effects.append(_transmission(call, now))
        self._forget_deadline()
        return effects

    def _replied(self, reply: Reply, now: float) -> list[CallerEffect]:
        call = self._sent.pop(reply.id, None)
        # Also one that nobody waits for is confirmed: the callee keeps it until then.
        confirmation = Transmit(Replied(reply.id))
        if call is None:
            return [confirmation]
        outcome: list[CallerEffect] = []
        if not call.given_up:
            outcome.append(Ended(call.id, Ending.REPLY, sent=True, reply=reply))
        return [*outcome, confirmation, *self._send_waiting(now)]

    def _give_up(self, call_id: int, now: float) -> list[CallerEffect]:
        if self._queued.pop(call_id, None):
            self._forget_deadline()
            return []
        call = self._sent.get(call_id)
        if call is None or call.given_up:
            return []
        call.given_up, call.argument = True, b""
        self._next = min(self._next, self._until(call))
        return [Transmit(Cancel(call_id))] if self._link else []

    def _link_up(self, link: LinkUp, now: float) -> list[CallerEffect]:
        self._link = link
        under_way, self._sent = self._sent, {}
        effects: list[CallerEffect] = []
        for call in under_way.values():
            if call.boot != link.boot or not link.supported:
                if not call.given_up:
                    effects.append(Ended(call.id, Ending.UNKNOWN, sent=True))
            elif call.given_up:
                # Whether the callee ever got the call is not known, so nothing need follow.
                effects.append(Transmit(Cancel(call.id)))
            elif call.deadline <= now:
                effects += [Ended(call.id, Ending.DEADLINE, sent=True), Transmit(Cancel(call.id))]
            else:
                self._sent[call.id] = call
                if link.granted(call.service):
                    effects.append(_transmission(call, now))
        return effects + self._send_waiting(now)

    def _link_down(self, now: float) -> list[CallerEffect]:
        self._link = None
        for call in [call for call in self._sent.values() if call.given_up and call.deadline <= now]:
            del self._sent[call.id]
        self._set_deadline()
        return []

    def _time_passed(self, now: float) -> list[CallerEffect]:
        effects: list[CallerEffect] = []
        for call in [call for call in self._queued.values() if call.deadline <= now]:
            del self._queued[call.id]
            effects.append(Ended(call.id, Ending.DEADLINE))
        for call in [call for call in self._sent.values() if self._until(call) <= now]:
            if not call.given_up:
                effects.append(Ended(call.id, Ending.DEADLINE, sent=True))
                effects += self._give_up(call.id, now)
            if self._until(call) <= now:
                del self._sent[call.id]
        effects += self._send_waiting(now)
        self._set_deadline()
        return effects

    def _until(self, call: _Call) -> float:
        """How long it is remembered: without a link the callee's patience ends what was given up."""
        if call.given_up and self._link:
            return call.deadline + limits.CALL_MEMORY_SECONDS
        return call.deadline

    def _set_deadline(self) -> None:
        waiting = (call.deadline for call in self._queued.values())
        self._next = min((*waiting, *map(self._until, self._sent.values())), default=math.inf)

    def _forget_deadline(self) -> None:
        if not self._queued and not self._sent:
            self._next = math.inf


def _transmission(call: _Call, now: float) -> Transmit:
    patience_ms = min(max(int((call.deadline - now) * 1000), 1), limits.CALL_PATIENCE_MS)
    return Transmit(Call(call.id, patience_ms, call.kind, call.service, call.argument))
