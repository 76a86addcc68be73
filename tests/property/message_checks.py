"""What must be true of every frame at the moment when a side sends it."""

from __future__ import annotations

from tests.property.message_side import Side

from p4.core.session.messages.events import MessageFrame
from p4.core.session.session_frames import Ack, Consumed, Message, Resume, Void


def check_frame(side: Side, frame: MessageFrame) -> None:
    """What the frame says is true of the sender's disk."""
    model = side.disk.model
    record = model.record
    match frame:
        case Resume():
            assert side.resume_sent is None
            side.resume_sent = frame
            side.sent_through = 0
        case Message(number, body=body):
            _check_may_send(side, number, number)
            on_disk = model.outbox.get(number)
            assert on_disk is not None, f"{number} is sent and not on disk"
            assert on_disk.body == body, f"{number} names another message on disk"
        case Void(first, last):
            _check_may_send(side, first, last)
            still = [number for number in model.outbox if first <= number <= last]
            assert not still, f"{still} are void on the wire and not on disk"
        case Ack(through):
            assert side.resume_heard is not None
            expected = model.expected(side.resume_heard.out_epoch) or 1
            assert through < expected, f"{through} is acknowledged and not on disk"
        case Consumed(through, service):
            assert side.resume_heard is not None
            epoch = side.resume_heard.out_epoch
            check_consumed(side, epoch, service, through, named=side.named)
            side.named.add(service)
    assert record is model.record


def _check_may_send(side: Side, first: int, last: int) -> None:
    record = side.disk.model.record
    assert side.resume_heard is not None, "sent before RESUME"
    assert side.grants_heard, "sent before GRANTS"
    assert side.resume_sent is not None
    assert side.resume_sent.out_epoch == record.out_epoch, "sent on a link that knows another outbox"
    assert last < record.out_offered, f"{last} is sent and not on record as offered"
    assert side.sent_through < first <= last, f"{first} to {last} are sent after {side.sent_through}"
    side.sent_through = last


def check_consumed(side: Side, epoch: bytes, service: str, through: int, *, named: set[str] | None) -> None:
    """Nothing of the service waits up to this number.

    Args:
        named: the services of which ``""`` does not speak; None if that is not known.
    """
    for message in side.disk.model.inbox.values():
        if service:
            concerned = message.service == service
        else:
            concerned = named is not None and message.service not in named
        if concerned and message.epoch == epoch:
            assert message.number > through, f"{message} counts as consumed"


def check_delivered(side: Side, other: Side, names: dict[int, bytes], through: int) -> None:
    """Everything up to this number reached the other side, or was dropped.

    Args:
        names: the bodies by their numbers.
    """
    for number, body in names.items():
        if number <= through and body in side.disk.accepted and body not in side.disk.gone:
            assert body in other.ever, f"{body!r} counts as delivered"
