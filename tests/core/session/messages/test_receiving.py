"""From a MESSAGE to the application (spec/session.md, Messages)."""

from __future__ import annotations

import pytest
from tests.core.session.messages.harness import THEIRS, Desk, message

from p4.core import limits
from p4.core.session.messages.events import (
    ConsumedHere,
    EndLink,
    GrantsChanged,
    HandedOver,
    LinkDown,
    Notice,
    NoticeKind,
    Received,
    Take,
    TimePassed,
    Withdrawn,
)
from p4.core.session.messages.stored import AcceptInbox, InboxMessage, SkipInbox
from p4.core.session.session_frames import Ack, Consumed, Refused, RefusedReason, Void


def acks(desk: Desk) -> list[int]:
    return [frame.through for frame in desk.sent() if isinstance(frame, Ack)]


def received(desk: Desk) -> list[InboxMessage]:
    return [message for effect in desk.told(Received) for message in effect.messages]


def test_messages_are_given_and_acknowledged_once_they_are_on_disk() -> None:
    desk = Desk().link()
    desk.works = False
    desk.hear(message(1)).hear(message(2), message(3))
    assert desk.sent() == []
    desk.work()
    assert [effect for effect in desk.effects if isinstance(effect, Received)]
    assert acks(desk) == [1]
    (operation,) = desk.todo
    assert isinstance(operation, AcceptInbox)
    assert (len(operation.messages), operation.through) == (2, 3), "what came meanwhile is written together"
    desk.work()
    assert acks(desk) == [3], "one ACK of the highest"


def test_a_duplicate_is_acknowledged_again_and_not_delivered() -> None:
    desk = Desk().link().hear(message(1), message(2))
    desk.feed(LinkDown()).link().told(Received)
    desk.hear(message(1))
    assert desk.told(Received) == []
    desk.hear(message(2), message(3))
    assert acks(desk) == [2, 3]
    assert len(desk.disk.inbox) == 3
    desk.hear(message(3))
    assert acks(desk) == [3]


def test_nothing_is_acknowledged_that_the_new_link_has_not_brought() -> None:
    desk = Desk().link()
    desk.works = False
    desk.hear(message(1), message(2))
    desk.feed(LinkDown()).link()
    desk.work()
    assert acks(desk) == []
    desk.hear(message(1))
    assert acks(desk) == [1]


def test_what_was_not_on_its_way_to_the_disk_comes_again() -> None:
    desk = Desk().link()
    desk.works = False
    desk.hear(message(1)).hear(message(2))
    desk.feed(LinkDown()).link().work()
    assert desk.todo[1:] == []
    desk.works = True
    desk.hear(message(2))
    assert [m.number for m in received(desk)] == [1, 2]


def test_void_numbers_count_as_received() -> None:
    desk = Desk().link().hear(Void(1, 3), message(4))
    assert acks(desk)[-1] == 4
    assert [m.number for m in desk.disk.inbox.values()] == [4]


def test_a_service_that_is_not_granted_is_counted_and_refused() -> None:
    desk = Desk().link()
    desk.hear(message(1, service="door"), message(2))
    assert desk.sent() == [Refused(1, RefusedReason.NOT_GRANTED), Ack(2)]
    desk.feed(GrantsChanged(("door",)))
    assert desk.machine.grants_service("door")
    desk.hear(message(3, service="door"))
    assert [m.number for m in desk.disk.inbox.values()] == [2, 3]


def test_what_the_disk_refuses_is_offered_to_it_again_with_what_came_since() -> None:
    desk = Desk().link()
    desk.works = False
    desk.hear(message(1)).hear(message(2))
    desk.refuse()
    assert desk.todo == []
    desk.now += limits.DISK_RETRY_SECONDS
    desk.feed(TimePassed())
    (operation,) = desk.todo
    assert isinstance(operation, AcceptInbox)
    assert [m.number for m in operation.messages] == [1, 2]


def test_a_contact_that_does_not_wait_for_acknowledgements_is_cut_off() -> None:
    desk = Desk().link()
    desk.works = False
    desk.hear(*[message(n) for n in range(1, 2 * limits.SEND_WINDOW_MESSAGES + 1)])
    assert desk.told(EndLink) == []
    desk.hear(message(2 * limits.SEND_WINDOW_MESSAGES + 1))
    assert [end.broke_protocol for end in desk.told(EndLink)] == [True]


def test_the_contact_is_held_back_while_the_application_does_not_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "INBOX_UNCONSUMED", 4)
    desk = Desk().link().hear(*[message(n) for n in range(1, 5)])
    given = [m for e in desk.effects if isinstance(e, Received) for m in e.messages]
    assert desk.told(Notice) == [Notice(NoticeKind.INBOX_FULL, 4)]
    desk.hear(message(5))
    assert acks(desk) == []
    desk.feed(Take(1, tuple(given[:1])))
    assert acks(desk) == [], "not yet half empty"
    desk.feed(Take(2, tuple(given[1:2])))
    assert [e for e in desk.effects if isinstance(e, Notice)] == []
    assert acks(desk) == [5]


