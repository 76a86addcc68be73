"""One contact's messages: carries out what their machine decides, on the store and on the link in service."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Generator, Sequence
from typing import Any, Protocol

from p4.core import limits
from p4.core.identity import PeerId
from p4.core.session.messages.events import (
    Accepted,
    ChatLine,
    ChatLineArrived,
    ConsumedByPeer,
    ConsumedHere,
    Delivered,
    Dropped,
    EndLink,
    Failed,
    FramesArrived,
    GrantsChanged,
    HandedOver,
    LinkDown,
    LinkUp,
    MessageEffect,
    MessageEvent,
    MessageFrame,
    Notice,
    Perform,
    Performed,
    Quiet,
    Received,
    Rejected,
    Renewed,
    Submit,
    Take,
    TimePassed,
    Transmit,
    Withdrawn,
    Writable,
)
from p4.core.session.messages.machine import MessageMachine
from p4.core.session.messages.stored import Draft, InboxMessage, Operation
from p4.errors import LinkError, LocalError, StateError
from p4.ports import Clock, Store

__all__ = ["Mailbox", "MailboxObserver", "MessageCarrier", "Taken"]

_log = logging.getLogger(__name__)

Told = Delivered | Dropped | ConsumedByPeer | Renewed | Received | Withdrawn | Notice


class MessageCarrier(Protocol):
    """The link in service, as far as messages need it."""

    @property
    def protocol(self) -> int:
        """1 or 2."""

    def send(self, frames: Sequence[MessageFrame]) -> None:
        """Send frames in order. Raises LinkError."""

    def send_chat_line(self, text: str) -> None:
        """Send a text to a version 1 peer. Raises LinkError."""

    def room(self) -> int:
        """Bytes that may be queued now; 0 or less while enough wait."""

    def drained(self) -> Awaitable[None]:
        """Wait until there is room, or the link is over."""

    def fail(self, reason: str) -> None:
        """End the link; a new one follows."""


class Taken:
    """What `Mailbox.take` gives: await it, or not.

    Raises:
        LocalError: the mailbox ended before; the message comes again after the next start.
    """

    __slots__ = ("_written",)

    def __init__(self, written: asyncio.Future[None]) -> None:
        self._written = written

    def __await__(self) -> Generator[Any, None, None]:
        # Others wait for the same write: one who gives up must not end it for them.
        return asyncio.shield(self._written).__await__()


class MailboxObserver(Protocol):
    """Who is told what becomes of messages."""

    def tell(self, effect: Told) -> None:
        """A fact that concerns the application or a person."""

    def may_send(self) -> None:
        """What the contact lets us use has become known for this link, or has changed."""


class Mailbox:
    """Drives the `MessageMachine` of one contact.

    Args:
        machine: the contact's, in the state that the store knows.
        observer: told of facts, after they are facts.
    """

    def __init__(
        self,
        peer_id: PeerId,
        machine: MessageMachine,
        *,
        store: Store,
        clock: Clock,
        observer: MailboxObserver,
    ) -> None:
        self._peer_id = peer_id
        self._machine = machine
        self._store = store
        self._clock = clock
        self._observer = observer
        self._carrier: MessageCarrier | None = None
        self._frames: list[MessageFrame] = []
        self._events: deque[MessageEvent] = deque()
        self._handling = False
        self._token = 0
        self._submitted: dict[int, asyncio.Future[Accepted]] = {}
        self._taken: dict[int, asyncio.Future[None]] = {}
        self._gathered: list[InboxMessage] = []
        self._taking: asyncio.Future[None] | None = None
        self._performing: set[asyncio.Task[None]] = set()
        self._draining: asyncio.Task[None] | None = None
        self._quiet: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    # -- what the application asks for ----------------------------------------------------------------

    @property
    def queued(self) -> int:
        """Messages accepted and not confirmed by the contact."""
        return self._machine.queued

    @property
    def out_epoch(self) -> bytes:
        """The name of our outbox; may change while nothing was accepted yet."""
        return self._machine.out_epoch

    @property
    def out_first(self) -> int:
        """The lowest number that is not confirmed."""
        return self._machine.out_first

    async def submit(self, drafts: tuple[Draft, ...]) -> Accepted:
        """Accept messages, all or none; returns when they are on disk.

        Raises:
            StateError: the quota or the disk; nothing was accepted. LocalError: the mailbox has ended.
        """
        if self._closed:
            raise LocalError(
                "The contact was removed or the node has ended. Nothing was accepted.", code="closed"
            )
        self._token += 1
        token = self._token
        answer: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self._submitted[token] = answer
        self.feed(Submit(token, drafts))
        return await answer

    def take(self, message: InboxMessage) -> Taken:
        """The application has taken a message. Those that are taken in one turn of the loop go together.

        Returns:
            Await it to know that the message will not come again, whatever happens.
        """
        loop = asyncio.get_running_loop()
        if self._closed:
            refused: asyncio.Future[None] = loop.create_future()
            _refuse_unheard(refused)
            return Taken(refused)
        if self._taking is None:
            self._taking = loop.create_future()
            loop.call_soon(self._take_gathered)
        self._gathered.append(message)
        return Taken(self._taking)

    def _take_gathered(self) -> None:
        gathered, taking = tuple(self._gathered), self._taking
        self._gathered, self._taking = [], None
        if taking is not None:
            self._token += 1
            self._taken[self._token] = taking
            self.feed(Take(self._token, gathered))

    def hand_over(self, message: InboxMessage) -> None:
        """The application is about to see a message with a key: newer values do not replace it any more."""
        self.feed(HandedOver((message.position,)))

    def set_grants(self, grants: tuple[str, ...]) -> None:
        """What the contact may use here has changed; it is on disk."""
        self.feed(GrantsChanged(grants))

    def granted(self, service: str) -> bool:
        """Whether the contact lets us use a service, as far as it said on this link."""
        return self._machine.may_use(service)

    # -- what the link tells ---------------------------------------------------------------------------

    def link_up(self, carrier: MessageCarrier) -> None:
        """A proven link is in service."""
        self._leave_link()
        self._carrier = carrier
        self.feed(LinkUp(carrier.protocol))

    def link_down(self) -> None:
        """It is over."""
        self._leave_link()
        self.feed(LinkDown())

    def handle(self, frames: Sequence[MessageFrame]) -> None:
        """Frames of messages arrived on the link in service."""
        self.feed(FramesArrived(frames))

    def handle_chat_line(self, text: str) -> None:
        """A text of a version 1 peer arrived."""
        self.feed(ChatLineArrived(text))

    async def close(self) -> None:
        """Let every write end, if it can; afterwards the store may be closed."""
        self._take_gathered()
        self._closed = True
        self._leave_link()
        if self._timer:
            self._timer.cancel()
        if self._performing:
            _, stuck = await asyncio.wait(self._performing, timeout=limits.CLOSE_SECONDS)
            for task in stuck:
                task.cancel()
        waiting: list[asyncio.Future[Any]] = [*self._submitted.values(), *self._taken.values()]
        for future in waiting:
            if not future.done():
                _refuse_unheard(future)

    # -- the machine -----------------------------------------------------------------------------------

    def feed(self, event: MessageEvent) -> None:
        """Give the machine an event and carry out what it decides, strictly one event after the other."""
        self._events.append(event)
        if self._handling:
            return
        self._handling = True
        clock, machine, events = self._clock, self._machine, self._events
        try:
            while events:
                allowed = machine.peer_grants if machine.resumed else None
                for effect in machine.handle(events.popleft(), clock.monotonic(), clock.wall_ms()):
                    self._carry_out(effect)
                self._flush()
                if machine.resumed and machine.peer_grants is not allowed:
                    self._observer.may_send()
                if not events:
                    self._offer_room()
        finally:
            self._handling = False
        self._schedule()

    def _carry_out(self, effect: MessageEffect) -> None:
        match effect:
            case Transmit(frame):
                self._frames.append(frame)
            case Perform(operation):
                self._perform(operation)
            case Accepted(token):
                _settle(self._submitted.pop(token), effect)
            case Rejected(token, code, message):
                answer = self._submitted.pop(token)
                if not answer.done():
                    answer.set_exception(StateError(message, path="", code=code))
            case ConsumedHere(token):
                _settle(self._taken.pop(token), None)
            case ChatLine(text):
                self._send_chat_line(text)
            case EndLink(reason, broke_protocol):
                self._frames.clear()
                if carrier := self._carrier:
                    self._leave_link()
                    carrier.fail(f"the contact broke the protocol: {reason}" if broke_protocol else reason)
            case _:
                self._observer.tell(effect)

    def _flush(self) -> None:
        if not self._frames:
            return
        frames, self._frames = self._frames, []
        if carrier := self._carrier:
            try:
                carrier.send(frames)
            except LinkError as error:
                self._leave_link()
                carrier.fail(error.message)

    def _perform(self, operation: Operation) -> None:
        task = asyncio.create_task(self._performed(operation))
        self._performing.add(task)
        task.add_done_callback(self._performing.discard)

    async def _performed(self, operation: Operation) -> None:
        try:
            result = await self._store.perform(self._peer_id, operation)
        except StateError as error:
            self.feed(Failed(operation, error.code, error.message))
        else:
            self.feed(Performed(operation, result))

    # -- the pace of the link --------------------------------------------------------------------------

    def _offer_room(self) -> None:
        carrier = self._carrier
        if carrier is None or not self._machine.wants_budget or self._draining is not None:
            return
        room = carrier.room()
        if room > 0:
            self._events.append(Writable(room))
        else:
            self._draining = asyncio.create_task(self._drain(carrier))

    async def _drain(self, carrier: MessageCarrier) -> None:
        await carrier.drained()
        if carrier is self._carrier:
            self._draining = None
            self.feed(Writable(max(carrier.room(), 0)))

    def _send_chat_line(self, text: str) -> None:
        if carrier := self._carrier:
            try:
                carrier.send_chat_line(text)
            except LinkError as error:
                self._leave_link()
                carrier.fail(error.message)
                return
            if self._quiet is None:
                self._listen()

    def _listen(self) -> None:
        """Version 1 has no acknowledgement: silence of the channel for a while stands for one."""
        self._quiet = asyncio.get_running_loop().call_later(limits.V1_CONFIRM_SECONDS, self._heard_nothing)

    def _heard_nothing(self) -> None:
        self._quiet = None
        if self._carrier is None:
            return
        if self._carrier.room() >= limits.LINK_HIGH_WATER_BYTES:
            self.feed(Quiet())
        if self._machine.queued:
            self._listen()

    def _leave_link(self) -> None:
        self._carrier = None
        self._frames.clear()
        if self._draining:
            self._draining.cancel()
            self._draining = None
        if self._quiet:
            self._quiet.cancel()
            self._quiet = None

    def _schedule(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        deadline = self._machine.deadline
        if deadline is not None and not self._closed:
            delay = max(0.0, deadline - self._clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self.feed, TimePassed())


def _refuse_unheard(future: asyncio.Future[Any]) -> None:
    """Tell whoever waits for it, if anybody does, that the mailbox has ended."""
    future.set_exception(
        LocalError(
            "The node has ended, or the contact was removed, before this was on disk. A message that was not "
            "done comes again after the next start.",
            code="closed",
        )
    )
    future.exception()  # most callers of `done` do not wait: that is no error to log


def _settle(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():  # whoever waited may have given up
        future.set_result(result)
