"""What a person is told about restored backups, full inboxes and refusals: who, how many, what to do."""

from __future__ import annotations

import pytest

from p4.core.session.messages.events import Dropped, DropReason, Notice, NoticeKind
from p4.node.notices import refusal, sentence


@pytest.mark.parametrize(
    ("kind", "begins"),
    [
        (NoticeKind.OUTBOX_RENEWED, "Your queue towards Bob was older than what Bob has"),
        (NoticeKind.PEER_LOST, "Bob has lost 2 messages that it had confirmed"),
        (NoticeKind.MISSING_HERE, "Missing here: 2 messages from Bob"),
        (NoticeKind.PEER_RENEWED, "Bob sends from a new queue"),
        (NoticeKind.INBOX_FULL, "Too much from Bob waits here for a program that takes it: 2 messages."),
    ],
)
def test_every_notice_is_a_sentence_about_the_contact(kind: NoticeKind, begins: str) -> None:
    text = sentence(Notice(kind, 2), "Bob")
    assert text.startswith(begins)
    assert text.endswith(".")
    assert "2 messages" in text or kind is NoticeKind.PEER_RENEWED


@pytest.mark.parametrize("kind", NoticeKind)
def test_one_message_is_not_one_messages(kind: NoticeKind) -> None:
    text = sentence(Notice(kind, 1), "Bob")
    assert "1 message" not in text
    assert text[0].isupper()


def test_a_refusal_names_contact_service_and_remedy() -> None:
    def text(reason: DropReason, *numbers: int) -> str:
        return refusal(Dropped(b"e" * 16, numbers, "files", reason), "Bob")

    assert text(DropReason.REFUSED, 1) == (
        "One message to Bob cannot be delivered: Bob does not let you use 'files'. It has to grant it first; "
        "then send again."
    )
    assert text(DropReason.NOT_SUPPORTED, 1, 2).startswith(
        "2 messages to Bob cannot be delivered: it runs an "
    )
