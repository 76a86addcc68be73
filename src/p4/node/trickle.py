"""Candidates that follow an offer or answer (spec/signaling.md, Candidates that follow)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from p4.core import limits
from p4.core.signaling import Candidates
from p4.errors import P4Error
from p4.node.conversation import Conversation

__all__ = ["Trickle"]

_log = logging.getLogger(__name__)
_BATCH = 32
"""Most candidates in a message."""


class Trickle:
    """Collects what is found late and sends it on, some at a time; each stream gets all of it.

    Args:
        session_id: of the negotiation.
        streams: where the description went; read when something is sent.
    """

    def __init__(self, session_id: str, streams: Callable[[], Sequence[Conversation]]) -> None:
        self._session_id = session_id
        self._streams = streams
        self._found: list[str] = []
        self._done = False
        self._given: dict[Conversation, int] = {}
        """How many candidates a stream has got."""
        self._told: set[Conversation] = set()
        """The streams that know that these were all, as far as can be said."""
        self._may_send = False
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    def found(self, candidate: str) -> None:
        """The link library found a candidate; the empty string says that no more are expected."""
        if candidate and len(self._found) < limits.NEGOTIATION_CANDIDATES:
            self._found.append(candidate)
        self._done = self._done or not candidate
        self._wake()

    def start(self) -> None:
        """The description went over a stream (one more), so candidates may follow there."""
        self._may_send = True
        self._wake()

    def close(self) -> None:
        """Send no more."""
        self._closed = True
        if self._task:
            self._task.cancel()

    def _wake(self) -> None:
        idle = self._task is None or self._task.done()
        if self._may_send and not self._closed and idle and self._behind():
            self._task = asyncio.ensure_future(self._send())

    def _behind(self) -> list[Conversation]:
        total = len(self._found)
        streams = [c for c in self._streams() if not c.ended]
        return [c for c in streams if self._given.get(c, 0) < total or (self._done and c not in self._told)]

    async def _send(self) -> None:
        while behind := self._behind():
            if not self._done:
                await asyncio.sleep(limits.CANDIDATES_SECONDS)
            for conversation in behind:
                first = self._given.get(conversation, 0)
                batch = self._found[first : first + _BATCH]
                done = self._done and first + len(batch) == len(self._found)
                self._given[conversation] = first + len(batch)
                if done:
                    self._told.add(conversation)
                try:
                    await conversation.send(Candidates(self._session_id, tuple(batch), done), sealed=True)
                except P4Error as error:
                    _log.debug("candidates for %s: %s", conversation.contact.label, error.message)
