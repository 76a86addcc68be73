"""From `Submit` to `Delivered` (spec/session.md, Messages)."""

from __future__ import annotations

import pytest
from tests.core.session.messages.harness import Desk, draft

from p4.core import limits
from p4.core.session.messages.events import (
    Accepted,
    Delivered,
    Dropped,
    DropReason,
    EndLink,
    LinkDown,
    LinkUp,
    Notice,
    NoticeKind,
    Rejected,
    Renewed,
    Submit,
    TimePassed,
    Writable,
)
from p4.core.session.messages.outbox import NO_EPOCH
from p4.core.session.messages.stored import (
    AcknowledgeOutbox,
    AppendOutbox,
    OfferOutbox,
    Quota,
    ReadOutbox,
    RenewOutbox,
)
from p4.core.session.session_frames import Ack, Grants, Message, Refused, RefusedReason, Resume, Void


def test_what_comes_while_a_write_is_under_way_is_written_together() -> None:
    desk = Desk(works=False)
    for token in range(1_000):
        desk.submit(draft(str(token)), token=token)
    sizes = []
    while desk.todo:
        operation = desk.todo[0]
        assert isinstance(operation, AppendOutbox)
        sizes.append(len(operation.drafts))
        desk.work()
    assert sizes == [1, limits.APPEND_MESSAGES, 1_000 - 1 - limits.APPEND_MESSAGES]
    assert [(a.token, a.first) for a in desk.told(Accepted)] == [(n, n + 1) for n in range(1_000)]
    assert desk.machine.queued == 1_000


def test_a_write_is_no_longer_than_four_mebibytes() -> None:
    desk = Desk(works=False)
    body = "x" * (limits.BODY_BYTES - 2)
    for _ in range(8):
        desk.submit(draft(body))
    desk.work()
    operation = desk.todo[0]
    assert isinstance(operation, AppendOutbox)
    assert len(operation.drafts) == limits.APPEND_BYTES // limits.BODY_BYTES


def test_small_ones_do_not_suffer_for_one_that_finds_no_room() -> None:
    desk = Desk(works=False, quota=Quota(3, 1_000))
    desk.submit(draft("a"), token=1)
    desk.submit(*[draft("b")] * 3, token=2).submit(draft("c"), token=3).submit(draft("d"), token=4)
    while desk.todo:
        desk.work()
    effects = desk.effects
    assert [e.token for e in effects if isinstance(e, Accepted)] == [1, 3, 4]
    assert [(e.token, e.code) for e in effects if isinstance(e, Rejected)] == [(2, "outbox-full")]


def test_a_disk_that_fails_accepts_nothing_of_the_write() -> None:
    desk = Desk(works=False)
    desk.submit(draft("a"), token=1).submit(draft("b"), token=2).submit(draft("c"), token=3)
    desk.work()
    desk.refuse()
    assert [(e.token, e.code) for e in desk.told(Rejected)] == [(2, "full"), (3, "full")]
    assert desk.machine.deadline is None
    assert desk.submit(draft("d"), token=4).todo, "the next is tried at once"


def test_accepted_messages_are_sent_from_memory_and_delivered_when_acknowledged() -> None:
    desk = Desk().link()
    desk.submit(draft("a"), draft("b"))
    assert desk.numbers() == [1, 2]
    desk.hear(Ack(2))
    assert desk.told(Delivered) == [Delivered(desk.machine.out_epoch, 2)]
    assert (desk.machine.queued, desk.disk.outbox, desk.machine.out_first) == (0, {}, 3)


def test_nothing_in_memory_is_read_back() -> None:
    desk = Desk(works=False).link()
    desk.submit(draft("a"))
    while desk.todo:
        assert not isinstance(desk.todo[0], ReadOutbox)
        desk.work()
    assert desk.numbers() == [1]


def test_what_waits_on_disk_is_sent_after_resume_and_grants_once_it_is_offered() -> None:
    desk = Desk().submit(draft("a"))
    desk.works = False
    desk.feed(LinkUp(2))
    epoch = desk.machine.out_epoch
    desk.hear(Resume(b"t" * 16, 1, NO_EPOCH, 1))
    assert [type(operation) for operation in desk.todo] == [OfferOutbox]
    assert standing(desk) == (False, False, False)
    desk.hear(Grants(("chat",)))
    assert standing(desk) == (True, True, False)
    assert [type(operation) for operation in desk.todo] == [OfferOutbox, ReadOutbox]
    desk.todo.reverse()
    desk.work()
    assert desk.sent() == [], "not on record as offered"
    desk.work()
    assert desk.numbers() == [1]
    assert desk.machine.out_epoch == epoch


def standing(desk: Desk) -> tuple[bool, bool, bool]:
    machine = desk.machine
    return machine.resumed, machine.may_use("chat"), machine.may_use("chatter")


