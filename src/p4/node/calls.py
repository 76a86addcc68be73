"""The calls between this node and one contact: carries out what `p4.core.session.calls` decides."""

from __future__ import annotations

import asyncio
import logging
import math
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from p4.core import limits
from p4.core.session.body import decode_body, encode_body
from p4.core.session.calls import Callee, Caller
from p4.core.session.calls.events import (
    Begin,
    CallArrived,
    CalleeEvent,
    CallerEvent,
    CancelArrived,
    Ended,
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
from p4.core.session.wire import is_service
from p4.errors import CallCancelledError, CallFailed, FrameError, InputError
from p4.node.call_outcomes import failure_body, outcome
from p4.ports import Clock, Entropy

if TYPE_CHECKING:
    from p4.node.peer import Peer

__all__ = ["PING", "CallHandler", "CallHub", "IncomingCall", "echo"]

_log = logging.getLogger(__name__)

PING = "ping"
"""The service that every node serves: it answers with the argument."""


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """A call of a contact, as its handler sees it."""

    peer: Peer
    """Who calls."""
    service: str
    """The service as the caller named it; a handler may serve several."""
    argument: Any
    """bytes, or a JSON value."""
    deadline: float
    """``loop.time()`` at which the caller stops waiting and the handler is cancelled."""

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; not positive when it has passed."""
        return self.deadline - asyncio.get_running_loop().time()


CallHandler = Callable[[IncomingCall], Coroutine[Any, Any, object]]
"""Serves calls: returns the result, a JSON value or bytes, or raises `CallFailed`."""


async def echo(call: IncomingCall) -> object:
    """The handler of ``ping``."""
    return call.argument


class CallHub:
    """The calls of one contact, in both directions, over all its links. Make it when the first is needed.

    Args:
        serve: the handler of a service, or None.
        allowed: whether the contact may use a service of ours.
        peer: passed on to handlers.
    """

    def __init__(
        self,
        clock: Clock,
        entropy: Entropy,
        *,
        serve: Callable[[str], CallHandler | None],
        allowed: Callable[[str], bool],
        peer: Any,
    ) -> None:
        self._clock = clock
        self._entropy = entropy
        self._serve = serve
        self._allowed = allowed
        self._peer = peer
        self._caller = Caller()
        self._callee = Callee()
        self._send: Callable[[Sequence[SessionFrame]], None] | None = None
        self._confirming: list[SessionFrame] = []
        self._confirm_timer: asyncio.TimerHandle | None = None
        self._waiting: dict[int, asyncio.Future[Ended]] = {}
        self._handlers: dict[int, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._closed = False

    # --- what the link tells --------------------------------------------------------------------------------

    def link_up(
        self,
        send: Callable[[Sequence[SessionFrame]], None],
        boot: str,
        granted: Callable[[str], bool],
        *,
        supported: bool = True,
    ) -> None:
        """RESUME and GRANTS of the contact have arrived on a link, which replaces any former one.

        Args:
            send: queues frames on the link; never blocks, never calls back.
            boot: of the contact's announcement.
            granted: whether the contact lets us use a service, by its latest GRANTS.
            supported: the contact announced ``calls``.
        """
        if self._closed:
            return
        self._confirming.clear()
        self._send = send
        event = LinkUp(boot, granted, supported)
        self._tell_callee(event)
        self._tell_caller(event)

    def link_down(self) -> None:
        """The link is over."""
        self._send = None
        self._confirming.clear()  # the replies come again, and are confirmed then
        self._tell_callee(LinkDown())
        self._tell_caller(LinkDown())

    def handle(self, frame: Call | Reply | Cancel | Replied) -> None:
        """Take a frame of the link in service."""
        if self._send is None or self._closed:
            return
        match frame:
            case Call():
                self._tell_callee(CallArrived(frame, self._verdict(frame.service)))
            case Reply():
                self._tell_caller(ReplyArrived(frame))
            case Cancel(call_id):
                self._tell_callee(CancelArrived(call_id))
            case Replied(call_id):
                self._tell_callee(RepliedArrived(call_id))

    # --- what the application wants -------------------------------------------------------------------------

    async def call(self, service: str, argument: object, *, deadline: float = limits.CALL_SECONDS) -> Any:
        """Ask a service of the contact, also while there is no link: then the call waits for one.

        It is executed at most once, whatever happens to links. Cancelling the waiting task cancels it there.

        Args:
            argument: bytes, or a JSON value.
            deadline: seconds that it may take, at most ``limits.CALL_PATIENCE_MS``.

        Returns:
            What the service returned: bytes, or a JSON value.

        Raises:
            InputError: ``bad-service``, ``bad-deadline``, ``not-json`` or ``too-large``. Nothing was sent.
            CallError: there is no result; its subclasses say why.
        """
        if not is_service(service):
            raise InputError(f"{service!r} cannot be the name of a service.", code="bad-service")
        if not 0 < deadline <= limits.CALL_PATIENCE_MS / 1000:
            raise InputError(
                f"A call can take from 1 ms to {limits.CALL_PATIENCE_MS // 1000} s, not {deadline} s.",
                code="bad-deadline",
            )
        kind, body = encode_body(argument)
        if self._closed:
            raise CallCancelledError("This node is closed, or the contact was removed.", code="closed")
        call_id = int.from_bytes(self._entropy.token(8), "big")
        future: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._waiting[call_id] = future
        try:
            self._tell_caller(Begin(call_id, service, kind, body, self._clock.monotonic() + deadline))
            ended = await future
        finally:
            if self._waiting.pop(call_id, None):
                self._tell_caller(GiveUp(call_id))
        return outcome(service, ended)

    async def close(self) -> None:
        """Cancel everything, both ways, and wait for handlers that clean up, up to `limits.CLOSE_SECONDS`."""
        if not self._closed:
            self._closed = True
            for call_id, future in list(self._waiting.items()):
                self._tell_caller(GiveUp(call_id))
                if not future.done():
                    future.set_exception(
                        CallCancelledError(
                            "This node was closed, or the contact removed, during a call. The contact may "
                            "have executed it.",
                            code="closed",
                        )
                    )
            self._waiting.clear()
        for task in self._handlers.values():
            task.cancel()
        if self._handlers:
            await asyncio.wait(list(self._handlers.values()), timeout=limits.CLOSE_SECONDS)
        for timer in (self._timer, self._confirm_timer):
            if timer is not None:
                timer.cancel()

    # --- machines and their effects -------------------------------------------------------------------------

    def _tell_caller(self, event: CallerEvent, now: float | None = None) -> None:
        for effect in self._caller.handle(event, self._clock.monotonic() if now is None else now):
            match effect:
                case Transmit(frame):
                    self._transmit(frame)
                case Ended(call_id):
                    future = self._waiting.pop(call_id, None)
                    if future is not None and not future.done():
                        future.set_result(effect)
        self._set_timer(self._caller.deadline)

    def _tell_callee(self, event: CalleeEvent, now: float | None = None) -> None:
        for effect in self._callee.handle(event, self._clock.monotonic() if now is None else now):
            match effect:
                case Transmit(frame):
                    self._transmit(frame)
                case Run(call, deadline):
                    self._run(call, deadline)
                case Stop(call_id):
                    self._handlers[call_id].cancel()
        self._set_timer(self._callee.deadline)

    def _transmit(self, frame: SessionFrame) -> None:
        if self._send is None:
            return
        if isinstance(frame, Replied):
            # Nobody waits for it, and each message of a link costs as much as all the rest of a call.
            self._confirming.append(frame)
            if len(self._confirming) >= limits.CONTACT_CALLS:
                self._confirm()
            elif self._confirm_timer is None:
                loop = asyncio.get_running_loop()
                self._confirm_timer = loop.call_later(limits.REPLIED_SECONDS, self._confirm_late)
            return
        if self._confirming:
            frames, self._confirming = [*self._confirming, frame], []
            self._send(frames)
        else:
            self._send((frame,))

    def _confirm_late(self) -> None:
        self._confirm_timer = None
        self._confirm()

    def _confirm(self) -> None:
        frames, self._confirming = self._confirming, []
        if frames and self._send is not None:
            self._send(frames)

    def _set_timer(self, deadline: float) -> None:
        # A timer that comes too early costs less than one per call.
        if deadline >= self._timer_at or self._closed:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = asyncio.get_running_loop().call_at(deadline, self._time_passed)

    def _time_passed(self) -> None:
        # The loop's timers may fire a little early.
        now = max(self._clock.monotonic(), self._timer_at)
        self._timer, self._timer_at = None, math.inf
        self._tell_caller(TimePassed(), now)
        self._tell_callee(TimePassed(), now)

    # --- handlers -------------------------------------------------------------------------------------------

    def _verdict(self, service: str) -> CallStatus:
        if not self._allowed(service):
            return CallStatus.NOT_GRANTED
        return CallStatus.OK if self._handler(service) else CallStatus.NOT_SERVED

    def _handler(self, service: str) -> CallHandler | None:
        return self._serve(service) or (echo if service == PING else None)

    def _run(self, call: Call, deadline: float) -> None:
        handler = self._handler(call.service)
        if handler is None:
            raise AssertionError("the verdict of this very moment was that it is served")
        try:
            argument = decode_body(call.kind, call.argument)
        except FrameError as error:
            body = failure_body(CallFailed("bad-argument", error.message))
            self._tell_callee(Finished(call.id, CallStatus.FAILED, *body))
            return
        work = self._execute(handler, call.id, IncomingCall(self._peer, call.service, argument, deadline))
        loop = asyncio.get_running_loop()
        if sys.version_info >= (3, 12) and loop.get_task_factory() is None:
            # What can answer at once does so without another turn of the loop.
            task = asyncio.Task(work, loop=loop, eager_start=True)
            if task.done():
                return
        else:
            task = loop.create_task(work)
        self._handlers[call.id] = task
        task.add_done_callback(partial(self._handler_ended, call.id))

    async def _execute(self, handler: CallHandler, call_id: int, call: IncomingCall) -> None:
        status, kind, result = CallStatus.FAILED, Kind.BYTES, b""
        try:
            kind, result = encode_body(await handler(call))
            status = CallStatus.OK
        except CallFailed as failure:
            kind, result = failure_body(failure)
        except asyncio.CancelledError:
            status = CallStatus.CANCELLED
        except Exception:  # noqa: BLE001 - whatever is wrong with an application's handler
            # The caller is told nothing of our inside.
            _log.exception("the handler of service %r failed", call.service)
            kind, result = failure_body(
                CallFailed("internal", "The service broke while it worked on this. Its own log says more.")
            )
        self._tell_callee(Finished(call_id, status, kind, result))

    def _handler_ended(self, call_id: int, task: asyncio.Task[None]) -> None:
        del self._handlers[call_id]
        if task.cancelled():
            # It was cancelled before its first step.
            self._tell_callee(Finished(call_id, CallStatus.CANCELLED))
