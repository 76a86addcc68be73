"""What the application has taken: off the disk, then told to the contact (spec/session.md, Consumed)."""

from __future__ import annotations

from typing import Protocol

from p4.core.limits import CONSUMED_SERVICES
from p4.core.session.messages.desk import Desk
from p4.core.session.messages.events import ConsumedHere, Take, Transmit
from p4.core.session.messages.stored import ConsumeInbox, ReadWaiting, Waiting
from p4.core.session.session_frames import Consumed, Resume

__all__ = ["Consumption"]


class _Numbers(Protocol):
    """What is needed of the inbox."""

    epoch: bytes
    peer: Resume | None

    def expected_of(self, epoch: bytes) -> int | None: ...


class Consumption:
    """Removes what was taken, and says CONSUMED.

    Args:
        inbox: knows what was received.
    """

    def __init__(self, desk: Desk, inbox: _Numbers) -> None:
        self._desk = desk
        self._inbox = inbox
        self._takes: list[Take] = []
        self._taking: list[Take] = []
        self._wants_report = False
        self._reading: ReadWaiting | None = None
        self._told: dict[str, int] = {}

    def take(self, take: Take) -> None:
        """The application has taken messages."""
        if take.messages:
            self._takes.append(take)
        else:
            self._desk.effects.append(ConsumedHere(take.token))

    def link_over(self) -> None:
        """The next link begins with a report of its own."""
        self._wants_report = False
        self._reading = None
        self._told = {}

    def report(self) -> None:
        """A link began with a contact of which something was received: tell what was taken."""
        self._wants_report = True

    def go_on(self) -> None:
        """Ask the disk for what is wanted and can be done now."""
        if self._takes and self._desk.free(ConsumeInbox):
            self._taking, self._takes = self._takes, []
            messages = [message for take in self._taking for message in take.messages]
            peer = self._inbox.peer
            self._desk.perform(
                ConsumeInbox(
                    tuple([message.position for message in messages]),
                    frozenset([message.service for message in messages]),
                    peer.out_epoch if peer is not None else self._inbox.epoch,
                )
            )
        if self._wants_report and self._inbox.peer is not None and self._desk.free(ReadWaiting):
            self._wants_report = False
            self._reading = ReadWaiting(self._inbox.peer.out_epoch)
            self._desk.perform(self._reading)

    def consumed(self, operation: ConsumeInbox, result: Waiting) -> None:
        """It is off the disk."""
        for take in self._taking:
            self._desk.effects.append(ConsumedHere(take.token))
        self._taking = []
        through = self._all_of(operation.epoch)
        if through is None:
            return
        for service in sorted(result.first):
            self._tell(service, result.first[service] - 1 if result.first[service] else through)

    def not_consumed(self) -> None:
        """It has to be done again."""
        self._takes = self._taking + self._takes
        self._taking = []

    def waiting(self, operation: ReadWaiting, result: Waiting) -> None:
        """The report of a new link: what waits, and then everything else."""
        through = self._all_of(operation.epoch)
        if operation is not self._reading or through is None:
            return
        self._reading = None
        waiting = sorted((service, first) for service, first in result.first.items() if first)
        for service, first in waiting[:CONSUMED_SERVICES]:
            self._tell(service, first - 1)
        # Of those that are not named nothing may be said that is not true.
        rest = [first - 1 for _, first in waiting[CONSUMED_SERVICES:]]
        self._desk.effects.append(Transmit(Consumed(min([through, *rest]), "")))

    def not_read(self) -> None:
        """The report has to wait."""
        if self._reading is not None:
            self._reading = None
            self._wants_report = True

    def _all_of(self, epoch: bytes) -> int | None:
        """The highest number received of this epoch; None if the link in service is not about it."""
        peer = self._inbox.peer
        if peer is None or peer.out_epoch != epoch:
            return None
        return (self._inbox.expected_of(epoch) or 1) - 1

    def _tell(self, service: str, through: int) -> None:
        if self._told.get(service, -1) < through:
            self._told[service] = through
            self._desk.effects.append(Transmit(Consumed(through, service)))
