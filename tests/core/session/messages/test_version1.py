"""Texts to and from version 1 peers (spec/link.md)."""

from __future__ import annotations

from tests.core.session.messages.harness import THEIRS, Desk, draft, message

from p4.core import limits
from p4.core.session.messages.events import (
    ChatLine,
    ChatLineArrived,
    Delivered,
    Dropped,
    DropReason,
    EndLink,
    LinkDown,
    LinkUp,
    Quiet,
    Received,
    TimePassed,
    Transmit,
    Writable,
)
from p4.core.session.messages.inbox import V1_EPOCH
from p4.core.session.messages.stored import Draft
from p4.core.session.session_frames import Kind


def test_texts_go_out_as_lines_and_the_rest_is_dropped() -> None:
    desk = Desk().submit(
        draft("a"),
        Draft("chat", Kind.BYTES, b"bytes", "", 1, 0),
        draft("b", service="door"),
        Draft("chat", Kind.JSON, b'{"no": "string"}', "", 1, 0),
        draft("c"),
    )
    desk.feed(LinkUp(1)).feed(Writable(10_000))
    assert [e.text for e in desk.effects if isinstance(e, ChatLine)] == ["a", "c"]
    assert [e for e in desk.effects if isinstance(e, Transmit)] == []
    (dropped,) = desk.told(Dropped)
    assert (dropped.numbers, dropped.reason) == ((2, 3, 4), DropReason.NOT_SUPPORTED)
    assert desk.machine.queued == 2
    assert desk.disk.record.out_offered == 1, "a version 1 peer learns no numbers"


def test_a_text_is_delivered_when_the_link_was_quiet_long_enough_after_it() -> None:
    desk = Desk().feed(LinkUp(1)).submit(draft("a"))
    desk.now += limits.V1_CONFIRM_SECONDS - 0.5
    desk.submit(draft("b")).feed(Quiet())
    assert desk.told(Delivered) == []
    desk.now += 0.5
    desk.feed(Quiet())
    assert [e.through for e in desk.told(Delivered)] == [1]
    desk.now += limits.V1_CONFIRM_SECONDS
    desk.feed(Quiet())
    assert [e.through for e in desk.told(Delivered)] == [2]
    assert (desk.machine.queued, desk.disk.outbox) == (0, {})


def test_after_a_break_an_unconfirmed_text_is_said_again() -> None:
    desk = Desk().feed(LinkUp(1)).submit(draft("a"))
    desk.feed(LinkDown()).feed(LinkUp(1))
    assert [e.text for e in desk.told(ChatLine)] == ["a", "a"]
    desk.now += limits.V1_CONFIRM_SECONDS
    desk.feed(Quiet())
    assert desk.machine.queued == 0


def test_what_a_version_1_peer_says_is_kept_although_the_link_ends() -> None:
    desk = Desk(works=False).feed(LinkUp(1))
    for text in ("a", "half \ud83d", "c"):
        desk.feed(ChatLineArrived(text))
    desk.refuse()
    desk.feed(LinkDown())
    desk.now += limits.DISK_RETRY_SECONDS
    desk.feed(TimePassed()).work()
    (arrived,) = desk.told(Received)
    assert [m.body for m in arrived.messages] == [b'"a"', b'"half ?"', b'"c"']
    assert {(m.epoch, m.service, m.kind) for m in arrived.messages} == {(V1_EPOCH, "chat", Kind.JSON)}


def test_a_version_1_peer_cannot_fill_the_memory() -> None:
    desk = Desk(works=False).feed(LinkUp(1))
    for _ in range(limits.SEND_WINDOW_MESSAGES + 1):
        desk.feed(ChatLineArrived("x"))
    assert desk.told(EndLink) == []
    desk.feed(ChatLineArrived("x"))
    assert [end.broke_protocol for end in desk.told(EndLink)] == [True]


def test_a_contact_that_changes_between_versions_loses_no_text() -> None:
    desk = Desk().link().hear(message(1)).feed(LinkDown())
    desk.feed(LinkUp(1)).feed(ChatLineArrived("a")).feed(ChatLineArrived("b")).feed(LinkDown())
    desk.link().hear(message(1), message(2)).feed(LinkDown())
    desk.feed(LinkUp(1)).feed(ChatLineArrived("c"))
    assert [(m.epoch == THEIRS, m.number) for m in desk.disk.inbox.values()] == [
        (True, 1),
        (False, 1),
        (False, 2),
        (True, 2),
        (False, 3),
    ]
