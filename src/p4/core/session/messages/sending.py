"""From the outbox onto one link: in order, within the window, as fast as the link takes it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from p4.core.limits import (
    READ_BYTES,
    READ_MESSAGES,
    SEND_WINDOW_BYTES,
    SEND_WINDOW_MESSAGES,
)
from p4.core.session.grants import GrantTable
from p4.core.session.messages.desk import Desk
from p4.core.session.messages.events import DropReason, Transmit
from p4.core.session.messages.outbox import VOID_KIND, Outbox
from p4.core.session.messages.stored import Draft, DropOutbox, OutboxMessage, ReadOutbox
from p4.core.session.session_frames import Message, Void

__all__ = ["FRAME_OVERHEAD_BYTES", "Sending"]

FRAME_OVERHEAD_BYTES = 64
"""What a message is assumed to take on the link beside its body."""


class Sending:
    """Transmits the messages of one outbox epoch on one link of version 2, from a number on.

    What is to be transmitted next stands in memory, at most a window of it: messages that were just accepted,
    or a piece that was read from the disk. Numbers without a message become VOID.

    Args:
        begin: the first number to transmit.
        grants: what the contact allows us.
    """

    def __init__(self, desk: Desk, outbox: Outbox, begin: int, grants: GrantTable) -> None:
        self._desk = desk
        self._outbox = outbox
        self.grants = grants
        self.budget = 0
        """Bytes that the link takes now."""
        self.wants_budget = False
        """Whether only the budget is missing."""
        self.position = begin - 1
        """Everything up to this number was transmitted or declared void on this link, or is confirmed."""
        self._begin = begin
        self._known = begin - 1
        """What waits up to this number, and after ``position``, stands in ``_ready``."""
        self._ready: deque[OutboxMessage] = deque()
        self._ready_bytes = 0
        self._reading: ReadOutbox | None = None

    @property
    def transmitted(self) -> int:
        """The highest number that was transmitted or declared void on this link; 0 for none."""
        return self.position if self.position >= self._begin else 0

    def go_on(self) -> None:
        """Transmit what can be, and ask the disk for more of it."""
        self.wants_budget = False
        if self._outbox.renewing:
            return
        self._transmit_ready()
        if (
            self._known < self._outbox.next - 1
            and len(self._ready) < READ_MESSAGES // 2
            and self._ready_bytes < READ_BYTES
            and self._desk.free(ReadOutbox)
        ):
            self._reading = ReadOutbox(self._known, READ_MESSAGES, READ_BYTES)
            self._desk.perform(self._reading)

    def _transmit_ready(self) -> None:
        ready, outbox = self._ready, self._outbox
        under_way, end = outbox.under_way, self._end()
        while ready:
            message = ready[0]
            number, size = message[0], len(message[3])
            if number >= end:
                return
            if self._reason_to_drop(message) is not None:
                self._give_up()
                return
            if len(under_way) >= SEND_WINDOW_MESSAGES or (
                outbox.under_way_bytes + size > SEND_WINDOW_BYTES and outbox.under_way_bytes
            ):
                return
            if self.budget <= 0:
                self.wants_budget = True
                return
            if number != self.position + 1:
                self._void(number - 1)
            self._transmit(message)
            ready.popleft()
            under_way.append(message)
            self.position = number
            outbox.under_way_bytes += size
            self._ready_bytes -= size
            self.budget -= size + FRAME_OVERHEAD_BYTES
        last = min(self._known, end - 1)
        if self.position < last and len(under_way) < SEND_WINDOW_MESSAGES:
            self._void(last)

    def _void(self, last: int) -> None:
        """Nothing is left of the numbers from the position to this one."""
        self._transmit_void(self.position + 1, last)
        self._outbox.under_way.append(OutboxMessage(last, "", VOID_KIND, b"", "", 0, 0))
        self.position = last

    def _give_up(self) -> None:
        """Drop all in memory that must not be transmitted; until it is done, nothing passes it."""
        if self._outbox.dropping or not self._desk.free(DropOutbox):
            return
        doomed = {
            message.number: (reason, message.service)
            for message in self._ready
            if (reason := self._reason_to_drop(message)) is not None
        }
        self._outbox.drop(doomed)

    # --- what a version 1 link does differently ---------------------------------------------------------

    def _end(self) -> int:
        """Nothing from this number on may be transmitted: it is not on record as offered."""
        return self._outbox.offered

    def _reason_to_drop(self, message: OutboxMessage) -> DropReason | None:
        expires_ms = message[6]
        if expires_ms and expires_ms <= self._desk.now_ms:
            return DropReason.EXPIRED
        if not self.grants.allows(message[1]):
            return DropReason.REFUSED
        # Once it is being removed, it is, even if it were allowed again meanwhile.
        if self._outbox.dropping and message[0] in self._outbox.dropping:
            return self._outbox.dropping[message[0]][0]
        return None

    def _transmit(self, message: OutboxMessage) -> None:
        number, service, kind, body, key, accepted_ms, expires_ms = message
        ttl_ms = expires_ms - self._desk.now_ms if expires_ms else 0
        self._desk.effects.append(Transmit(Message(number, kind, accepted_ms, ttl_ms, service, key, body)))

    def _transmit_void(self, first: int, last: int) -> None:
        self._desk.effects.append(Transmit(Void(first, last)))

    # --- what becomes of the messages -------------------------------------------------------------------

    def appended(self, first: int, drafts: tuple[Draft, ...], removed: tuple[int, ...]) -> None:
        """Messages have been accepted: keep them in memory if it is their turn and there is room."""
        if removed:
            self.forget(removed)
        if self._known != first - 1 or len(self._ready) + len(drafts) > SEND_WINDOW_MESSAGES:
            return
        size = sum([len(draft[2]) for draft in drafts])
        if self._ready_bytes + size > SEND_WINDOW_BYTES:
            return
        self._known += len(drafts)
        make = OutboxMessage._make
        messages = [make((number, *draft)) for number, draft in enumerate(drafts, first)]
        if removed:
            gone = frozenset(removed)
            messages = [message for message in messages if message.number not in gone]
            size = sum([len(message.body) for message in messages])
        self._ready += messages
        self._ready_bytes += size

    def read(self, operation: ReadOutbox, messages: tuple[OutboxMessage, ...]) -> None:
        """The disk's answer; one that an earlier link asked for is ignored."""
        if operation is not self._reading:
            return
        self._reading = None
        self._ready += messages
        self._ready_bytes += sum([len(message[3]) for message in messages])
        # An empty answer tells that what is left are holes.
        self._known = messages[-1].number if messages else self._outbox.next - 1

    def forget(self, numbers: Iterable[int]) -> None:
        """They are not on the disk any more; what was not transmitted will not be."""
        gone = frozenset(numbers)
        self._ready = deque(message for message in self._ready if message.number not in gone)
        self._ready_bytes = sum([len(message.body) for message in self._ready])
