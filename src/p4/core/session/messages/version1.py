"""Chat lines to a version 1 peer: without acknowledgement, confirmed by silence (spec/link.md)."""

from __future__ import annotations

import json
from collections import deque

from p4.core.limits import V1_CONFIRM_SECONDS
from p4.core.session.grants import GrantTable
from p4.core.session.messages.desk import Desk
from p4.core.session.messages.events import ChatLine, DropReason
from p4.core.session.messages.outbox import Outbox
from p4.core.session.messages.sending import Sending
from p4.core.session.messages.stored import OutboxMessage
from p4.core.session.session_frames import Kind

__all__ = ["CHAT", "ChatSending"]

CHAT = "chat"
"""The service that takes what a person says; the only one that version 1 knows."""

_TIMER_SLACK_SECONDS = 0.01
"""A timer may be early by as much as clocks are coarse (Windows: 15.6 ms, rounded down)."""


class ChatSending(Sending):
    """Texts for ``chat`` as chat lines, from the oldest unconfirmed one on; everything else is dropped.

    Nothing is offered: a version 1 peer learns no numbers, so no copy of this disk can contradict it.
    """

    def __init__(self, desk: Desk, outbox: Outbox) -> None:
        super().__init__(desk, outbox, outbox.first, GrantTable((CHAT,)))
        self._sent: deque[tuple[float, int]] = deque()

    def quiet(self) -> None:
        """The link has let everything go: what was sent long enough ago has arrived."""
        through = 0
        while self._sent and self._sent[0][0] + V1_CONFIRM_SECONDS - _TIMER_SLACK_SECONDS <= self._desk.now:
            through = self._sent.popleft()[1]
        if through:
            self._outbox.confirm(through)

    def _end(self) -> int:
        return self._outbox.next

    def _reason_to_drop(self, message: OutboxMessage) -> DropReason | None:
        if message.service != CHAT or _text_of(message) is None:
            return DropReason.NOT_SUPPORTED
        return super()._reason_to_drop(message)

    def _transmit(self, message: OutboxMessage) -> None:
        self._desk.effects.append(ChatLine(_text_of(message) or ""))
        self._note(message.number)

    def _transmit_void(self, first: int, last: int) -> None:
        self._note(last)

    def _note(self, number: int) -> None:
        """When it was sent; one entry a moment is enough."""
        if self._sent and self._sent[-1][0] == self._desk.now:
            self._sent.pop()
        self._sent.append((self._desk.now, number))


def _text_of(message: OutboxMessage) -> str | None:
    """What a message says, if a chat line can say it."""
    if message.kind != Kind.JSON:
        return None
    try:
        text = json.loads(message.body)
    except (ValueError, RecursionError):
        return None
    return text if isinstance(text, str) else None
