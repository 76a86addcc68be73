"""What arrives from the contact: onto the disk, then to the application, then acknowledged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from p4.core import limits
from p4.core.session.grants import GrantTable
from p4.core.session.messages.consumption import Consumption
from p4.core.session.messages.desk import Desk
from p4.core.session.messages.events import Notice, NoticeKind, Transmit, Withdrawn
from p4.core.session.messages.events import Received as Arrived
from p4.core.session.messages.outbox import NO_EPOCH
from p4.core.session.messages.relation import RelationState
from p4.core.session.messages.stored import AcceptInbox, Kept, Received, SkipInbox, Waiting
from p4.core.session.messages.version1 import CHAT
from p4.core.session.session_frames import Ack, Kind, Message, Refused, RefusedReason, Resume, Void
from p4.errors import FrameError

__all__ = ["V1_EPOCH", "Inbox"]

V1_EPOCH = b"version 1 texts\0"
"""Inbox epoch for texts of version 1 peers, which have neither epoch nor number."""


@dataclass
class _Batch:
    """What arrived on one link and is not on its way to the disk."""

    messages: list[Received]
    refused: list[int]
    through: int = 0
    frames: int = 0
    size: int = 0
    lost: int = 0
    """Messages of a queue that is unknown here, which a lost state of this disk has confirmed."""


class Inbox:
    """The durable queue from the contact.

    ``epoch`` and ``next`` are what the disk expects, as far as its answers have come.

    Args:
        grants: what the contact may use here.
    """

    def __init__(self, desk: Desk, state: RelationState, grants: GrantTable) -> None:
        self._desk = desk
        self.grants = grants
        self.epoch = state.in_epoch
        self.next = state.in_next
        self._retired = dict(state.in_retired)
        self._waiting = (state.in_waiting, state.in_waiting_bytes)
        self._full = False
        self.held: set[int] = set()
        """Positions of messages with a key that the application has been given and has not taken."""
        self.consumption = Consumption(desk, self)
        self._texts: list[Received] = []
        self._accepting: AcceptInbox | None = None
        self._accepting_batch = _Batch([], [])
        self._accepting_from: Resume | None = None
        self._leave_link()
        self._check_room(state.in_waiting, state.in_waiting_bytes)

    def _leave_link(self) -> None:
        self.peer: Resume | None = None
        """The contact's RESUME on the link in service."""
        self._batch = _Batch([], [])
        self._seen = 0
        self._done = 0
        self._acknowledged = 0
        self._again = False
        self._skip: SkipInbox | None = None

    @property
    def expected(self) -> tuple[bytes, int]:
        """The contact's outbox as we know it, and the number that we expect from it (for RESUME)."""
        known = [*self._retired.items(), (self.epoch, self.next)]
        numbered = [(epoch, number) for epoch, number in known if epoch not in (b"", V1_EPOCH)]
        return numbered[-1] if numbered else (NO_EPOCH, 1)

    def expected_of(self, epoch: bytes) -> int | None:
        """The number expected in an epoch; None if it is unknown."""
        return self.next if epoch == self.epoch else self._retired.get(epoch)

    # --- the link ---------------------------------------------------------------------------------------

    def link_over(self) -> None:
        """What arrived and is not on its way to the disk comes again, except texts of version 1."""
        self._leave_link()
        self.consumption.link_over()

    def resume(self, peer: Resume) -> None:
        """The contact says where its outbox begins."""
        self.peer = peer
        expected = self.expected_of(peer.out_epoch)
        if expected is not None:
            self._done = expected - 1
            if peer.out_first > expected:
                self._skip = SkipInbox(peer.out_epoch, peer.out_first)
            self.consumption.report()
        elif peer.out_first > 1 and self.expected[0] != NO_EPOCH:
            # We know an earlier queue of the contact, and have confirmed messages of this one: they are lost.
            self._batch.lost = self._batch.through = peer.out_first - 1
            self._batch.frames = 1

    def message(self, frame: Message) -> None:
        """A message arrived.

        Raises:
            FrameError: ``window``: the contact does not wait for acknowledgements.
        """
        number = frame[0]
        if number <= self._seen or number <= self._done:
            self._seen = max(self._seen, number)
            self._again = True
            return
        _, kind, sent_ms, ttl_ms, service, key, body = frame
        batch = self._batch
        self._seen = batch.through = number
        if self.grants.allows(service):
            expires_ms = self._desk.now_ms + ttl_ms if ttl_ms else 0
            batch.messages.append(Received(number, service, kind, body, key, sent_ms, expires_ms))
            batch.size += len(body)
        else:
            batch.refused.append(number)
        self._count(batch)

    def void(self, frame: Void) -> None:
        """Numbers arrived that have no message. Raises FrameError as `message`."""
        if frame.last <= self._seen or frame.last <= self._done:
            self._seen = max(self._seen, frame.last)
            self._again = True
            return
        self._seen = self._batch.through = frame.last
        self._count(self._batch)

    def _count(self, batch: _Batch) -> None:
        batch.frames += 1
        under_way = self._accepting_batch
        frames, size = batch.frames + under_way.frames, batch.size + under_way.size
        if frames > 2 * limits.SEND_WINDOW_MESSAGES or size > 2 * limits.SEND_WINDOW_BYTES:
            raise FrameError("The contact sends beyond its window.", code="window")

    def text(self, text: str) -> None:
        """A text of a version 1 peer arrived; nobody will send it again.

        Raises:
            FrameError: ``window``: more than the disk can keep up with.
        """
        if len(self._texts) >= limits.SEND_WINDOW_MESSAGES:
            raise FrameError("The contact sends faster than the disk can keep.", code="window")
        if self.grants.allows(CHAT):
            # Half a character (a lone surrogate) cannot be encoded: it becomes a question mark.
            body = json.dumps(text, ensure_ascii=False).encode(errors="replace")
            self._texts.append(Received(0, CHAT, Kind.JSON, body, "", self._desk.now_ms, 0))

    # --- onto the disk ----------------------------------------------------------------------------------

    def go_on(self) -> None:
        """Ask the disk for what is wanted and can be done now; acknowledge what can be."""
        if self._skip is not None and self._desk.free(SkipInbox):
            self._desk.perform(self._skip)
        self.consumption.go_on()
        if not self._full and (self._batch.frames or self._texts) and self._desk.free(AcceptInbox):
            self._accept()
        if self._again:
            self._acknowledge()

    def _accept(self) -> None:
        if self._texts:
            first = self.expected_of(V1_EPOCH) or 1
            texts = [text._replace(number=number) for number, text in enumerate(self._texts, first)]
            batch = _Batch(texts, [], texts[-1].number, len(texts))
            self._texts = []
            self._accepting_from, epoch = None, V1_EPOCH
        elif self.peer is not None and self._skip is None:
            batch, self._batch = self._batch, _Batch([], [])
            self._accepting_from, epoch = self.peer, self.peer.out_epoch
        else:
            return
        self._accepting_batch = batch
        held = frozenset(self.held) if self.held else frozenset()
        self._accepting = AcceptInbox(epoch, tuple(batch.messages), batch.through, self._desk.now_ms, held)
        self._desk.perform(self._accepting)

    def accepted(self, operation: AcceptInbox, kept: Kept) -> None:
        """It is on disk: tell the application and the contact."""
        batch, self._accepting_batch = self._accepting_batch, _Batch([], [])
        tell = self._desk.effects.append
        expected = self.expected_of(operation.epoch)
        if expected is None or operation.through >= expected:
            self._turn_to(operation.epoch, operation.through + 1)
            if expected is None and batch.lost:
                tell(Notice(NoticeKind.MISSING_HERE, batch.lost))
        if kept.removed:
            withdrawn = tuple(position for position in kept.removed if position not in self.held)
            if withdrawn:
                tell(Withdrawn(withdrawn))
        if kept.messages:
            tell(Arrived(kept.messages))
        self._check_room(kept.waiting, kept.waiting_bytes)
        if self._accepting_from is self.peer and batch.refused:
            for number in batch.refused:
                tell(Transmit(Refused(number, RefusedReason.NOT_GRANTED)))
        self._acknowledge()

    def not_accepted(self, operation: AcceptInbox) -> None:
        """It has to be offered to the disk again, unless the contact will send it again."""
        batch, self._accepting_batch = self._accepting_batch, _Batch([], [])
        if operation.epoch == V1_EPOCH:
            self._texts = batch.messages + self._texts
        elif self._accepting_from is self.peer:
            later = self._batch
            batch.messages += later.messages
            batch.refused += later.refused
            batch.through = max(batch.through, later.through)
            batch.frames += later.frames
            batch.size += later.size
            batch.lost = max(batch.lost, later.lost)
            self._batch = batch

    def _turn_to(self, epoch: bytes, following: int) -> None:
        """The disk has turned to this epoch, and expects this number of it."""
        before, expected = self.epoch, self.next
        self.epoch, self.next = epoch, following
        if epoch == before:
            return
        self._retired.pop(epoch, None)
        if before:
            self._retired[before] = expected
            for oldest in list(self._retired)[: -limits.RETIRED_EPOCHS]:
                del self._retired[oldest]
            if V1_EPOCH not in (before, epoch):
                self._desk.effects.append(Notice(NoticeKind.PEER_RENEWED, 0))

    def _acknowledge(self) -> None:
        """Confirm what is on disk, of what arrived on this link; earlier numbers were not sent on it."""
        if self.peer is None:
            return
        self._done = (self.expected_of(self.peer.out_epoch) or 1) - 1
        through = min(self._done, self._seen)
        if through > self._acknowledged or (self._again and through):
            self._acknowledged = through
            self._desk.effects.append(Transmit(Ack(through)))
        self._again = False

    def skipped(self, operation: SkipInbox) -> None:
        """What the contact will not send again is written off: tell the person."""
        expected = self.expected_of(operation.epoch)
        if operation is self._skip:
            self._skip = None
        if expected is None or operation.to <= expected:
            return
        if operation.epoch == self.epoch:
            self.next = operation.to
        else:
            self._retired[operation.epoch] = operation.to
        if self.peer is not None and self.peer.out_epoch == operation.epoch:
            self._done = operation.to - 1
        self._desk.effects.append(Notice(NoticeKind.MISSING_HERE, operation.to - expected))

    # --- the application --------------------------------------------------------------------------------

    def consumed(self, positions: Sequence[int], result: Waiting) -> None:
        """The application has taken messages, and the disk knows."""
        if self.held:
            self.held.difference_update(positions)
        self._check_room(result.waiting, result.waiting_bytes)

    def _check_room(self, waiting: int, size: int) -> None:
        """Hold the contact back while the application has too much to take."""
        if waiting >= limits.INBOX_UNCONSUMED or size >= limits.INBOX_BYTES:
            if not self._full:
                self._full = True
                self._desk.effects.append(Notice(NoticeKind.INBOX_FULL, waiting))
        elif waiting <= limits.INBOX_UNCONSUMED // 2 and size <= limits.INBOX_BYTES // 2:
            self._full = False
