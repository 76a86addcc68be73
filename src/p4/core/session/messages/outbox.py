"""What was accepted for the contact: its numbers, and what the disk has of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from p4.core.limits import APPEND_BYTES, APPEND_MESSAGES
from p4.core.session.messages.desk import Desk
from p4.core.session.messages.events import (
    Accepted,
    Delivered,
    Dropped,
    DropReason,
    Failed,
    Notice,
    NoticeKind,
    Rejected,
    Renewed,
    Submit,
)
from p4.core.session.messages.relation import RelationState
from p4.core.session.messages.stored import (
    AcknowledgeOutbox,
    Appended,
    AppendOutbox,
    Draft,
    DropOutbox,
    OfferOutbox,
    OutboxMessage,
    Quota,
    RenewOutbox,
)

__all__ = ["NO_EPOCH", "VOID_KIND", "Outbox"]

NO_EPOCH = bytes(16)
"""Stands in RESUME for an outbox of which nothing was ever received."""

VOID_KIND = -1
"""``kind`` of what is under way without being a message: numbers that were declared void."""


class Outbox:
    """The durable queue towards the contact, whatever link carries it.

    ``first``, ``next`` and ``offered`` are what the disk has, as far as its answers have come (`first` runs
    ahead of it by what the contact has confirmed). ``waiting`` counts messages; after a start with holes
    between their numbers it may be too high until the contact has confirmed them.

    Args:
        fresh_epoch: 16 random bytes.
    """

    def __init__(
        self, desk: Desk, state: RelationState, quota: Quota, fresh_epoch: Callable[[], bytes]
    ) -> None:
        self._desk = desk
        self._quota = quota
        self._fresh_epoch = fresh_epoch
        self.epoch = state.out_epoch or fresh_epoch()
        self.first = state.out_first
        self.next = state.out_next
        self.offered = state.out_offered
        self.retired = state.out_retired
        self.waiting = state.out_waiting
        self.offering = False
        """Whether a link is there to which all that is accepted may be sent."""
        self.renewing = False
        """Whether the outbox is outdated: nothing may be sent, and its numbers are about to change."""
        self.under_way: deque[OutboxMessage] = deque()
        """Transmitted on the present link, or the one before until the next RESUME, and not confirmed."""
        self.under_way_bytes = 0
        self.dropping: dict[int, tuple[DropReason, str]] = {}
        """What the disk is removing, with the service."""
        self._had_name = bool(state.out_epoch)
        self._known_as = b""
        self._submits: deque[Submit] = deque()
        self._appending: list[Submit] = []
        self._alone = 0
        self._acknowledged = self.first - 1
        self._forgotten: set[int] = set()
        self._loss_told = 0

    def go_on(self) -> None:
        """Ask the disk for what is wanted and can be done now."""
        free = self._desk.free
        if self._submits and free(AppendOutbox):
            self._append()
        if self.renewing:
            if free(RenewOutbox):
                self._desk.perform(RenewOutbox(self._fresh_epoch(), self._known_as))
            return
        if self.offering and self.offered < self.next and free(OfferOutbox):
            self._desk.perform(OfferOutbox())
        if self._acknowledged < self.first - 1 and free(AcknowledgeOutbox):
            self._acknowledged = self.first - 1
            self._desk.perform(AcknowledgeOutbox(self._acknowledged))

    # --- accepting --------------------------------------------------------------------------------------

    def submit(self, submit: Submit) -> None:
        """Take messages of the application; they are accepted with those that come meanwhile."""
        self._submits.append(submit)

    def _append(self) -> None:
        submits = self._submits
        batch = [submits.popleft()]
        drafts: list[Draft] = list(batch[0].drafts)
        if self._alone:
            self._alone -= 1
        else:
            size = sum(len(draft.body) for draft in drafts)
            while submits and len(drafts) + len(submits[0].drafts) <= APPEND_MESSAGES:
                size += sum([len(draft.body) for draft in submits[0].drafts])
                if size > APPEND_BYTES:
                    break
                batch.append(submits.popleft())
                drafts += batch[-1].drafts
        self._appending = batch
        self._desk.perform(
            AppendOutbox(tuple(drafts), self.epoch, self.offering and not self.renewing, self._quota)
        )

    def appended(self, operation: AppendOutbox, result: Appended) -> None:
        """They are on disk."""
        first = result.first
        tell = self._desk.effects.append
        for submit in self._appending:
            tell(Accepted(submit.token, self.epoch, first))
            first += len(submit.drafts)
        self._appending = []
        self.next = first
        self.waiting += len(operation.drafts)
        if operation.offered:
            self.offered = first
        # What is confirmed although the disk does not know yet has been delivered, not replaced.
        replaced = sorted(number for number in result.removed if number >= self.first)
        if replaced:
            self._forget(replaced)
            service = next((draft.service for draft in operation.drafts if draft.key), "")
            tell(Dropped(self.epoch, tuple(replaced), service, DropReason.REPLACED))

    def not_appended(self, failed: Failed) -> None:
        """Nothing of it was accepted."""
        batch, self._appending = self._appending, []
        if failed.code == "outbox-full" and len(batch) > 1:
            # Some may find room without the others.
            self._submits.extendleft(reversed(batch))
            self._alone += len(batch)
            return
        for submit in batch:
            self._desk.effects.append(Rejected(submit.token, failed.code, failed.message))

    # --- confirmed, dropped -----------------------------------------------------------------------------

    def confirm(self, through: int) -> None:
        """The contact has everything up to this number of the present epoch on its disk."""
        through = min(through, self.next - 1)
        if through < self.first:
            return
        under_way = self.under_way
        messages = size = 0
        while under_way and under_way[0][0] <= through:
            message = under_way.popleft()
            if message[2] != VOID_KIND:
                messages += 1
                size += len(message[3])
        self.under_way_bytes -= size
        if self._forgotten:
            confirmed = {number for number in self._forgotten if number <= through}
            messages -= len(confirmed)
            self._forgotten -= confirmed
        self.first = through + 1
        self._loss_told = 0  # it got over that; if it expects the same once more, its backup came back
        self.waiting = max(0, min(self.waiting - messages, self.next - self.first))
        self._desk.effects.append(Delivered(self.epoch, through))

    def link_over(self) -> None:
        """Keep which messages are under way, for the next RESUME, but not their bodies."""
        self.under_way = deque(message._replace(body=b"") for message in self.under_way)
        self.under_way_bytes = 0
        self.offering = False

    def nothing_under_way(self) -> None:
        """Whatever was transmitted on earlier links and not confirmed is transmitted anew."""
        self.under_way.clear()
        self.under_way_bytes = 0
        self._forgotten.clear()

    def refused_by_peer(self, number: int) -> None:
        """The contact has dropped a message; it will acknowledge its number."""
        for message in self.under_way:
            if message.number == number and message.kind != VOID_KIND:
                if number not in self._forgotten:
                    self._forget([number])
                    self._desk.effects.append(
                        Dropped(self.epoch, (number,), message.service, DropReason.REFUSED)
                    )
                return

    def drop(self, doomed: dict[int, tuple[DropReason, str]]) -> None:
        """Remove messages that are not transmitted; `dropped` tells of it when it is on disk."""
        self.dropping = doomed
        self._desk.perform(DropOutbox(tuple(doomed)))

    def dropped(self) -> None:
        """They are gone from the disk: now it can be said."""
        doomed, self.dropping = self.dropping, {}
        for reason in DropReason:
            numbers = tuple(n for n, (why, _) in doomed.items() if why is reason and n >= self.first)
            if numbers:
                self._forget(numbers)
                self._desk.effects.append(Dropped(self.epoch, numbers, doomed[numbers[0]][1], reason))

    def _forget(self, numbers: Iterable[int]) -> None:
        """They are no messages any more, although some of them may be under way."""
        last = self.under_way[-1].number if self.under_way else 0
        for number in numbers:
            self.dropping.pop(number, None)
            self.waiting -= 1
            if number <= last:
                self._forgotten.add(number)

    # --- a disk that is older than what the contact knows (spec/session.md, Restored backups) -----------

    def is_outdated(self, in_epoch: bytes, in_next: int) -> bool:
        """Whether the contact has messages of ours, or a name of our outbox, that this disk never saw.

        Args:
            in_epoch, in_next: what the contact's RESUME says of our outbox.
        """
        if in_epoch == self.epoch:
            return in_next > self.offered
        return in_epoch not in (NO_EPOCH, *self.retired)

    def renew(self, known_as: bytes) -> None:
        """Give the outbox a new name, so that no number is used twice. The present link cannot carry it.

        Args:
            known_as: what the contact calls our outbox.
        """
        if not self.renewing:
            self.renewing = True
            self._known_as = b"" if known_as == self.epoch else known_as

    def renewed(self, operation: RenewOutbox, record: Any) -> None:
        """It has its new name.

        Args:
            record: the new record of the relation.
        """
        old_epoch, shift = self.epoch, self.next - record.out_next
        self.epoch, self.next, self.offered = record.out_epoch, record.out_next, record.out_offered
        self.retired, self.waiting = record.out_retired, record.out_waiting
        self.first, self._acknowledged = 1, 0
        self.renewing = self.offering = False
        self.nothing_under_way()
        tell = self._desk.effects.append
        tell(Renewed(old_epoch, self.epoch, shift))
        if self._had_name:
            tell(Notice(NoticeKind.OUTBOX_RENEWED, self.waiting))
        self._had_name = True

    def notice_loss(self, in_next: int) -> None:
        """Tell once if the contact expects messages of the present epoch that it had confirmed."""
        lost = self.first - in_next
        told, self._loss_told = self._loss_told, in_next if lost > 0 else 0
        if lost > 0 and told != in_next:
            self._desk.effects.append(Notice(NoticeKind.PEER_LOST, lost))

    # --- answers of the disk ----------------------------------------------------------------------------

    def offered_all(self) -> None:
        """All that is on disk may be sent."""
        self.offered = self.next

    def not_acknowledged(self, operation: AcknowledgeOutbox) -> None:
        """It has to be done again, later and perhaps with more."""
        self._acknowledged = 0
