"""The callee's side of the calls of one contact."""

from __future__ import annotations

import math
from dataclasses import dataclass

from p4.core import limits
from p4.core.session.calls.events import (
    CallArrived,
    CalleeEffect,
    CalleeEvent,
    CancelArrived,
    Finished,
    LinkDown,
    LinkUp,
    RepliedArrived,
    Run,
    Stop,
    TimePassed,
    Transmit,
)
from p4.core.session.session_frames import Call, CallStatus, Kind, Reply

__all__ = ["Callee"]


@dataclass(slots=True)
class _Running:
    deadline: float
    stopped: CallStatus | None = None
    """Its answer, if it was asked to stop."""
    orphan: bool = False
    """The process that called is no more."""


@dataclass(slots=True)
class _Kept:
    reply: Reply
    until: float


class Callee:
    """Calls of one contact: running, then kept with their reply until REPLIED or until no copy can come.

    What was refused is not kept: it was not executed, and the caller sends no copy of what was answered.
    """

    def __init__(self) -> None:
        self._linked = False
        self._boot: str | None = None
        self._running: dict[int, _Running] = {}
        self._kept: dict[int, _Kept] = {}
        self._kept_bytes = 0
        self._next = math.inf

    def __len__(self) -> int:
        """Calls that are remembered."""
        return len(self._running) + len(self._kept)

    @property
    def deadline(self) -> float:
        """Monotonic seconds at which `TimePassed` must come; possibly earlier than needed."""
        return self._next

    def handle(self, event: CalleeEvent, now: float) -> list[CalleeEffect]:
        """Take an event; the effects are to be carried out in order.

        Args:
            now: monotonic seconds.
        """
        match event:
            case CallArrived(call, verdict):
                return self._arrived(call, verdict, now)
            case Finished():
                return self._finished(event)
            case RepliedArrived(call_id):
                return self._confirmed(call_id)
            case CancelArrived(call_id):
                return self._stop(call_id, CallStatus.CANCELLED)
            case LinkUp(boot):
                return self._link_up(boot)
            case LinkDown():
                self._linked = False
                return []
            case TimePassed():
                return self._time_passed(now)

    def _arrived(self, call: Call, verdict: CallStatus, now: float) -> list[CalleeEffect]:
        if call.id in self._running:
            return []
        if call.id in self._kept:
            return [Transmit(self._kept[call.id].reply)]
        if verdict is CallStatus.OK and self._full:
            verdict = CallStatus.OVERLOADED
        if verdict is not CallStatus.OK:
            return [Transmit(Reply(call.id, verdict, Kind.BYTES, b""))]
        deadline = now + call.patience_ms / 1000
        self._running[call.id] = _Running(deadline)
        self._next = min(self._next, deadline)
        return [Run(call, deadline)]

    @property
    def _full(self) -> bool:
        return (
            len(self._running) >= limits.CONTACT_CALLS
            or len(self._kept) >= limits.KEPT_CALLS
            or self._kept_bytes >= limits.KEPT_CALL_BYTES
        )

    def _finished(self, event: Finished) -> list[CalleeEffect]:
        running = self._running.pop(event.id)
        if running.orphan:
            self._forget_deadline()
            return []
        reply = Reply(event.id, event.status, event.kind, event.result)
        if running.stopped is not None:
            reply = Reply(event.id, running.stopped, Kind.BYTES, b"")
        until = running.deadline + limits.CALL_MEMORY_SECONDS
        self._kept[event.id] = _Kept(reply, until)
        self._kept_bytes += len(reply.result)
        self._next = min(self._next, until)
        return [Transmit(reply)] if self._linked else []

    def _confirmed(self, call_id: int) -> list[CalleeEffect]:
        self._forget(call_id)
        self._forget_deadline()
        return []

    def _stop(self, call_id: int, answer: CallStatus) -> list[CalleeEffect]:
        running = self._running.get(call_id)
        if running is None or running.stopped is not None:
            return []
        running.stopped = answer
        return [Stop(call_id)]

    def _link_up(self, boot: str) -> list[CalleeEffect]:
        self._linked = True
        if boot != self._boot:
            # Nobody knows the calls of the contact's former process any more, and nobody can send them again.
            self._boot = boot
            for running in self._running.values():
                running.orphan = True
            for call_id in list(self._kept):
                self._forget(call_id)
        return [Transmit(kept.reply) for kept in self._kept.values()]

    def _time_passed(self, now: float) -> list[CalleeEffect]:
        effects: list[CalleeEffect] = []
        for call_id, running in self._running.items():
            if running.deadline <= now:
                effects += self._stop(call_id, CallStatus.TOO_LATE)
        for call_id in [call_id for call_id, kept in self._kept.items() if kept.until <= now]:
            self._forget(call_id)
        moments = [running.deadline for running in self._running.values() if running.stopped is None]
        moments += [kept.until for kept in self._kept.values()]
        self._next = min(moments, default=math.inf)
        return effects

    def _forget(self, call_id: int) -> None:
        kept = self._kept.pop(call_id, None)
        if kept is not None:
            self._kept_bytes -= len(kept.reply.result)

    def _forget_deadline(self) -> None:
        if not self._running and not self._kept:
            self._next = math.inf