def test_no_more_is_under_way_than_the_window_allows() -> None:
    desk = Desk().link()
    desk.submit(*[draft("x")] * (limits.SEND_WINDOW_MESSAGES + 5))
    assert len(desk.numbers()) == limits.SEND_WINDOW_MESSAGES
    desk.hear(Ack(3))
    assert desk.numbers() == [limits.SEND_WINDOW_MESSAGES + n for n in (1, 2, 3)]


def test_no_more_bytes_are_under_way_than_the_window_allows() -> None:
    desk = Desk().link()
    desk.submit(*[draft("x" * (limits.BODY_BYTES - 2))] * 6)
    assert desk.numbers() == [1, 2, 3, 4]
    desk.hear(Ack(1))
    assert desk.numbers() == [5]


def test_only_as_much_is_sent_as_the_link_takes() -> None:
    desk = Desk().link()
    desk.budget = 0
    desk.feed(Writable(60)).submit(*[draft("x")] * 3)
    assert desk.numbers() == [1]
    assert desk.machine.wants_budget
    desk.feed(Writable(10_000))
    assert desk.numbers() == [2, 3]
    assert not desk.machine.wants_budget


def test_a_new_link_begins_with_the_oldest_that_is_not_confirmed() -> None:
    desk = Desk().link()
    desk.submit(draft("a"), draft("b"), draft("c"))
    desk.feed(LinkDown()).told(Delivered)
    desk.link(in_next=2)
    assert desk.told(Delivered) == [Delivered(desk.machine.out_epoch, 1)]
    desk.feed(LinkDown()).link(in_next=2)
    assert desk.numbers() == [2, 3]
    assert desk.machine.queued == 2


@pytest.mark.parametrize(
    ("expires_ms", "service", "reason"),
    [(1_001, "chat", DropReason.EXPIRED), (0, "door", DropReason.REFUSED)],
)
def test_what_must_not_be_sent_is_dropped_and_then_void(
    expires_ms: int, service: str, reason: DropReason
) -> None:
    desk = Desk().submit(draft("a"), draft("b", expires_ms=expires_ms, service=service), draft("c"))
    desk.now_ms = 1_001
    desk.works = False
    desk.link(grants=("chat",))
    desk.work().work()
    assert desk.numbers() == [1], "nothing passes what is being dropped"
    desk.work()
    (dropped,) = [effect for effect in desk.effects if isinstance(effect, Dropped)]
    assert (dropped.numbers, dropped.service, dropped.reason) == ((2,), service, reason)
    void, message = desk.sent()
    assert void == Void(2, 2)
    assert isinstance(message, Message)
    assert message.number == 3
    assert desk.machine.queued == 2


def test_numbers_at_the_end_that_have_no_message_become_void() -> None:
    desk = Desk().submit(draft("a"), draft("b", expires_ms=500), draft("c", expires_ms=500)).link()
    assert desk.sent()[-1] == Void(2, 3)
    desk.hear(Ack(3))
    assert (desk.machine.queued, desk.machine.out_first) == (0, 4)


def test_what_remains_of_a_time_to_live_travels_with_the_message() -> None:
    desk = Desk().link().submit(draft("a", expires_ms=1_500))
    (message,) = desk.sent()
    assert isinstance(message, Message)
    assert message.ttl_ms == 500


def test_a_newer_value_replaces_the_one_that_waits() -> None:
    desk = Desk().submit(draft("a", key="k")).submit(draft("b"), draft("c", key="k"))
    assert [e.numbers for e in desk.told(Dropped)] == [(1,)]
    desk.link()
    void, *messages = desk.sent()
    assert void == Void(1, 1)
    assert [m.number for m in messages if isinstance(m, Message)] == [2, 3]


def test_what_was_confirmed_is_not_called_replaced() -> None:
    desk = Desk().link().submit(draft("a", key="k"))
    desk.works = False
    desk.hear(Ack(1)).submit(draft("b", key="k"))
    desk.todo = desk.todo[::-1]  # the disk has not heard of the confirmation
    desk.work()
    assert desk.told(Dropped) == []
    assert desk.machine.queued == 1


def test_what_the_contact_refuses_is_told() -> None:
    desk = Desk().link().submit(draft("a", service="door"))
    desk.told(Accepted)
    desk.hear(Refused(1, RefusedReason.NOT_GRANTED), Refused(1, RefusedReason.NOT_GRANTED), Ack(1))
    dropped = [effect for effect in desk.effects if isinstance(effect, Dropped)]
    assert [(d.numbers, d.service, d.reason) for d in dropped] == [((1,), "door", DropReason.REFUSED)]
    assert desk.machine.queued == 0


