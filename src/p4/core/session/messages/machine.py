"""The messages of a relation as a machine: events in, effects out (spec/session.md, Messages)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

from p4.core.session.grants import GrantTable
from p4.core.session.messages.desk import Desk
from p4.core.session.messages.events import (
    ChatLineArrived,
    ConsumedByPeer,
    EndLink,
    Failed,
    FramesArrived,
    GrantsChanged,
    HandedOver,
    LinkDown,
    LinkUp,
    MessageEffect,
    MessageEvent,
    Performed,
    Quiet,
    Submit,
    Take,
    TimePassed,
    Transmit,
    Writable,
)
from p4.core.session.messages.inbox import Inbox
from p4.core.session.messages.outbox import NO_EPOCH, Outbox
from p4.core.session.messages.relation import RelationState
from p4.core.session.messages.sending import Sending
from p4.core.session.messages.stored import (
    AcceptInbox,
    AcknowledgeOutbox,
    AppendOutbox,
    ConsumeInbox,
    DropOutbox,
    OfferOutbox,
    Quota,
    ReadOutbox,
    ReadWaiting,
    RenewOutbox,
    SkipInbox,
)
from p4.core.session.messages.version1 import ChatSending
from p4.core.session.session_frames import (
    Ack,
    Consumed,
    Grants,
    Message,
    Refused,
    Resume,
    Void,
)
from p4.errors import FrameError

__all__ = ["MessageMachine"]

_OtherFrame = Resume | Ack | Void | Consumed | Grants | Refused


class MessageMachine:
    """Moves messages of one relation between application, disk and whatever link is in service.

    Feed it every event with `handle`, and carry out the effects in order. It relies on `Performed` and
    `Failed` coming in the order of their `Perform`. When ``deadline`` is reached, feed `TimePassed`; while
    ``wants_budget``, feed `Writable` as soon as the link takes more.

    Args:
        record: where both queues stand on disk.
        quota: how much may wait in the outbox.
        fresh_epoch: 16 random bytes, when asked.
        grants: what the contact may use here.
    """

    def __init__(
        self,
        record: RelationState,
        *,
        quota: Quota,
        fresh_epoch: Callable[[], bytes],
        grants: tuple[str, ...],
    ) -> None:
        self._desk = Desk()
        self._outbox = Outbox(self._desk, record, quota, fresh_epoch)
        self._inbox = Inbox(self._desk, record, GrantTable(grants))
        self._first_effects = self._desk.effects
        self._leave_link()

    def _leave_link(self) -> None:
        self._protocol = 0
        self._epoch = b""
        self._highest_ack = 0
        self._peer_grants: GrantTable | None = None
        self._sending: Sending | None = None

    # --- what others may know ---------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """Monotonic time at which `TimePassed` is wanted; None for never."""
        return self._desk.deadline

    @property
    def wants_budget(self) -> bool:
        """Whether something waits to be transmitted and only the budget of `Writable` is missing."""
        return self._sending is not None and self._sending.wants_budget

    @property
    def out_epoch(self) -> bytes:
        """The name of our outbox; on disk only once something was accepted."""
        return self._outbox.epoch

    @property
    def out_first(self) -> int:
        """The oldest number that is not confirmed; the next number if everything is."""
        return self._outbox.first

    @property
    def queued(self) -> int:
        """Accepted messages that are neither confirmed nor dropped.

        Too high after a start with holes between their numbers, until those were confirmed too.
        """
        return self._outbox.waiting

    @property
    def resumed(self) -> bool:
        """Whether RESUME and GRANTS of the contact have arrived on the link in service."""
        return self._inbox.peer is not None and self._peer_grants is not None

    @property
    def grants(self) -> tuple[str, ...]:
        """What the contact may use here."""
        return self._inbox.grants.grants

    @property
    def peer_grants(self) -> tuple[str, ...] | None:
        """What we may use there, by the latest GRANTS on the link in service; None before one came."""
        return None if self._peer_grants is None else self._peer_grants.grants

    def grants_service(self, service: str) -> bool:
        """Whether the contact may use a service here."""
        return self._inbox.grants.allows(service)

    def may_use(self, service: str) -> bool:
        """Whether we may use a service there, as far as this link has told."""
        return self._peer_grants is not None and self._peer_grants.allows(service)

    # --- events -----------------------------------------------------------------------------------------

    def handle(self, event: MessageEvent, now: float, now_ms: int) -> list[MessageEffect]:
        """What is to be done because of an event, in order.

        Args:
            now: monotonic seconds.
            now_ms: wall clock, Unix milliseconds.
        """
        effects = self._desk.begin(now, now_ms)
        if self._first_effects:
            effects += self._first_effects
            self._first_effects = []
        kind = type(event)
        if kind is Submit:
            # The commonest event, and mostly one of many while a write is under way.
            self._outbox.submit(cast("Submit", event))
            if self._desk.free(AppendOutbox):
                self._outbox.go_on()
            return effects
        try:
            self._handlers[kind](self, event)
        except FrameError as error:
            self._end_link(error.message, broke_protocol=True)
        self._outbox.go_on()
        if self._sending is not None:
            self._sending.go_on()
        self._inbox.go_on()
        return effects

    def _take(self, event: Take) -> None:
        self._inbox.consumption.take(event)

    def _handed_over(self, event: HandedOver) -> None:
        self._inbox.held.update(event.positions)

    def _time_passed(self, event: TimePassed) -> None:
        """What rested goes on by itself."""

    def _grants_changed(self, event: GrantsChanged) -> None:
        self._inbox.grants = GrantTable(event.grants)
        if self._protocol == 2:
            self._desk.effects.append(Transmit(Grants(event.grants)))

    # --- the link ---------------------------------------------------------------------------------------

    def _link_up(self, event: LinkUp) -> None:
        self._link_down(None)
        self._protocol = event.protocol
        if event.protocol == 1:
            self._outbox.nothing_under_way()
            self._sending = ChatSending(self._desk, self._outbox)
            return
        self._epoch = self._outbox.epoch
        tell = self._desk.effects.append
        tell(Transmit(Resume(self._epoch, self._outbox.first, *self._inbox.expected)))
        tell(Transmit(Grants(self._inbox.grants.grants)))

    def _link_down(self, event: LinkDown | None) -> None:
        if self._protocol:
            self._outbox.link_over()
            self._inbox.link_over()
            self._leave_link()

    def _end_link(self, reason: str, *, broke_protocol: bool) -> None:
        if self._protocol:
            self._desk.effects.append(EndLink(reason, broke_protocol))
            self._link_down(None)

    def _writable(self, event: Writable) -> None:
        if self._sending is not None:
            self._sending.budget = event.budget

    def _quiet(self, event: Quiet) -> None:
        if isinstance(self._sending, ChatSending):
            self._sending.quiet()

    def _chat_line(self, event: ChatLineArrived) -> None:
        if self._protocol == 1:
            self._inbox.text(event.text)

    def _frames(self, event: FramesArrived) -> None:
        if self._protocol != 2:
            return  # of a link that is over
        inbox = self._inbox
        for frame in event.frames:
            kind = type(frame)
            if inbox.peer is None and kind is not Resume:
                raise FrameError("A frame arrived before RESUME.", code="out-of-turn")
            if kind is Message:
                inbox.message(cast("Message", frame))
            else:
                self._other_frame(cast("_OtherFrame", frame))

    def _other_frame(self, frame: _OtherFrame) -> None:
        match frame:
            case Ack(through):
                self._ack(through)
            case Void():
                self._inbox.void(frame)
            case Consumed(through, service):
                self._consumed(through, service)
            case Grants(grants):
                self._peer_grants = GrantTable(grants)
                self._begin_to_send()
            case Refused(number):
                if self._sending is not None:
                    self._outbox.refused_by_peer(number)
            case Resume():
                if self._inbox.peer is not None:
                    raise FrameError("A second RESUME arrived on one link.", code="out-of-turn")
                self._resume(frame)

    def _resume(self, peer: Resume) -> None:
        self._inbox.resume(peer)
        outbox = self._outbox
        if self._is_void_link:
            return
        if outbox.is_outdated(peer.in_epoch, peer.in_next):
            outbox.renew(peer.in_epoch)
            return
        if peer.in_epoch == outbox.epoch:
            outbox.notice_loss(peer.in_next)
            outbox.confirm(peer.in_next - 1)
            self._highest_ack = peer.in_next - 1
        elif peer.in_epoch != NO_EPOCH:
            outbox.notice_loss(1)  # it knows an earlier name of ours only, and nothing of this one
        outbox.nothing_under_way()
        outbox.offering = True

    @property
    def _is_void_link(self) -> bool:
        """Whether our RESUME on this link named an outbox that is renewed, or about to be."""
        return self._outbox.renewing or self._epoch != self._outbox.epoch

    def _begin_to_send(self) -> None:
        grants = self._peer_grants
        if self._sending is not None and grants is not None:
            self._sending.grants = grants
        elif grants is not None and not self._is_void_link:
            self._sending = Sending(self._desk, self._outbox, self._outbox.first, grants)

    def _ack(self, through: int) -> None:
        if self._is_void_link:
            return
        position = 0 if self._sending is None else self._sending.transmitted
        if through > max(position, self._highest_ack):
            raise FrameError("The contact confirms messages that it was not sent.", code="never-sent")
        self._outbox.confirm(through)

    def _consumed(self, through: int, service: str) -> None:
        if not self._is_void_link:
            known = min(through, self._outbox.next - 1)
            self._desk.effects.append(ConsumedByPeer(self._epoch, service, known))

    # --- the disk ---------------------------------------------------------------------------------------

    def _performed(self, event: Performed) -> None:
        operation, result = event.operation, event.result
        self._desk.over(operation)
        outbox, inbox, sending = self._outbox, self._inbox, self._sending
        match operation:
            case AppendOutbox():
                outbox.appended(operation, result)
                if sending is not None:
                    sending.appended(result.first, operation.drafts, result.removed)
            case AcceptInbox():
                inbox.accepted(operation, result)
            case ReadOutbox():
                if sending is not None:
                    sending.read(operation, result)
            case AcknowledgeOutbox():
                pass
            case ConsumeInbox():
                inbox.consumed(operation.positions, result)
                inbox.consumption.consumed(operation, result)
            case DropOutbox(numbers):
                outbox.dropped()
                if sending is not None:
                    sending.forget(numbers)
            case OfferOutbox():
                outbox.offered_all()
            case SkipInbox():
                inbox.skipped(operation)
            case ReadWaiting():
                inbox.consumption.waiting(operation, result)
            case RenewOutbox():
                self._renewed(operation, result)

    def _renewed(self, operation: RenewOutbox, record: Any) -> None:
        self._outbox.renewed(operation, record)
        if self._protocol == 2:
            self._end_link(
                "Our queue is older than what the contact has and was renewed.", broke_protocol=False
            )
        elif self._sending is not None:
            budget, self._sending = self._sending.budget, ChatSending(self._desk, self._outbox)
            self._sending.budget = budget

    def _failed(self, event: Failed) -> None:
        operation = event.operation
        if isinstance(operation, AppendOutbox):
            self._desk.over(operation)
            self._outbox.not_appended(event)
            return
        self._desk.refused(operation)
        match operation:
            case AcceptInbox():
                self._inbox.not_accepted(operation)
            case AcknowledgeOutbox():
                self._outbox.not_acknowledged(operation)
            case ConsumeInbox():
                self._inbox.consumption.not_consumed()
            case DropOutbox():
                self._outbox.dropping = {}
            case ReadWaiting():
                self._inbox.consumption.not_read()
            case _:
                pass  # it is still wanted, and asked for again

    _handlers: ClassVar[dict[type, Callable[[MessageMachine, Any], None]]] = {
        Take: _take,
        HandedOver: _handed_over,
        Performed: _performed,
        Failed: _failed,
        LinkUp: _link_up,
        LinkDown: _link_down,
        FramesArrived: _frames,
        Writable: _writable,
        ChatLineArrived: _chat_line,
        Quiet: _quiet,
        GrantsChanged: _grants_changed,
        TimePassed: _time_passed,
    }
