"""A caller and a callee and everything that can be between them, small enough to be explored completely.

Frames arrive in order and once, or are lost together with their link, as on a reliable channel.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from p4.core import limits
from p4.core.session.calls import Callee, Caller
from p4.core.session.calls.events import (
    Begin,
    CallArrived,
    CalleeEvent,
    CallerEvent,
    CancelArrived,
    Ended,
    Ending,
    Finished,
    GiveUp,
    LinkDown,
    LinkUp,
    RepliedArrived,
    ReplyArrived,
    Run,
    Stop,
    TimePassed,
    Transmit,
)
from p4.core.session.session_frames import Call, CallStatus, Cancel, Kind, Replied, Reply, SessionFrame

IDS = (1, 2)
DEADLINE = 10.0
LATER = DEADLINE + limits.CALL_MEMORY_SECONDS + 1


def everything(service: str) -> bool:
    return service != ""


@dataclass
class World:
    """Two calls at most, and a bounded number of misfortunes."""

    caller: Caller
    callee: Callee
    make_caller: Callable[[], Caller]
    make_callee: Callable[[], Callee]
    flaps: int
    crashes: int
    copies: int
    now: float = 0.0
    caller_boot: int = 0
    callee_boot: int = 0
    link: bool = False
    """There is one; the sides learn of it in their own time."""
    caller_up: bool = False
    """The caller uses it."""
    callee_up: bool = False
    old_link: bool = False
    """A side that does not use the link uses one that is dead, and does not know it."""
    to_callee: list[SessionFrame] = field(default_factory=list)
    to_caller: list[SessionFrame] = field(default_factory=list)
    begun: set[int] = field(default_factory=set)
    given_up: set[int] = field(default_factory=set)
    bereaved: set[int] = field(default_factory=set)
    """Calls whose caller's process crashed."""
    started: dict[int, int] = field(default_factory=dict)
    """How often each call was executed."""
    running: set[int] = field(default_factory=set)
    stopping: set[int] = field(default_factory=set)
    outcomes: dict[int, Ended] = field(default_factory=dict)

    def key(self) -> object:
        return tuple(_key(getattr(self, name)) for name in self.__dataclass_fields__ if name[:5] != "make_")

    def copy(self) -> World:
        other = replace(self)
        for name in ("to_callee", "to_caller", "begun", "given_up", "bereaved", "started"):
            setattr(other, name, copy.copy(getattr(self, name)))
        for name in ("running", "stopping", "outcomes"):
            setattr(other, name, copy.copy(getattr(self, name)))
        other.caller, other.callee = _clone(self.caller), _clone(self.callee)
        return other

    # --- what can happen ------------------------------------------------------------------------------------

    def moves(self) -> Iterator[tuple[str, Callable[[World], None]]]:
        for call in IDS:
            if call not in self.begun and (call - 1 in self.begun or call == 1):
                yield f"begin {call}", partial(World.begin, call=call)
            if (
                call in self.begun - self.given_up - self.outcomes.keys() - self.bereaved
                and not self.given_up
            ):
                yield f"give up {call}", partial(World.give_up, call=call)
            if call in self.running:
                yield f"finish {call}", partial(World.finish, call=call)
        if not self.link:
            yield "link", World.connect
        elif self.flaps:
            yield "break", World.disconnect
            yield "replace", World.reconnect
        if self.link and not self.caller_up:
            yield "caller up", World.raise_caller
        if self.link and not self.callee_up:
            yield "callee up", World.raise_callee
        if self.to_callee and self.callee_up:
            yield "to callee", World.deliver_to_callee
        if self.to_caller and self.caller_up:
            yield "to caller", World.deliver_to_caller
        if self.copies and self.to_callee and isinstance(self.to_callee[0], Call):
            yield "copy", World.duplicate
        if self.crashes:
            yield "caller crashes", World.crash_caller
            yield "callee crashes", World.crash_callee
        if self.now < DEADLINE:
            yield "deadline", partial(World.pass_time, until=DEADLINE)

    def begin(self, call: int) -> None:
        self.begun.add(call)
        self.tell_caller(Begin(call, "s", Kind.BYTES, b"", DEADLINE))

    def give_up(self, call: int) -> None:
        self.given_up.add(call)
        self.tell_caller(GiveUp(call))

    def finish(self, call: int) -> None:
        self.running.discard(call)
        self.stopping.discard(call)
        self.tell_callee(Finished(call, CallStatus.OK, Kind.BYTES, b"result"))

    def connect(self) -> None:
        self.link = True

    def disconnect(self) -> None:
        self.flaps -= 1
        self.cut()

    def cut(self) -> None:
        self.link = self.old_link = self.caller_up = self.callee_up = False
        self.to_callee.clear()
        self.to_caller.clear()
        self.tell_caller(LinkDown())
        self.tell_callee(LinkDown())

    def reconnect(self) -> None:
        """Another link comes into service before anybody missed the old one."""
        self.flaps -= 1
        self.to_callee.clear()
        self.to_caller.clear()
        self.caller_up = self.callee_up = False
        self.old_link = True

    def raise_caller(self) -> None:
        self.caller_up = True
        self.tell_caller(LinkUp(f"callee {self.callee_boot}", everything))

    def raise_callee(self) -> None:
        self.callee_up = True
        self.tell_callee(LinkUp(f"caller {self.caller_boot}", everything))

    def deliver_to_callee(self) -> None:
        match self.to_callee.pop(0):
            case Call() as call:
                self.tell_callee(CallArrived(call, CallStatus.OK))
            case Cancel(call_id):
                self.tell_callee(CancelArrived(call_id))
            case Replied(call_id):
                self.tell_callee(RepliedArrived(call_id))

    def deliver_to_caller(self) -> None:
        reply = self.to_caller.pop(0)
        assert isinstance(reply, Reply)
        self.tell_caller(ReplyArrived(reply))

    def duplicate(self) -> None:
        self.copies -= 1
        self.to_callee.insert(0, self.to_callee[0])

    def crash_caller(self) -> None:
        self.crashes -= 1
        self.caller = self.make_caller()
        self.caller_boot += 1
        self.bereaved = self.begun - self.outcomes.keys()
        self.cut()

    def crash_callee(self) -> None:
        self.crashes -= 1
        self.callee = self.make_callee()
        self.callee_boot += 1
        self.running, self.stopping = set(), set()
        self.cut()

    def pass_time(self, until: float) -> None:
        self.now = until
        if self.caller.deadline <= until:
            self.tell_caller(TimePassed())
        if self.callee.deadline <= until:
            self.tell_callee(TimePassed())

    # --- what follows ---------------------------------------------------------------------------------------

    def tell_caller(self, event: CallerEvent) -> None:
        for effect in self.caller.handle(event, self.now):
            match effect:
                case Transmit(frame):
                    assert self.caller_up or self.old_link, "the caller sends without a link"
                    self.to_callee += [frame] if self.caller_up else []
                case Ended(call):
                    assert call not in self.outcomes, "a call has two outcomes"
                    assert call not in self.given_up, "an outcome for somebody who gave up"
                    self.outcomes[call] = effect
        self.check()

    def tell_callee(self, event: CalleeEvent) -> None:
        for effect in self.callee.handle(event, self.now):
            match effect:
                case Transmit(frame):
                    assert self.callee_up or self.old_link, "the callee sends without a link"
                    self.to_caller += [frame] if self.callee_up else []
                case Run(call):
                    self.started[call.id] = self.started.get(call.id, 0) + 1
                    self.running.add(call.id)
                case Stop(call):
                    assert call in self.running, "something is stopped that does not run"
                    self.stopping.add(call)
        self.check()

    def check(self) -> None:
        assert all(times == 1 for times in self.started.values()), "a call was executed twice"
        for call, outcome in self.outcomes.items():
            if outcome.reply and outcome.reply.status is CallStatus.OK:
                assert call in self.started, "a result out of nowhere"
            assert outcome.sent or call not in self.started, "executed, but said to be not sent"
        if self.now >= DEADLINE:
            assert not self.unanswered, "a caller waits beyond its deadline"

    @property
    def unanswered(self) -> set[int]:
        return self.begun - self.outcomes.keys() - self.given_up - self.bereaved

    # --- a calm end -----------------------------------------------------------------------------------------

    def calm_down(self) -> None:
        """From now on all goes well; what must be true at the end is asserted."""
        was_calm = self.now < DEADLINE
        for _ in range(60):
            step = next((move for name, move in self.moves() if _is_calm(name)), None)
            if step is None:
                break
            step(self)
        else:
            raise AssertionError("they never become quiet")
        if was_calm:
            assert not self.unanswered, "a call has no outcome although all goes well"
            assert not len(self.caller), "the caller remembers what is over"
            assert not len(self.callee), "the callee remembers what is over"
        self.pass_time(DEADLINE)
        self.pass_time(LATER)
        assert not len(self.caller), "the caller never forgets"
        assert not len(self.callee), "the callee never forgets"

    @property
    def lost_for_nothing(self) -> set[int]:
        """Calls that ended without a result although nobody crashed or ran out of time."""
        return {
            call
            for call, outcome in self.outcomes.items()
            if outcome.ending is not Ending.REPLY and self.now < DEADLINE and not self.callee_boot
        }


def _is_calm(name: str) -> bool:
    return (
        not name.startswith(("begin", "give", "break", "replace", "copy", "deadline")) and "crash" not in name
    )


def _clone(machine: Any) -> Any:
    other = copy.copy(machine)
    for name, value in vars(machine).items():
        if isinstance(value, dict):
            setattr(other, name, {key: copy.copy(item) for key, item in value.items()})
    return other


def _key(value: object) -> object:
    if isinstance(value, Caller | Callee):
        return tuple(_key(item) for item in vars(value).values())
    if isinstance(value, dict):
        return tuple((key, repr(item)) for key, item in value.items())
    if isinstance(value, set):
        return frozenset(value)
    return repr(value)