def test_what_was_taken_is_gone_and_the_contact_knows() -> None:
    desk = Desk().link().hear(message(1), message(2, service="ping"), message(3))
    given = received(desk)
    desk.feed(Take(7, tuple(given[:1])))
    (told,) = [effect for effect in desk.effects if isinstance(effect, ConsumedHere)]
    assert told.token == 7
    assert desk.sent() == [Consumed(2, "chat")]
    desk.feed(Take(8, tuple(given[1:])))
    assert desk.sent() == [Consumed(3, "chat"), Consumed(3, "ping")]
    assert desk.disk.inbox == {}


def test_a_new_link_begins_with_what_was_taken() -> None:
    desk = Desk().link().hear(message(1), message(2, service="ping"), message(3))
    desk = Desk(desk.disk).link()
    assert desk.sent() == [Consumed(0, "chat"), Consumed(1, "ping"), Consumed(3, "")]


def test_nothing_is_called_consumed_for_want_of_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p4.core.session.messages.consumption.CONSUMED_SERVICES", 1)
    desk = Desk().link().hear(message(1), message(2, service="ping"), message(3))
    desk = Desk(desk.disk).link()
    assert desk.sent() == [Consumed(0, "chat"), Consumed(1, "")]


def test_only_the_newest_of_a_key_is_given() -> None:
    desk = Desk().link().hear(message(1, "a", key="k"))
    first = received(desk)
    desk.hear(message(2, "b", key="k"))
    assert [e.positions for e in desk.effects if isinstance(e, Withdrawn)] == [(first[0].position,)]
    (second,) = received(desk)
    desk.feed(HandedOver((second.position,)))
    desk.hear(message(3, "c", key="k"))
    assert desk.told(Withdrawn) == [], "the application has it already"
    assert len(desk.disk.inbox) == 2


def test_a_message_whose_time_has_passed_on_arrival_is_counted_and_not_given() -> None:
    desk = Desk().link()
    desk.works = False
    desk.hear(message(1)).hear(message(2, ttl_ms=500))
    desk.now_ms += 500
    desk.work().work()
    assert [m.number for m in desk.disk.inbox.values()] == [1]
    assert acks(desk)[-1] == 2


# --- restored backups ----------------------------------------------------------------------------------


def notices(desk: Desk) -> list[tuple[NoticeKind, int]]:
    return [(notice.kind, notice.count) for notice in desk.told(Notice)]


def test_a_gap_is_told_once_and_only_where_messages_were_expected() -> None:
    desk = Desk().link(out_first=7)
    assert notices(desk) == [], "never heard of: nothing was expected"
    desk.hear(message(7)).feed(LinkDown()).link(out_first=8)
    assert notices(desk) == []
    desk.feed(LinkDown()).link(out_first=10).feed(LinkDown()).link(out_first=10)
    assert notices(desk) == [(NoticeKind.MISSING_HERE, 2)]
    assert desk.disk.record.in_next == 10


def test_nothing_is_taken_before_the_gap_is_on_record() -> None:
    desk = Desk().link().hear(message(1)).feed(LinkDown())
    desk.works = False
    desk.link(out_first=5).hear(message(5))
    assert SkipInbox(THEIRS, 5) in desk.todo
    assert not any(isinstance(operation, AcceptInbox) for operation in desk.todo)
    while desk.todo:
        desk.work()
    assert acks(desk)[-1] == 5


def test_an_epoch_that_comes_back_goes_on_where_it_was() -> None:
    desk = Desk().link().hear(message(1), message(2)).feed(LinkDown())
    desk.link(out_epoch=b"another outbox 1").hear(message(1)).feed(LinkDown())
    assert notices(desk) == [(NoticeKind.PEER_RENEWED, 0)]
    desk.link().hear(message(1), message(2), message(3))
    assert [m.number for m in desk.disk.inbox.values()] == [1, 2, 1, 3]
    assert notices(desk) == [(NoticeKind.PEER_RENEWED, 0)]


def test_messages_of_a_queue_that_this_disk_has_forgotten_are_missed() -> None:
    desk = Desk().link().hear(message(1)).feed(LinkDown())
    desk.link(out_epoch=b"another outbox 1", out_first=4)
    assert notices(desk) == [(NoticeKind.PEER_RENEWED, 0), (NoticeKind.MISSING_HERE, 3)]
    assert acks(desk.feed(LinkDown())) == []
    desk.link(out_epoch=b"another outbox 1", out_first=4).hear(message(4))
    assert notices(desk) == []
    assert desk.disk.record.in_next == 5
