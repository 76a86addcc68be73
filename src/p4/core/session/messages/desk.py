"""What the parts of the message machine share: the moment, the effects, and the disk's work under way."""

from __future__ import annotations

from p4.core import limits
from p4.core.session.messages.events import MessageEffect, Perform
from p4.core.session.messages.stored import Operation

__all__ = ["Desk"]


class Desk:
    """One event's moment and effects, and which operations are under way.

    Of each kind of operation at most one is under way; what is wanted meanwhile is gathered and done together
    afterwards. A kind that the disk has refused rests for ``limits.DISK_RETRY_SECONDS``.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.now_ms = 0
        self.effects: list[MessageEffect] = []
        self._busy: set[type] = set()
        self._rests: dict[type, float] = {}

    @property
    def deadline(self) -> float | None:
        """When the first of the refused kinds may be tried again; None if none was refused."""
        return min(self._rests.values(), default=None)

    def begin(self, now: float, now_ms: int) -> list[MessageEffect]:
        """A new event is handled: returns the list in which its effects are gathered."""
        self.now = now
        self.now_ms = now_ms
        self.effects = []
        if self._rests:
            self._rests = {kind: until for kind, until in self._rests.items() if until > now}
        return self.effects

    def free(self, kind: type) -> bool:
        """Whether an operation of this kind may be asked for now."""
        return kind not in self._busy and kind not in self._rests

    def perform(self, operation: Operation) -> None:
        """Ask the disk for it."""
        self._busy.add(type(operation))
        self.effects.append(Perform(operation))

    def over(self, operation: Operation) -> None:
        """It has been performed, or refused and is not wanted any more."""
        self._busy.discard(type(operation))

    def refused(self, operation: Operation) -> None:
        """The disk refused it: the next of its kind has to wait."""
        self._busy.discard(type(operation))
        self._rests[type(operation)] = self.now + limits.DISK_RETRY_SECONDS