def test_a_confirmation_that_the_disk_refuses_is_written_later() -> None:
    desk = Desk().link().submit(draft("a"))
    desk.works = False
    desk.hear(Ack(1))
    assert isinstance(desk.refuse(), AcknowledgeOutbox)
    assert desk.todo == []
    assert desk.machine.deadline == desk.now + limits.DISK_RETRY_SECONDS
    desk.now += limits.DISK_RETRY_SECONDS
    desk.feed(TimePassed())
    assert desk.todo == [AcknowledgeOutbox(1)]
    assert desk.machine.deadline is None


@pytest.mark.parametrize(
    "frames",
    [
        [Ack(0)],
        [Grants(("*",))],
        [Resume(b"t" * 16, 1, NO_EPOCH, 1), Resume(b"t" * 16, 1, NO_EPOCH, 1)],
        [Resume(b"t" * 16, 1, NO_EPOCH, 1), Ack(1)],
    ],
    ids=["an ACK before RESUME", "GRANTS before RESUME", "a second RESUME", "an ACK of what was not sent"],
)
def test_a_frame_out_of_turn_ends_the_link(frames: list[Resume | Ack | Grants]) -> None:
    desk = Desk().feed(LinkUp(2)).hear(*frames)
    assert [end.broke_protocol for end in desk.told(EndLink)] == [True]
    assert desk.submit(draft("a")).sent() == []
    assert desk.hear(Ack(1)).told(EndLink) == [], "what still comes of that link is ignored"


# --- restored backups ----------------------------------------------------------------------------------


def test_a_queue_that_is_older_than_what_the_contact_has_is_renewed() -> None:
    desk = Desk().submit(draft("a"), draft("b"))
    old = desk.machine.out_epoch
    desk = Desk(desk.disk).link(in_next=2)
    (renewed,) = [effect for effect in desk.effects if isinstance(effect, Renewed)]
    assert (renewed.old_epoch, renewed.shift) == (old, 0)
    assert [e.count for e in desk.effects if isinstance(e, Notice)] == [2]
    assert [e.broke_protocol for e in desk.effects if isinstance(e, EndLink)] == [False]
    assert desk.sent() == [], "our RESUME named the old queue"
    desk.link(in_epoch=old, in_next=2)
    assert desk.numbers() == [1, 2]


def test_a_contact_that_knows_a_later_name_of_us_proves_the_disk_old() -> None:
    desk = Desk().submit(draft("a")).link(in_epoch=b"later name of us", in_next=9)
    assert len(desk.told(Renewed)) == 1
    assert b"later name of us" in desk.disk.record.out_retired


def test_a_queue_without_a_name_is_renewed_in_silence() -> None:
    """A contact that was added again: nothing was lost."""
    desk = Desk().link(in_epoch=b"later name of us", in_next=9)
    assert [effect for effect in desk.effects if isinstance(effect, Notice)] == []
    assert len(desk.told(Renewed)) == 1


def test_a_renewal_that_the_disk_refuses_holds_the_next_links_back() -> None:
    desk = Desk().submit(draft("a"))
    desk.works = False
    desk.link(in_epoch=b"later name of us", in_next=9)
    assert isinstance(desk.refuse(), RenewOutbox)
    desk.feed(LinkDown()).link().told(EndLink)
    assert desk.todo == []
    desk.now += limits.DISK_RETRY_SECONDS
    desk.feed(TimePassed()).work()
    assert len(desk.told(EndLink)) == 1


def test_what_the_contact_has_lost_is_told_once_each_time() -> None:
    desk = Desk().link().submit(draft("a"), draft("b"), draft("c")).hear(Ack(3))
    desk.effects.clear()
    for in_next in (3, 3, 4, 3):
        desk.feed(LinkDown()).link(in_next=in_next)
    lost = [e for e in desk.effects if isinstance(e, Notice)]
    assert lost == [Notice(NoticeKind.PEER_LOST, 1)] * 2


def test_the_same_loss_is_told_again_when_the_same_backup_comes_back_again() -> None:
    desk = Desk().link().submit(draft("a"), draft("b"), draft("c")).hear(Ack(3))
    desk.effects.clear()
    desk.feed(LinkDown()).link(in_next=3).submit(draft("d")).hear(Ack(4))
    desk.feed(LinkDown()).link(in_next=3)
    lost = [e for e in desk.effects if isinstance(e, Notice)]
    assert lost == [Notice(NoticeKind.PEER_LOST, 1), Notice(NoticeKind.PEER_LOST, 2)]


def test_dropping_the_oldest_does_not_look_like_a_loss() -> None:
    desk = Desk().submit(draft("a", key="k"), draft("b", key="k"))
    again = Desk(desk.disk)
    assert again.machine.out_first == 1
    assert again.feed(Submit(9, (draft("c"),))).machine.queued == 2
